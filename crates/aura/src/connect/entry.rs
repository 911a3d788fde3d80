// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a client's configuration says of a server that it starts: how it is written, and whose it is.
//!
//! It holds no secret: the program, the vault's folder, and the name that the assistant was connected under.

use serde_json::{Map, Value, json};

/// The entry's name in every configuration.
pub(crate) const NAME: &str = "aura";

/// How a client wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `command` and `args`.
    Plain,
    /// The same, with `"type": "stdio"`.
    Typed,
    /// The same, with `"transport": "stdio"`.
    Transport,
    /// The same, with `"source": "custom"`.
    Custom,
    /// The same, with the type and the tools that may be called.
    Tools,
    /// One list of the program and its arguments, with `"type": "local"`.
    List,
}

/// What starts `aura mcp` for an assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
}

impl Start {
    /// For the assistant of this name, of the vault in this folder.
    pub(crate) fn new(program: &str, home: &str, name: &str) -> Self {
        let args = ["--home", home, "mcp", "--as", name].map(str::to_owned).to_vec();
        Self { program: program.to_owned(), args }
    }

    /// What an entry starts, if it is one that starts something.
    pub(crate) fn read(entry: &Value) -> Option<Self> {
        let words = |list: &Value| -> Option<Vec<String>> {
            list.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let command = entry.get("command")?;
        let (program, args) = match command {
            Value::String(program) => {
                (program.clone(), entry.get("args").map_or(Some(Vec::new()), words)?)
            }
            list => {
                let mut words = words(list)?.into_iter();
                (words.next()?, words.collect())
            }
        };
        Some(Self { program, args })
    }

    /// The assistant's name, if this starts `aura mcp` for the vault in that folder.
    pub(crate) fn assistant_of(&self, home: &str) -> Option<&str> {
        let [flag, folder, mcp, as_, name] = self.args.as_slice() else { return None };
        let is_ours = [flag.as_str(), mcp, as_] == ["--home", "mcp", "--as"] && folder == home;
        is_ours.then_some(name.as_str())
    }

    /// The entry, its members in the order in which they are written.
    pub(crate) fn entry(&self, shape: Shape) -> Vec<(&'static str, Value)> {
        let command = ("command", json!(self.program));
        let args = ("args", json!(self.args));
        match shape {
            Shape::Plain => vec![command, args],
            Shape::Typed => vec![("type", json!("stdio")), command, args],
            Shape::Transport => vec![command, args, ("transport", json!("stdio"))],
            Shape::Custom => vec![("source", json!("custom")), command, args],
            Shape::Tools => {
                vec![("type", json!("stdio")), command, args, ("tools", json!(["*"]))]
            }
            Shape::List => {
                let words = std::iter::once(&self.program).chain(&self.args);
                let words: Vec<_> = words.collect();
                vec![("type", json!("local")), ("command", json!(words))]
            }
        }
    }
}

/// The entry as a value.
pub(crate) fn value(entry: &[(&'static str, Value)]) -> Value {
    let members = entry.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Object(members.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

    use super::*;

    const SHAPES: [Shape; 6] =
        [Shape::Plain, Shape::Typed, Shape::Transport, Shape::Custom, Shape::Tools, Shape::List];

    #[test]
    fn every_shape_starts_the_same() {
        let start = Start::new("/usr/bin/aura", "/home/nora/vault", "cursor");
        for shape in SHAPES {
            let entry = value(&start.entry(shape));
            assert_eq!(Start::read(&entry).unwrap(), start, "{shape:?}");
        }
        assert_eq!(start.assistant_of("/home/nora/vault"), Some("cursor"));
    }

    #[test]
    fn what_is_of_another_vault_or_program_is_not_ours() {
        let of = |entry: Value| {
            Start::read(&entry).and_then(|start| start.assistant_of("/vault").map(str::to_owned))
        };
        let args = |home: &str| json!(["--home", home, "mcp", "--as", "zed"]);
        let ours =
            json!({ "command": "aura", "args": args("/vault"), "env": {}, "disabled": true });
        assert_eq!(of(ours).unwrap(), "zed");
        for other in [
            json!({ "command": "aura", "args": args("/other") }),
            json!({ "command": "aura", "args": ["--home", "/vault", "serve", "--as", "zed"] }),
            json!({ "command": "aura", "args": ["--home", "/vault", "mcp"] }),
            json!({ "command": "aura", "args": [1] }),
            json!({ "command": "aura" }),
            json!({ "command": [] }),
            json!({ "url": "https://aura.example/mcp" }),
            json!("aura"),
            json!(null),
        ] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }
}
