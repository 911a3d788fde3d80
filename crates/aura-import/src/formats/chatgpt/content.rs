// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a message says, whatever its content type; an unknown one must not fail.

use serde_json::Value;

/// A message's content as text, and what it points to.
#[derive(Default)]
pub(super) struct Spoken {
    pub(super) text: String,
    /// Ids of files, as `file-service://…` and `sediment://…` name them.
    pub(super) pointers: Vec<String>,
    /// Parts that are neither text nor a pointer, as they were.
    pub(super) rest: Vec<Value>,
}

/// Reads `content`; `metadata` may hold the text of code that was finished elsewhere.
pub(super) fn read(content: &Value, metadata: &Value) -> Spoken {
    let mut spoken = Spoken::default();
    let kind = content.get("content_type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "code" => {
            let code = text_of(content, "text").or_else(|| text_of(metadata, "finished_text"));
            let language = text_of(content, "language").filter(|word| *word != "unknown");
            if let Some(code) = code {
                spoken.say(&format!("```{}\n{code}\n```", language.unwrap_or_default()));
            }
        }
        "execution_output" => {
            if let Some(output) = text_of(content, "text") {
                spoken.say(&format!("```\n{output}\n```"));
            }
        }
        "thoughts" => {
            for thought in content.get("thoughts").and_then(Value::as_array).into_iter().flatten() {
                for member in ["summary", "content"] {
                    spoken.say(text_of(thought, member).unwrap_or_default());
                }
            }
        }
        _ => {
            let members =
                ["title", "user_profile", "user_instructions", "text", "result", "content", "url"];
            for member in members {
                spoken.say(text_of(content, member).unwrap_or_default());
            }
        }
    }
    for part in content.get("parts").and_then(Value::as_array).into_iter().flatten() {
        spoken.part(part);
    }
    let is_empty = spoken.text.is_empty() && spoken.pointers.is_empty() && spoken.rest.is_empty();
    if is_empty && content.as_object().is_some_and(|members| members.len() > 1) {
        // An unknown shape is kept as it is, unless it says nothing at all.
        let is_blank = content.get("parts").and_then(Value::as_array).is_some_and(|parts| {
            parts.iter().all(|part| part.as_str().is_some_and(|text| text.trim().is_empty()))
        });
        if !is_blank {
            spoken.rest.push(content.clone());
        }
    }
    spoken
}

fn text_of<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

impl Spoken {
    fn say(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }

    fn part(&mut self, part: &Value) {
        match part {
            Value::String(text) => self.say(text),
            Value::Null => {}
            Value::Object(members) => {
                let mut is_known = false;
                if let Some(text) = members.get("text").and_then(Value::as_str) {
                    self.say(text);
                    is_known = true;
                }
                // Video and audio point to several files, one of them inside another object.
                for holder in [Some(part), part.get("audio_asset_pointer")].into_iter().flatten() {
                    if let Some(pointer) = text_of(holder, "asset_pointer") {
                        self.pointers.push(pointer.to_owned());
                        is_known = true;
                    }
                }
                if !is_known {
                    self.rest.push(part.clone());
                }
            }
            _ => self.rest.push(part.clone()),
        }
    }
}
