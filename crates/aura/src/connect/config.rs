// SPDX-License-Identifier: MIT OR Apache-2.0
//! A configuration with our entry put in, or taken out again; whatever the format, and looked at before it is believed.
//!
//! No change is handed on that does not read as what was there with just this entry more, or less.

use serde_json::{Map, Value};

use super::clients::Format;
use super::entry;
use super::splice::{Broken, Splice};
use super::{json, toml};

const BOM: char = '\u{feff}';

/// Where in a configuration the entry is.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) format: Format,
    /// Outermost first; the entry's own name is the last.
    keys: Vec<&'static str>,
}

impl Spot {
    /// Under these keys, by our name.
    pub(crate) fn new(format: Format, keys: &[&'static str]) -> Self {
        Self { format, keys: keys.iter().copied().chain([entry::NAME]).collect() }
    }

    /// Under these keys themselves.
    pub(crate) fn within(format: Format, keys: &[&'static str]) -> Self {
        Self { format, keys: keys.to_vec() }
    }

    /// What stands there.
    pub(crate) fn get(&self, text: &str) -> Result<Option<Value>, Broken> {
        let (_, text) = split(text);
        match self.format {
            Format::Json => json::get(text, &self.keys),
            Format::Toml => toml::get(text, &self.keys),
        }
    }

    /// The text with the entry there, in the place of what was there.
    pub(crate) fn put(
        &self,
        text: &str,
        entry: &[(&'static str, Value)],
    ) -> Result<String, Broken> {
        let (bom, text) = split(text);
        let after = self.splice(text, entry)?.apply(text).ok_or_else(unsure)?;
        let mut expected = self.whole(text)?;
        self.set(&mut expected, entry::value(entry)).ok_or_else(unsure)?;
        if self.whole(&after)? != expected {
            return Err(unsure());
        }
        Ok(format!("{bom}{after}"))
    }

    /// The text without the entry, or `None` where it was a file of the entry alone. With the text as it was
    /// before the entry was put in, what came with it goes as well, byte for byte.
    pub(crate) fn take(
        &self,
        text: &str,
        entry: &[(&'static str, Value)],
        earlier: Option<&str>,
    ) -> Result<Option<String>, Broken> {
        let (bom, text) = split(text);
        let mut expected = self.whole(text)?;
        unset(&mut expected, &self.keys);
        let former = split(earlier.unwrap_or_default()).1;
        if let Some(back) = self.back(text, entry, former)
            && let Ok(mut found) = self.whole(&back)
            && self.get(&back) == self.get(former)
        {
            // What was replaced is somebody's, and comes back.
            unset(&mut found, &self.keys);
            prune(&mut found, &self.keys);
            let mut expected = expected.clone();
            prune(&mut expected, &self.keys);
            if found == expected {
                let is_gone = back.is_empty() && earlier.is_none();
                return Ok((!is_gone).then(|| format!("{bom}{back}")));
            }
        }
        let rest = match self.format {
            Format::Json => json::cut(text, &self.keys)?,
            Format::Toml => toml::cut(text, &self.keys)?,
        };
        let mut found = self.whole(&rest)?;
        if self.format == Format::Toml {
            prune(&mut found, &self.keys);
            prune(&mut expected, &self.keys);
        }
        if found == expected { Ok(Some(format!("{bom}{rest}"))) } else { Err(unsure()) }
    }

    /// The text with exactly that undone that made this one of the earlier one, wherever it now stands.
    fn back(&self, text: &str, entry: &[(&'static str, Value)], earlier: &str) -> Option<String> {
        let splice = self.splice(earlier, entry).ok()?;
        let within = self.value_at(&splice.apply(earlier)?)?.checked_sub(splice.at)?;
        let at = self.value_at(text)?.checked_sub(within)?;
        splice.back(at).apply(text)
    }

    fn splice(&self, text: &str, entry: &[(&'static str, Value)]) -> Result<Splice, Broken> {
        match self.format {
            Format::Json => json::put(text, &self.keys, entry),
            Format::Toml => toml::put(text, &self.keys, entry),
        }
    }

    fn value_at(&self, text: &str) -> Option<usize> {
        match self.format {
            Format::Json => json::value_at(text, &self.keys),
            Format::Toml => toml::value_at(text, &self.keys),
        }
        .ok()?
    }

    fn whole(&self, text: &str) -> Result<Value, Broken> {
        match self.format {
            Format::Json => json::whole(text),
            Format::Toml => toml::whole(text),
        }
    }

    /// What the whole is with the entry. In TOML what else a table says stays.
    fn set(&self, whole: &mut Value, entry: Value) -> Option<()> {
        let mut at = whole;
        for key in &self.keys {
            let object = at.as_object_mut()?;
            at = object.entry(*key).or_insert_with(|| Value::Object(Map::new()));
        }
        match (self.format, at.as_object_mut(), entry) {
            (Format::Toml, Some(there), Value::Object(entry)) => there.extend(entry),
            (_, _, entry) => *at = entry,
        }
        Some(())
    }
}

/// A mark at the beginning that some editors write stays there.
fn split(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with(BOM) { BOM.len_utf8() } else { 0 })
}

fn unset(whole: &mut Value, keys: &[&str]) {
    let Some((key, deeper)) = keys.split_first() else { return };
    let Some(object) = whole.as_object_mut() else { return };
    if deeper.is_empty() {
        object.remove(*key);
    } else if let Some(next) = object.get_mut(*key) {
        unset(next, deeper);
    }
}

/// Leaves out, of what the keys lead through, what holds nothing.
fn prune(whole: &mut Value, keys: &[&str]) {
    let Some((key, deeper)) = keys.split_first() else { return };
    let Some(object) = whole.as_object_mut() else { return };
    if let Some(next) = object.get_mut(*key) {
        prune(next, deeper);
        if next.as_object().is_some_and(Map::is_empty) {
            object.remove(*key);
        }
    }
}

fn unsure() -> Broken {
    Broken::Other("it could not be made sure that nothing else of it changes".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::connect::entry::{Shape, Start};

    type Entry = Vec<(&'static str, Value)>;

    fn entry() -> Entry {
        Start::new("/usr/bin/aura", "/home/nora/vault", "zed").entry(Shape::Plain)
    }

    fn servers() -> Spot {
        Spot::new(Format::Json, &["mcpServers"])
    }

    fn codex() -> Spot {
        Spot::new(Format::Toml, &["mcp_servers"])
    }

    fn put(spot: &Spot, text: &str) -> String {
        let after = spot.put(text, &entry()).unwrap();
        assert_eq!(spot.get(&after).unwrap().unwrap()["command"], "/usr/bin/aura");
        assert_eq!(spot.take(&after, &entry(), Some(text)).unwrap().unwrap(), text, "{after}");
        after
    }

    const ONLY: &str = r#"{
  "mcpServers": {
    "aura": {
      "command": "/usr/bin/aura",
      "args": ["--home", "/home/nora/vault", "mcp", "--as", "zed"]
    }
  }
}
"#;

    #[test]
    fn a_file_that_is_not_there_or_says_nothing() {
        assert_eq!(put(&servers(), ""), ONLY);
        assert_eq!(put(&servers(), "\n"), format!("\n{ONLY}"));
        assert_eq!(put(&servers(), "// mine"), format!("// mine\n{ONLY}"));
        assert_eq!(put(&servers(), "{}\n"), ONLY);
        assert_eq!(put(&servers(), "{\n}\n"), ONLY);
        assert_eq!(put(&servers(), "\u{feff}{}\n"), format!("\u{feff}{ONLY}"));
        assert_eq!(put(&servers(), "{}\r\n"), ONLY.replace('\n', "\r\n"));
        assert_eq!(
            put(&servers(), "{\"mcpServers\": {}}"),
            "{\"mcpServers\": {\"aura\": {\"command\": \"/usr/bin/aura\", \
                    \"args\": [\"--home\", \"/home/nora/vault\", \"mcp\", \"--as\", \"zed\"]}}}"
        );
        assert_eq!(servers().take(ONLY, &entry(), None).unwrap(), None);
        let toml = put(&codex(), "");
        assert_eq!(codex().take(&toml, &entry(), None).unwrap(), None);
    }

    /// Comments, tabs, trailing commas and the order are the person's.
    #[test]
    fn every_other_byte_stays() {
        let zed = "// Zed settings\n//\n// See the manual.\n{\n\t\"theme\": { \"mode\": \"system\" }, // dark at night\n\t/* servers */\n\
                   \t\"context_servers\": { // what it starts\n\t\t// the weather\n\t\t\"weather\": {\n\t\t\t\"command\": \"w\", // w\n\t\t},\n\t},\n\
                   \t\"vim_mode\": true,\n}\n";
        let spot = Spot::new(Format::Json, &["context_servers"]);
        let after = put(&spot, zed);
        let added: Vec<_> =
            after.lines().filter(|line| !zed.lines().any(|old| old == *line)).collect();
        assert_eq!(
            added,
            [
                "\t\t\"aura\": {",
                "\t\t\t\"command\": \"/usr/bin/aura\",",
                "\t\t\t\"args\": [\"--home\", \"/home/nora/vault\", \"mcp\", \"--as\", \"zed\"]",
            ]
        );
        assert_eq!(after.lines().count(), zed.lines().count() + 4);
        // Also without the file as it was, since it held other servers.
        assert_eq!(spot.take(&after, &entry(), None).unwrap().unwrap(), zed);
    }

    #[test]
    fn what_the_person_has_changed_since_stays() {
        let before = "{\n  \"a\": 1\n}\n";
        let after = put(&servers(), before);
        let changed = after.replace("\"a\": 1", "\"a\": 2, // two\n  \"b\": []");
        let back = servers().take(&changed, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(back, "{\n  \"a\": 2, // two\n  \"b\": []\n}\n");
        // Another server came into the object that was made for ours, before it or after.
        let other = "\n    \"other\": {}";
        let after_it = after.replace("    }\n  },", &format!("    }},{other}\n  }},"));
        let back = servers().take(&after_it, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(back, format!("{{\n  \"mcpServers\": {{{other}\n  }},\n  \"a\": 1\n}}\n"));
        let before_it =
            after.replace("{\n    \"aura\"", &format!("{{{other}, // mine\n    \"aura\""));
        let back = servers().take(&before_it, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(
            back,
            format!("{{\n  \"mcpServers\": {{{other} // mine\n  }},\n  \"a\": 1\n}}\n")
        );
        // A comment of theirs stays, wherever it is.
        let remark = after.replace("    }\n  },", "    } // mine\n  } /* theirs */,");
        let back = servers().take(&remark, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(back, "{\n  \"mcpServers\": {\n // mine\n  } /* theirs */,\n  \"a\": 1\n}\n");
        let remark = put(&servers(), "{\n  \"mcpServers\": {\n    \"b\": {}\n  }\n}\n");
        let remark = remark.replace("    },", "    } /* mine */,");
        let back = servers().take(&remark, &entry(), None).unwrap().unwrap();
        assert_eq!(back, "{\n  \"mcpServers\": {\n /* mine */\n    \"b\": {}\n  }\n}\n");
        // The client has added to our own entry.
        let added = after.replace("\"command\"", "\"disabled\": false,\n      \"command\"");
        let back = servers().take(&added, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(servers().get(&back).unwrap(), None);
        assert_eq!(servers().whole(&back).unwrap(), json!({ "a": 1, "mcpServers": {} }));
    }

    #[test]
    fn an_entry_that_is_there_is_replaced_and_comes_back() {
        let before = "{\n  \"mcpServers\": {\n    \"a\": {}, \"aura\": { \"url\": \"https://x.example\" },\n    \"b\": {}\n  }\n}";
        let after = put(&servers(), before);
        assert!(!after.contains("x.example") && after.contains("\"b\": {}"), "{after}");
        let toml = "[mcp_servers.aura] # theirs\nargs = []\nextra = 1 # kept\ncommand = 'x'\n";
        let after = put(&codex(), toml);
        assert!(after.contains("extra = 1 # kept") && after.contains("# theirs"), "{after}");
    }

    #[test]
    fn toml_gets_a_table_at_its_end() {
        let before = "# mine\nmodel = \"o\"\n\n[mcp_servers.weather]\ncommand = \"w\" # w\n\n[tui]\nx = [1,2]";
        let after = put(&codex(), before);
        let block = "[mcp_servers.aura]\ncommand = \"/usr/bin/aura\"\nargs = [\"--home\", \"/home/nora/vault\", \
                     \"mcp\", \"--as\", \"zed\"]\n";
        assert_eq!(after, format!("{before}\n\n{block}"));
        let windows = put(&codex(), "a = 1\r\n");
        assert_eq!(windows, format!("a = 1\r\n\r\n{}", block.replace('\n', "\r\n")));
        // Something came after it, and something into it.
        let more = format!("{after}timeout = 5 # s\n# new\n[new]\na = 1\n");
        let back = codex().take(&more, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(back, format!("{before}\n# new\n[new]\na = 1\n"));
        // What was put into our table must not end up in another one.
        let line = format!("{before}\n");
        let more = format!("{}timeout = 5\n", put(&codex(), &line));
        assert_eq!(codex().take(&more, &entry(), Some(&line)).unwrap().unwrap(), line);
        let more = format!("{after}\n[new]\na = 1\n");
        let back = codex().take(&more, &entry(), Some(before)).unwrap().unwrap();
        assert_eq!(back, format!("{before}\n[new]\na = 1\n"));
        // A table of its own below it would be left without it, and is somebody's: not touched.
        let env = "[mcp_servers.aura.env]\nA = \"1\"\n";
        for text in [format!("{after}\n{env}[new]\n"), format!("{after}\n[new]\n{env}")] {
            assert!(codex().take(&text, &entry(), None).is_err());
            assert!(codex().take(&text, &entry(), Some(before)).is_err());
        }
    }

    #[test]
    fn what_is_damaged_or_strange_is_left_alone() {
        let at = |text: &str| match servers().put(text, &entry()) {
            Err(Broken::At { line, column, .. }) => (line, column),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(at("{\n  \"a\": 1,\n  b\n}"), (3, 3));
        assert_eq!(at("{ \"a\": 1 \"b\": 2 }").0, 1);
        assert_eq!(at("{ 'a': 1 }").0, 1);
        assert_eq!(at("{ \"a\": 1 } x").0, 1);
        assert_eq!(at("{\n \"a\":"), (2, 6));
        assert_eq!(at("[]"), (1, 1));
        assert_eq!(at("{\n  \"mcpServers\": null }"), (2, 17));
        assert_eq!(at("{ \"mcpServers\": {},\n\"mcpServers\": {} }"), (2, 1));
        assert_eq!(at("{ \"mcpServers\": { \"aura\": {},\n\"aura\": {} } }"), (2, 1));
        at(&"{\"a\":".repeat(100_000));
        for strange in
            ["a = ", "a = 1\na = 2", "mcp_servers = { x = { command = 'x' } }", "mcp_servers = 1"]
        {
            assert!(codex().put(strange, &entry()).is_err(), "{strange}");
        }
        assert!(codex().put("[mcp_servers.aura]\nurl = 'x'\n", &entry()).is_err());
    }

    /// Objects as people and programs write them: with comments, white space of all kinds and trailing commas.
    fn document() -> impl Strategy<Value = String> {
        let gap = || {
            prop_oneof![
                6 => Just(String::new()), 4 => Just(" ".to_owned()), 4 => Just("\n  ".to_owned()), 1 => Just("\r\n\t".to_owned()),
                1 => Just(" // , \"aura\": {\n ".to_owned()), 1 => Just("/* } */".to_owned()), 1 => Just("\n\n".to_owned()),
            ]
        };
        let scalar = prop_oneof![
            Just("1".to_owned()),
            Just("-2.5e3".to_owned()),
            Just("null".to_owned()),
            Just("true".to_owned()),
            "[a-z{},:/ ]{0,6}".prop_map(|text| Value::from(text).to_string()),
        ];
        let key = prop_oneof![
            Just("mcpServers".to_owned()),
            Just("aura".to_owned()),
            "[a-z]{1,4}",
            "[{},\"\\\\/é]{1,3}",
        ];
        let value = scalar.prop_recursive(4, 24, 4, move |inner| {
            let member = (gap(), key.clone(), gap(), gap(), inner.clone(), gap());
            let object = (prop::collection::vec(member, 0..4), gap(), any::<bool>()).prop_map(
                |(members, gap, comma)| {
                    let mut seen = std::collections::BTreeSet::new();
                    let members: Vec<_> = members
                        .into_iter()
                        .filter(|member| seen.insert(member.1.clone()))
                        .map(|(a, key, b, c, value, d)| {
                            format!("{a}{}{b}:{c}{value}{d}", Value::from(key))
                        })
                        .collect();
                    let comma = if comma && !members.is_empty() { "," } else { "" };
                    format!("{{{}{comma}{gap}}}", members.join(","))
                },
            );
            let array =
                (prop::collection::vec((gap(), inner), 0..3), gap()).prop_map(|(items, gap)| {
                    let items: Vec<_> =
                        items.into_iter().map(|(a, item)| format!("{a}{item}")).collect();
                    format!("[{}{gap}]", items.join(","))
                });
            prop_oneof![3 => object, 1 => array]
        });
        (gap(), value, gap()).prop_map(|(a, value, b)| format!("{a}{value}{b}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// What was put in is taken out again to the same bytes, whatever was there; and taken out without knowing
        /// what was there it leaves what it meant.
        #[test]
        fn an_edit_and_its_undo_give_the_same_bytes(text in document()) {
            let spot = servers();
            let Ok(after) = spot.put(&text, &entry()) else { return Ok(()) };
            prop_assert_eq!(spot.get(&after).unwrap().unwrap(), entry::value(&entry()));
            prop_assert_eq!(spot.take(&after, &entry(), Some(&text)).unwrap().unwrap(), text.clone());
            let there = spot.get(&text).unwrap();
            // Something else was changed meanwhile, at the end.
            let later = format!("{after} // later");
            let back = spot.take(&later, &entry(), Some(&text)).unwrap().unwrap();
            prop_assert_eq!(back, format!("{text} // later"));
            let mut left = spot.whole(&spot.take(&later, &entry(), None).unwrap().unwrap()).unwrap();
            let mut meant = spot.whole(&text).unwrap();
            if there.is_some() {
                unset(&mut meant, &spot.keys);
            }
            prune(&mut left, &spot.keys);
            prune(&mut meant, &spot.keys);
            prop_assert_eq!(left, meant);
        }

        #[test]
        fn no_text_is_too_strange(text in "[{}\\[\\]\",:a/*\\\\\n =#']{0,40}") {
            for spot in [servers(), codex()] {
                drop(spot.get(&text));
                if let Ok(after) = spot.put(&text, &entry()) {
                    prop_assert_eq!(spot.take(&after, &entry(), Some(&text)).unwrap().unwrap(), text.clone());
                }
            }
        }
    }
}
