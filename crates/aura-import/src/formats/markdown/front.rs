// SPDX-License-Identifier: MIT OR Apache-2.0
//! The YAML between `---` lines at the head of a note, as JSON of bounded size.
//!
//! A short YAML text can stand for billions of values by naming one part of it many times, so every
//! value is taken from a budget while it is built. Source: YAML 1.2.

use std::fmt;

use aura_vault::record::Fields;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Longest front matter that is understood, in bytes; a longer one stays part of the text.
const BYTES_MAX: usize = 64 << 10;

/// Most values, and their deepest nesting.
const VALUES_MAX: u32 = 20_000;
const DEPTH_MAX: u32 = 32;

/// Most bytes of text in all values.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The front matter's YAML and the text after it.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let head = text.strip_prefix("---\n")?;
    let mut at = 0_usize;
    for line in head.split_inclusive('\n') {
        let mark = line.trim_end();
        if mark == "---" || mark == "..." {
            let rest = head.get(at + line.len()..)?;
            return Some((head.get(..at)?, rest));
        }
        at += line.len();
        if at > BYTES_MAX {
            return None;
        }
    }
    None
}

/// The members of the front matter; `None` if it is not a YAML mapping within the bounds.
pub(super) fn parse(yaml: &str) -> Option<Fields> {
    if yaml.trim().is_empty() {
        return Some(Fields::new());
    }
    let mut budget = Budget { values: VALUES_MAX, text: TEXT_BYTES_MAX };
    let seed = Bounded { budget: &mut budget, depth: DEPTH_MAX };
    match seed.deserialize(serde_norway::Deserializer::from_str(yaml)) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(Value::Null) => Some(Fields::new()),
        _ => None,
    }
}

struct Budget {
    values: u32,
    text: usize,
}

struct Bounded<'a> {
    budget: &'a mut Budget,
    depth: u32,
}

impl Bounded<'_> {
    fn spend<E: serde::de::Error>(&mut self, text: usize) -> Result<(), E> {
        let left = (self.budget.values.checked_sub(1), self.budget.text.checked_sub(text));
        let (Some(values), Some(text)) = left else {
            return Err(E::custom("expected fewer values"));
        };
        (self.budget.values, self.budget.text) = (values, text);
        Ok(())
    }

    fn deeper<E: serde::de::Error>(&mut self) -> Result<Bounded<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("expected less nesting"))?;
        Ok(Bounded { budget: self.budget, depth })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<Value, E> {
        self.spend(0).map(|()| Value::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_i64<E: serde::de::Error>(mut self, value: i64) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_u64<E: serde::de::Error>(mut self, value: u64) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<Value, E> {
        self.spend(0)?;
        // JSON has no infinities; their name is kept.
        Ok(serde_json::Number::from_f64(value)
            .map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<Value, E> {
        self.spend(value.len()).map(|()| value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut source: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut values = Vec::new();
        while let Some(value) = source.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut source: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut members = Fields::new();
        while let Some(key) = source.next_key_seed(self.deeper()?)? {
            let key = match key {
                Value::String(key) => key,
                other => other.to_string(),
            };
            let value = source.next_value_seed(self.deeper()?)?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }

    /// A value with a tag (`!name value`); the tag is left out.
    fn visit_enum<A: EnumAccess<'de>>(mut self, source: A) -> Result<Value, A::Error> {
        use serde::de::VariantAccess;
        let (_tag, inner) = source.variant_seed(self.deeper()?)?;
        inner.newtype_variant_seed(self.deeper()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_becomes_json() {
        let (yaml, rest) =
            split("---\ntags: [a, b]\nn: 1\n2: x\nd: 2024-01-02\n---\nText").unwrap();
        assert_eq!(rest, "Text");
        assert_eq!(
            Value::Object(parse(yaml).unwrap()),
            json!({"tags": ["a", "b"], "n": 1, "2": "x", "d": "2024-01-02"})
        );
        assert_eq!(parse("").unwrap(), Fields::new());
        assert!(parse("just text").is_none());
        assert!(parse("a: [").is_none());
        assert_eq!(Value::Object(parse("a: !x 1\nb: .inf").unwrap())["b"], json!("inf"));
        assert!(split("---\nnever closed").is_none());
        assert!(split("no front matter\n---\n").is_none());
    }

    #[test]
    fn one_text_named_many_times_is_refused() {
        let line = |(this, last): (char, char)| {
            format!("{this}: &{this} [*{last},*{last},*{last},*{last},*{last}]\n")
        };
        let lines: String = ('b'..='i').zip('a'..='h').map(line).collect();
        let bomb = format!("a: &a [x,x,x,x,x,x,x,x,x]\n{lines}");
        assert!(parse(&bomb).is_none());
        let wide = format!("a: &a {}\nb: [{}]", "x".repeat(20_000), "*a,".repeat(5000));
        assert!(parse(&wide).is_none());
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&deep).is_none());
    }
}
