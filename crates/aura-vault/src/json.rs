// SPDX-License-Identifier: MIT OR Apache-2.0
//! One text for one JSON value, and fields in the form in which they merge.
//!
//! Members sorted by their bytes, no space, numbers as shortest round-trip decimals. An object whose
//! members are all `true` is a set (the JMAP and JSCalendar form); each of its members is a field of
//! its own, so that two devices that add to a set at once both keep what they added.
//! Source: spec/ops.md, rules OPS-8 to OPS-10.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::record::Fields;

/// The canonical text of a value (OPS-9).
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// The canonical text of a JSON string.
pub fn canonical_text(text: &str) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        leaf => write_leaf(leaf, out),
    }
}

fn write_leaf(leaf: &Value, out: &mut String) {
    use core::fmt::Write as _;
    match leaf {
        Value::String(text) => write_text(text, out),
        // Writing to a string does not fail.
        leaf => {
            let _ = write!(out, "{leaf}");
        }
    }
}

/// A JSON string. Most texts need no escapes; they are copied as they are.
fn write_text(text: &str, out: &mut String) {
    use core::fmt::Write as _;
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.reserve(text.len().saturating_add(2));
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let _ = write!(out, "{}", Value::from(text));
    }
}

/// The value that a canonical text stands for. A string that is owned already is not copied.
fn value(canonical: Cow<'_, str>) -> Value {
    let plain = match canonical {
        Cow::Owned(mut owned) if text(&owned).is_some() && !owned.contains('\\') => {
            owned.pop();
            owned.remove(0);
            return Value::String(owned);
        }
        other => other,
    };
    match text(&plain) {
        Some(text) => Value::String(text.into_owned()),
        None => serde_json::from_str(&plain).unwrap_or(Value::Null),
    }
}

/// The text that a canonical JSON string stands for; nothing for any other value.
pub fn text(canonical: &str) -> Option<Cow<'_, str>> {
    let inner = canonical.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(canonical).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            !members.is_empty() && members.values().all(|member| *member == Value::Bool(true))
        }
        _ => false,
    }
}

/// The path of a field that is not a set.
///
/// A member that a source calls `aura:…` must not pass for one that the vault wrote.
pub fn path_of(name: &str) -> String {
    if !name.contains(['~', '/']) && !name.starts_with("aura:") {
        return name.to_owned();
    }
    let path = name.replace('~', "~0").replace('/', "~1");
    match path.strip_prefix("aura:") {
        Some(rest) => format!("aura~2{rest}"),
        None => path,
    }
}

fn unescape(name: Cow<'_, str>) -> String {
    if !name.contains('~') {
        return name.into_owned();
    }
    name.replace("~2", ":").replace("~1", "/").replace("~0", "~")
}

/// Fields as they merge (OPS-8): path to canonical text. A set's members become paths `name/member`.
pub fn flatten(fields: &Fields) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (name, value) in fields {
        match value {
            Value::Object(members) if is_set(value) => {
                for member in members.keys() {
                    let path = format!("{}/{}", path_of(name), path_of(member));
                    flat.insert(path, "true".to_owned());
                }
            }
            value => {
                flat.insert(path_of(name), canonical(value));
            }
        }
    }
    flat
}

/// Fields as a person or program reads them, from paths and canonical texts (OPS-10).
pub fn unflatten<'a, T: Into<Cow<'a, str>>>(flat: impl IntoIterator<Item = (T, T)>) -> Fields {
    let mut fields = Fields::new();
    for (path, text) in flat {
        let (path, value) = (path.into(), value(text.into()));
        match path.split_once('/') {
            None => {
                fields.insert(unescape(path), value);
            }
            Some((name, member)) => {
                let (name, member) = (unescape(name.into()), unescape(member.into()));
                let set = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !set.is_object() {
                    // A set and a plain value, written at the same time: the set's members win.
                    *set = Value::Object(Map::new());
                }
                if let Value::Object(members) = set {
                    members.insert(member, value);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_text_comes_back(value in any_json()) {
            let text = canonical(&value);
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        }

        #[test]
        fn texts_come_back(said in ".*") {
            let written = canonical(&Value::from(said.as_str()));
            prop_assert_eq!(&written, &serde_json::to_string(&said).unwrap());
            let back = text(&written);
            prop_assert_eq!(back.as_deref(), Some(said.as_str()));
        }

        #[test]
        fn flat_fields_come_back(map in prop::collection::btree_map(".*", any_json(), 0..6)) {
            let fields: Fields = map.into_iter().collect();
            let flat = flatten(&fields);
            let back = unflatten(flat.iter().map(|(path, text)| (path.as_str(), text.as_str())));
            prop_assert_eq!(&back, &fields);
            prop_assert_eq!(unflatten(flat), fields);
        }
    }

    #[test]
    fn sets_become_members() {
        let Value::Object(fields) =
            json!({"keywords": {"a/b": true, "c": true}, "x": {"y": false}})
        else {
            panic!()
        };
        let flat = flatten(&fields);
        let paths: Vec<_> = flat.keys().map(String::as_str).collect();
        assert_eq!(paths, ["keywords/a~1b", "keywords/c", "x"]);
    }
}
