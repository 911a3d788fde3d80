// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clients that are known: where each keeps the servers that it starts, under which key, in which shape.
//!
//! One row each. A place counts if its folder is there; the first that counts is taken. Clients whose files could not
//! be confirmed from their documentation are not here, nor those that keep their servers in YAML or in no file.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use super::entry::Shape;

/// What a path begins with.
#[derive(Debug, Clone, Copy)]
enum Root {
    /// The person's folder.
    Home,
    /// `~/.config`, or where `XDG_CONFIG_HOME` says.
    Xdg,
    /// Where desktop programs keep their own: the same on Linux, `~/Library/Application Support` on macOS.
    Apps,
    /// Where a variable says, if it says so.
    Set(&'static str),
}

/// A file, and what is there if the client is: the folder or file that its program makes.
type Place = (Root, &'static str, &'static str);

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, with comments and trailing commas where the client takes them.
    Json,
    Toml,
}

/// A client that is known.
#[derive(Debug)]
pub(crate) struct Known {
    /// What is typed for it.
    pub(crate) id: &'static str,
    /// What it is called.
    pub(crate) title: &'static str,
    places: &'static [Place],
    pub(crate) format: Format,
    /// Under which keys its servers are, outermost first.
    pub(crate) keys: &'static [&'static str],
    /// Under which keys they are instead where a newer version of the client has written its file.
    pub(crate) newer: Option<&'static [&'static str]>,
    pub(crate) shape: Shape,
}

/// Zed follows `XDG_CONFIG_HOME` on Linux alone.
const ZED: Place = if cfg!(target_os = "macos") {
    (Root::Home, ".config/zed", ".config/zed/settings.json")
} else {
    (Root::Xdg, "zed", "zed/settings.json")
};

const SERVERS: &[&str] = &["mcpServers"];

const fn json(
    id: &'static str,
    title: &'static str,
    places: &'static [Place],
    shape: Shape,
) -> Known {
    Known { id, title, places, format: Format::Json, keys: SERVERS, newer: None, shape }
}

const fn under(keys: &'static [&'static str], known: &Known) -> Known {
    Known { keys, ..*known }
}

/// The table.
#[rustfmt::skip]
pub(crate) const CLIENTS: &[Known] = &[
    json("claude-desktop", "Claude Desktop", &[(Root::Apps, "Claude", "Claude/claude_desktop_config.json")], Shape::Plain),
    json("claude-code", "Claude Code", &[(Root::Set("CLAUDE_CONFIG_DIR"), "", ".claude.json"), (Root::Home, ".claude", ".claude.json")], Shape::Typed),
    json("cursor", "Cursor", &[(Root::Home, ".cursor", ".cursor/mcp.json")], Shape::Plain),
    under(&["servers"], &json("vscode", "VS Code", &[(Root::Apps, "Code/User", "Code/User/mcp.json")], Shape::Typed)),
    under(&["servers"], &json("vscode-insiders", "VS Code Insiders", &[(Root::Apps, "Code - Insiders/User", "Code - Insiders/User/mcp.json")], Shape::Typed)),
    under(&["context_servers"], &json("zed", "Zed", &[ZED], Shape::Custom)),
    json("windsurf", "Windsurf", &[(Root::Home, ".codeium/windsurf", ".codeium/windsurf/mcp_config.json")], Shape::Plain),
    json("gemini", "Gemini CLI", &[(Root::Home, ".gemini", ".gemini/settings.json")], Shape::Plain),
    Known { format: Format::Toml, ..under(&["mcp_servers"], &json("codex", "Codex", &[(Root::Set("CODEX_HOME"), "", "config.toml"), (Root::Home, ".codex", ".codex/config.toml")], Shape::Plain)) },
    json("lm-studio", "LM Studio", &[(Root::Home, ".lmstudio", ".lmstudio/mcp.json"), (Root::Home, ".cache/lm-studio", ".cache/lm-studio/mcp.json")], Shape::Plain),
    json("cline", "Cline", &[(Root::Apps, "Code/User/globalStorage/saoudrizwan.claude-dev", "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json")], Shape::Plain),
    json("cline-cli", "Cline CLI", &[(Root::Set("CLINE_DIR"), "", "data/settings/cline_mcp_settings.json"), (Root::Home, ".cline", ".cline/data/settings/cline_mcp_settings.json")], Shape::Plain),
    json("roo-code", "Roo Code", &[(Root::Apps, "Code/User/globalStorage/rooveterinaryinc.roo-cline", "Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json")], Shape::Plain),
    json("kiro", "Kiro", &[(Root::Home, ".kiro", ".kiro/settings/mcp.json")], Shape::Plain),
    json("amazon-q", "Amazon Q Developer", &[(Root::Home, ".aws/amazonq", ".aws/amazonq/mcp.json")], Shape::Plain),
    Known { newer: Some(&["mcp", "servers"]), ..under(&["mcp"], &json("opencode", "opencode", &[(Root::Xdg, "opencode/opencode.jsonc", "opencode/opencode.jsonc"), (Root::Xdg, "opencode", "opencode/opencode.json")], Shape::List)) },
    under(&["mcp"], &json("kilo", "Kilo Code", &[(Root::Xdg, "kilo/kilo.jsonc", "kilo/kilo.jsonc"), (Root::Xdg, "kilo", "kilo/kilo.json")], Shape::List)),
    json("copilot-cli", "Copilot CLI", &[(Root::Set("COPILOT_HOME"), "", "mcp-config.json"), (Root::Home, ".copilot", ".copilot/mcp-config.json")], Shape::Tools),
    json("qwen", "Qwen Code", &[(Root::Home, ".qwen", ".qwen/settings.json")], Shape::Plain),
    json("junie", "JetBrains Junie", &[(Root::Home, ".junie", ".junie/mcp/mcp.json")], Shape::Plain),
    json("warp", "Warp", &[(Root::Home, ".warp", ".warp/.mcp.json")], Shape::Plain),
    under(&["amp.mcpServers"], &json("amp", "Amp", &[(Root::Home, ".config/amp/settings.jsonc", ".config/amp/settings.jsonc"), (Root::Home, ".config/amp", ".config/amp/settings.json")], Shape::Plain)),
    json("droid", "Factory Droid", &[(Root::Home, ".factory", ".factory/mcp.json")], Shape::Typed),
    json("rovo-dev", "Rovo Dev CLI", &[(Root::Home, ".rovodev", ".rovodev/mcp.json")], Shape::Transport),
    json("antigravity", "Antigravity", &[(Root::Home, ".gemini/config", ".gemini/config/mcp_config.json"), (Root::Home, ".gemini/antigravity", ".gemini/antigravity/mcp_config.json")], Shape::Plain),
    json("abacus", "Abacus AI", &[(Root::Home, ".abacusai", ".abacusai/mcp.json")], Shape::Plain),
];

/// Names that stand for one of several clients.
const FAMILIES: &[(&str, &[&str])] = &[("claude", &["claude-desktop", "claude-code"])];

/// Clients that are known and cannot be written to, and why.
const BY_HAND: &[(&str, &str)] = &[
    (
        "open-webui",
        "Open WebUI keeps no file of servers, and speaks with them over HTTP; `aura mcp` speaks on standard streams. \
         It takes a bridge between the two.",
    ),
    (
        "goose",
        "Goose keeps its servers in ~/.config/goose/config.yaml, which is not changed by Aura.",
    ),
    (
        "continue",
        "Continue keeps its servers in ~/.continue/config.yaml, which is not changed by Aura.",
    ),
    (
        "jetbrains",
        "JetBrains AI Assistant takes it in Settings, Tools, AI Assistant, Model Context Protocol.",
    ),
];

/// What the paths begin with, on this machine and for this person.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    home: PathBuf,
    xdg: PathBuf,
    apps: PathBuf,
    set: BTreeMap<&'static str, PathBuf>,
}

impl Folders {
    /// As the clients themselves find them. `None` where there is no home folder.
    pub(crate) fn here() -> Option<Self> {
        let folder =
            |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let mut folders = Self::of(folder("HOME")?);
        if let Some(xdg) = folder("XDG_CONFIG_HOME") {
            if !cfg!(target_os = "macos") {
                folders.apps.clone_from(&xdg);
            }
            folders.xdg = xdg;
        }
        let roots = CLIENTS.iter().flat_map(|known| known.places).map(|place| place.0);
        let names =
            roots.filter_map(|root| if let Root::Set(name) = root { Some(name) } else { None });
        folders.set = names.filter_map(|name| Some((name, folder(name)?))).collect();
        Some(folders)
    }

    /// Of a person whose folder this is, without a variable.
    pub(crate) fn of(home: PathBuf) -> Self {
        let xdg = home.join(".config");
        let is_mac = cfg!(target_os = "macos");
        let apps = if is_mac { home.join("Library/Application Support") } else { xdg.clone() };
        Self { home, xdg, apps, set: BTreeMap::new() }
    }

    fn root(&self, root: Root) -> Option<&Path> {
        match root {
            Root::Home => Some(&self.home),
            Root::Xdg => Some(&self.xdg),
            Root::Apps => Some(&self.apps),
            Root::Set(name) => self.set.get(name).map(PathBuf::as_path),
        }
    }

    /// A path as a person writes it.
    pub(crate) fn short(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

impl Known {
    /// Where this client keeps its servers, if it is here.
    pub(crate) fn file(&self, folders: &Folders) -> Option<PathBuf> {
        self.places.iter().find_map(|(root, sign, file)| {
            let root = folders.root(*root)?;
            let is_here = root.join(sign).exists() || root.join(file).exists();
            is_here.then(|| root.join(file))
        })
    }

    /// Where it would be, for who looks for it.
    pub(crate) fn usual(&self, folders: &Folders) -> Option<PathBuf> {
        let is_usual = |(root, sign, file): &&Place| !matches!(root, Root::Set(_)) && sign != file;
        let (root, _, file) = self.places.iter().find(is_usual)?;
        Some(folders.root(*root)?.join(file))
    }
}

/// What a name means.
#[derive(Debug)]
pub(crate) enum Meant {
    /// One client, and its file if it is here.
    One(&'static Known, Option<PathBuf>),
    /// One of these, which are all here; of none, if none is.
    OneOf(Vec<(&'static Known, PathBuf)>),
    /// A client that is known, and why it is not written to.
    ByHand(&'static str),
    /// None that is known.
    Unknown,
}

/// What a name means here.
pub(crate) fn meant(name: &str, folders: &Folders) -> Meant {
    if let Some(known) = CLIENTS.iter().find(|known| known.id == name) {
        return Meant::One(known, known.file(folders));
    }
    if let Some((_, why)) = BY_HAND.iter().find(|(id, _)| *id == name) {
        return Meant::ByHand(why);
    }
    let Some((_, family)) = FAMILIES.iter().find(|(id, _)| *id == name) else {
        return Meant::Unknown;
    };
    let members = || CLIENTS.iter().filter(|known| family.contains(&known.id));
    let mut here: Vec<_> =
        members().filter_map(|known| Some((known, known.file(folders)?))).collect();
    match here.len() {
        1 => here.pop().map_or(Meant::Unknown, |(known, file)| Meant::One(known, Some(file))),
        _ => Meant::OneOf(here),
    }
}

/// The clients that are here, and their files.
pub(crate) fn here(folders: &Folders) -> Vec<(&'static Known, PathBuf)> {
    CLIENTS.iter().filter_map(|known| Some((known, known.file(folders)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

    use std::collections::BTreeSet;
    use std::fs;

    use aura_vault::grant::Assistant;

    use super::*;

    #[test]
    fn every_client_has_a_name_of_its_own_that_an_assistant_may_have() {
        let by_hand = BY_HAND.iter().map(|(id, _)| *id);
        let families = FAMILIES.iter().map(|(id, _)| *id);
        let ids: Vec<_> =
            CLIENTS.iter().map(|known| known.id).chain(by_hand).chain(families).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| Assistant::new(id).is_some()));
        let of_families = FAMILIES.iter().flat_map(|(_, of)| *of);
        assert!(of_families.into_iter().all(|id| CLIENTS.iter().any(|known| known.id == *id)));
    }

    /// The table in the documentation has every client by its name.
    #[test]
    fn every_client_is_documented() {
        let page = include_str!("../../../../docs/how-to/assistant.md");
        for known in CLIENTS {
            let row = format!("| {} | `{}` |", known.title, known.id);
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn no_two_clients_share_a_file_and_key() {
        let folders = Folders::of(PathBuf::from("/home/nora"));
        let files: BTreeSet<_> =
            CLIENTS.iter().map(|known| (known.usual(&folders).unwrap(), known.keys)).collect();
        assert_eq!(files.len(), CLIENTS.len());
    }

    #[test]
    fn a_client_is_found_by_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::of(home.path().to_owned());
        assert!(here(&folders).is_empty());
        for known in CLIENTS {
            let file = known.usual(&folders).unwrap();
            assert!(file.starts_with(home.path()), "{}", known.id);
            assert!(
                matches!(meant(known.id, &folders), Meant::One(same, None) if same.id == known.id)
            );
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            let Meant::One(_, Some(found)) = meant(known.id, &folders) else {
                panic!("{}", known.id)
            };
            assert_eq!(found, file);
        }
        assert_eq!(here(&folders).len(), CLIENTS.len());
    }

    #[test]
    fn claude_is_the_one_that_is_here() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::of(home.path().to_owned());
        assert!(matches!(meant("claude", &folders), Meant::OneOf(none) if none.is_empty()));
        fs::create_dir_all(home.path().join(".claude")).unwrap();
        let Meant::One(known, Some(file)) = meant("claude", &folders) else { panic!() };
        assert_eq!((known.id, file), ("claude-code", home.path().join(".claude.json")));
        fs::create_dir_all(folders.apps.join("Claude")).unwrap();
        let Meant::OneOf(both) = meant("claude", &folders) else { panic!() };
        assert_eq!(both.len(), 2);
        assert!(matches!(meant("open-webui", &folders), Meant::ByHand(_)));
        assert!(matches!(meant("claudette", &folders), Meant::Unknown));
    }

    #[test]
    fn variables_come_before_the_home_folder_where_the_client_has_it_so() {
        let home = tempfile::tempdir().unwrap();
        let mut folders = Folders::of(home.path().to_owned());
        let codex = CLIENTS.iter().find(|known| known.id == "codex").unwrap();
        let elsewhere = home.path().join("elsewhere");
        folders.set.insert("CODEX_HOME", elsewhere.clone());
        assert_eq!(codex.file(&folders), None);
        fs::create_dir(home.path().join(".codex")).unwrap();
        assert_eq!(codex.file(&folders).unwrap(), home.path().join(".codex/config.toml"));
        fs::create_dir(&elsewhere).unwrap();
        assert_eq!(codex.file(&folders).unwrap(), elsewhere.join("config.toml"));
        assert_eq!(folders.short(&elsewhere), "~/elsewhere");
    }
}
