// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configurations of clients: shown, written, found to start what they say, and given back as they were.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aura_e2e::{Done, Person};
use serde_json::{Value, json};

const CURSOR: &str = "{\n  \"mcpServers\": {\n    \"weather\": {\n      \"command\": \"weather\",\n      \
                      \"env\": { \"TOKEN\": \"quetzalcoatlus\" }\n    }\n  }\n}\n";
const ZED: &str =
    "// Zed settings\n{\n\t\"theme\": \"One Dark\", // dark\n\t\"vim_mode\": true,\n}\n";
const CODEX: &str = "model = \"o\" # mine\n\n[tui]\nnotifications = true\n";
const OPENCODE: &str = "{ \"$schema\": \"https://opencode.ai/config.json\" }";

/// A file of a client in the person's folder.
fn file(nora: &Person, name: &str, text: &str) -> PathBuf {
    let path = nora.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// What an entry of JSON starts.
fn started(entry: &Value) -> Command {
    let words = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let words = match &entry["command"] {
        Value::String(program) => [vec![program.clone()], words(&entry["args"])].concat(),
        list => words(list),
    };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Starts what the entry says and calls a tool: whether that is refused, and the text.
fn calls(mut command: Command, tool: &str, arguments: &Value) -> (bool, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    for message in [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({
            "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments },
        }),
    ] {
        writeln!(input, "{message}").unwrap();
    }
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers = answers.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let answer = answers.find(|answer| answer["id"] == 2).unwrap();
    drop(input);
    child.wait().unwrap();
    let result = &answer["result"];
    (result["isError"] == true, result["content"][0]["text"].as_str().unwrap().to_owned())
}

/// Types a command on a terminal, and answers.
fn on_a_terminal(nora: &Person, args: &[&str], answer: &str) -> Done {
    let typed = nora.command(args);
    let word = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap());
    let line: Vec<_> =
        std::iter::once(typed.get_program()).chain(typed.get_args()).map(word).collect();
    let mut command = Command::new("script");
    command.args(["-qec", &line.join(" "), "/dev/null"]);
    for (name, value) in typed.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(nora.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Kept open: a terminal whose other end is gone answers nothing.
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{answer}").unwrap();
    let done = Done::of(&child.wait_with_output().unwrap());
    drop(input);
    done
}

fn key(nora: &Person, name: &str) -> PathBuf {
    nora.home().join("assistants").join(format!("{name}.key"))
}

/// Everything in a folder but the vault, in one text.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "vault" {
            all.push_str(&everything(&path));
        } else if path.is_file() {
            all.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
        }
    }
    all
}

/// From the first look to the last, with one client: shown, written, working, unchanged, and as it was.
#[test]
fn a_client_is_connected_and_given_back_byte_for_byte() {
    let nora = Person::new();
    let cursor = file(&nora, ".cursor/mcp.json", CURSOR);
    fs::set_permissions(&cursor, fs::Permissions::from_mode(0o640)).unwrap();
    nora.does(["add", "note", "--title", "Keys", "--text", "Two with the notary"]);
    // Without a terminal, and without a word, it is only shown.
    let shown = nora.does(["connect", "cursor"]);
    assert!(shown.out.contains("+    \"aura\": {") && shown.out.contains("--yes"), "{shown:?}");
    assert!(!shown.out.contains("quetzalcoatlus"), "{shown:?}");
    assert_eq!(nora.asks(["connect", "cursor"])["written"], false);
    assert_eq!(fs::read_to_string(&cursor).unwrap(), CURSOR);
    assert!(!key(&nora, "cursor").exists());
    let done = nora.asks(["connect", "cursor", "--yes"]);
    assert_eq!(
        [&done["was"], &done["written"], &done["granted"]],
        [&json!("none"), &json!(true), &json!(false)]
    );
    let backup = nora.path(".cursor/mcp.json.before-aura");
    assert_eq!(done["backup"], backup.to_str().unwrap());
    assert_eq!(fs::read_to_string(&backup).unwrap(), CURSOR);
    for (path, mode) in [(&cursor, 0o640), (&backup, 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
    }
    let text = fs::read_to_string(&cursor).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written["mcpServers"]["weather"]["env"]["TOKEN"], "quetzalcoatlus");
    assert_eq!(written["mcpServers"]["aura"], done["configuration"]["mcpServers"]["aura"]);
    // What is written starts what it should: refused at first, then granted.
    let entry = &written["mcpServers"]["aura"];
    let search = json!({ "query": "notary" });
    let (is_error, text) = calls(started(entry), "aura_search", &search);
    assert!(is_error && text.contains("granted"), "{text}");
    nora.does(["grant", "add", "cursor", "--category", "notes"]);
    let (is_error, text) = calls(started(entry), "aura_search", &search);
    assert!(!is_error && text.contains("Keys"), "{text}");
    let secret = fs::read_to_string(key(&nora, "cursor")).unwrap();
    // Again: a new key, and nothing changes in the file.
    let before = fs::read(&cursor).unwrap();
    let again = nora.asks(["connect", "cursor"]);
    assert_eq!(
        [&again["was"], &again["written"], &again["granted"]],
        [&json!("same"), &json!(false), &json!(true)]
    );
    assert_eq!(fs::read(&cursor).unwrap(), before);
    assert_ne!(fs::read_to_string(key(&nora, "cursor")).unwrap(), secret);
    // Sent away, shown, and taken out.
    let away = nora.does(["connect", "cursor", "--undo"]);
    assert!(
        away.out.contains("-    \"aura\": {") && away.out.contains("opens nothing"),
        "{away:?}"
    );
    assert!(!key(&nora, "cursor").exists());
    assert_eq!(fs::read(&cursor).unwrap(), before);
    let undone = nora.asks(["connect", "cursor", "--undo", "--yes"]);
    assert_eq!(undone["files"][0]["written"], true);
    assert_eq!(fs::read_to_string(&cursor).unwrap(), CURSOR);
    assert_eq!(nora.tries(["connect", "cursor", "--undo"]).code, 4);
}

/// attack AST-11: whoever steals a client's configuration, or what is kept beside it, has no key.
#[test]
fn ast_11_no_configuration_holds_a_key() {
    let nora = Person::new();
    file(&nora, ".cursor/mcp.json", CURSOR);
    file(&nora, ".codex/config.toml", CODEX);
    for name in ["cursor", "codex"] {
        let done = nora.does(["--json", "connect", name, "--yes"]);
        let secret = fs::read_to_string(key(&nora, name)).unwrap();
        assert_eq!(secret.trim().len(), 64);
        let told = everything(&nora.path("")) + &done.out + &done.err;
        assert!(told.contains("mcp_servers") || name == "cursor");
        assert!(!told.contains(secret.trim()), "{name}");
        let again = nora.does(["connect", name, "--print"]);
        let secret = fs::read_to_string(key(&nora, name)).unwrap();
        assert!(!(again.out + &again.err).contains(secret.trim()), "{name}");
    }
}

/// Every client that is here, whatever its format; one that is damaged is left alone and keeps no other one from it.
#[test]
fn all_that_are_here_are_connected() {
    let nora = Person::new();
    let (zed, codex) = (".config/zed/settings.json", ".codex/config.toml");
    // VS Code has its settings elsewhere on macOS; these are everywhere the same.
    let files = [(zed, ZED), (codex, CODEX), (".config/opencode/opencode.json", OPENCODE)];
    for (name, text) in files {
        file(&nora, name, text);
    }
    fs::create_dir(nora.path(".kiro")).unwrap();
    let damaged =
        file(&nora, ".gemini/settings.json", "{\n  \"theme\": \"x\"\n  \"a\": hunter2\n}\n");
    let listed = nora.lists(["connect"]);
    assert!(listed.iter().any(|line| line["client"] == "zed" && line["entry"] == "none"));
    assert!(listed.iter().any(|line| line["client"] == "gemini" && line["entry"] == "unreadable"));
    let done = nora.types(["--json", "connect", "--all", "--yes"]);
    assert_eq!(done.code, 7, "{done:?}");
    assert!(done.err.contains("line 2, column") && !done.err.contains("hunter2"), "{done:?}");
    let lines = done.lines();
    let of = |id: &str| lines.iter().find(|line| line["client"] == id).unwrap();
    for id in ["zed", "codex", "opencode", "kiro"] {
        assert_eq!(of(id)["written"], true, "{id}");
    }
    assert!(lines.iter().all(|line| line["client"] != "gemini"));
    assert!(fs::read_to_string(damaged).unwrap().contains("hunter2"));
    let text = fs::read_to_string(nora.path(zed)).unwrap();
    assert!(
        text.contains("\"theme\": \"One Dark\", // dark") && text.contains("context_servers"),
        "{text}"
    );
    // What stands in the files is what is started.
    nora.does(["grant", "add", "codex", "--category", "notes"]);
    let text = fs::read_to_string(nora.path(codex)).unwrap();
    let table = text.split("[mcp_servers.aura]").nth(1).unwrap();
    let value = |name: &str| -> Value {
        let line = table.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        serde_json::from_str(line.unwrap()).unwrap()
    };
    let entry = json!({ "command": value("command"), "args": value("args") });
    let (is_error, text) = calls(started(&entry), "aura_status", &json!({}));
    assert!(!is_error && text.contains("notes"), "{text}");
    for (name, keys) in [
        (".config/opencode/opencode.json", "/mcp/aura"),
        (".kiro/settings/mcp.json", "/mcpServers/aura"),
    ] {
        let written: Value = serde_json::from_slice(&fs::read(nora.path(name)).unwrap()).unwrap();
        let (is_error, text) =
            calls(started(written.pointer(keys).unwrap()), "aura_status", &json!({}));
        assert!(!is_error, "{name}: {text}");
    }
    // Who is connected is left as it is: its key, too.
    let key_before = fs::read(key(&nora, "zed")).unwrap();
    assert_eq!(nora.types(["connect", "--all", "--yes"]).code, 7);
    assert_eq!(fs::read(key(&nora, "zed")).unwrap(), key_before);
    let listed = nora.lists(["connect"]);
    assert!(listed.iter().any(|line| line["client"] == "zed" && line["assistant"] == "zed"));
    for id in ["zed", "codex", "opencode", "kiro"] {
        nora.types(["connect", id, "--undo", "--yes"]);
    }
    for (name, text) in files {
        assert_eq!(fs::read_to_string(nora.path(name)).unwrap(), text, "{name}");
    }
    assert!(!nora.path(".kiro/settings/mcp.json").exists());
}

#[test]
fn a_person_is_asked_on_a_terminal() {
    let nora = Person::new();
    let cursor = file(&nora, ".cursor/mcp.json", CURSOR);
    let done = on_a_terminal(&nora, &["connect", "cursor"], "n");
    assert!(done.code == 0 && done.out.contains("Write this? [y/N]"), "{done:?}");
    assert_eq!(fs::read_to_string(&cursor).unwrap(), CURSOR);
    assert!(!key(&nora, "cursor").exists());
    let done = on_a_terminal(&nora, &["connect", "cursor"], "y");
    assert!(done.code == 0 && done.out.contains("aura grant add cursor"), "{done:?}");
    assert!(fs::read_to_string(&cursor).unwrap().contains("\"aura\""));
    assert!(key(&nora, "cursor").exists());
    let done = on_a_terminal(&nora, &["connect", "cursor", "--undo"], "y");
    assert_eq!(fs::read_to_string(&cursor).unwrap(), CURSOR, "{done:?}");
}

/// What another vault has put there is not replaced without its person's yes, also where a script says yes to all.
#[test]
fn an_entry_of_another_vault_is_not_silently_replaced() {
    let (nora, other) = (Person::new(), Person::new());
    let file_of = |person: &Person| file(person, ".cursor/mcp.json", CURSOR);
    let (mine, theirs) = (file_of(&nora), file_of(&other));
    other.does(["connect", "cursor", "--yes"]);
    fs::copy(&theirs, &mine).unwrap();
    let before = fs::read(&mine).unwrap();
    for args in [&["connect", "cursor", "--yes"][..], &["connect", "--all", "--yes"]] {
        let done = nora.does(args.iter().copied());
        assert!(
            done.out.contains("not of this vault") && done.out.contains("Nothing was changed"),
            "{done:?}"
        );
        assert_eq!(fs::read(&mine).unwrap(), before);
        assert!(!key(&nora, "cursor").exists());
    }
    // Nor is it taken out for it.
    nora.does(["connect", "cursor", "--print"]);
    nora.does(["connect", "cursor", "--undo", "--yes"]);
    assert_eq!(fs::read(&mine).unwrap(), before);
    let done = on_a_terminal(&nora, &["connect", "cursor"], "y");
    assert!(fs::read_to_string(&mine).unwrap().contains(nora.home().to_str().unwrap()), "{done:?}");
    nora.does(["connect", "cursor", "--undo", "--yes"]);
    assert_eq!(fs::read(&mine).unwrap(), before);
}

/// Names that are no client's, clients that are not here, and those that have no file: a key, and what to put where.
#[test]
fn what_is_not_known_gets_a_key_and_an_entry_to_copy() {
    let nora = Person::new();
    for (name, says) in [
        ("desk", "Put this into its configuration"),
        ("cursor", "Cursor was not found on this machine: there is no ~/.cursor/mcp.json."),
        ("open-webui", "over HTTP"),
    ] {
        let done = nora.does(["connect", name]);
        assert!(done.out.contains(says) && done.out.contains("\"mcpServers\""), "{done:?}");
        assert!(key(&nora, name).exists());
    }
    assert!(!nora.path(".cursor").exists());
    let printed = nora.does(["connect", "zed", "--print"]);
    let entry: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(entry["context_servers"]["aura"]["args"][4], "zed");
    let printed = nora.does(["connect", "codex", "--print"]);
    assert!(printed.out.starts_with("[mcp_servers.aura]\ncommand = "), "{printed:?}");
    // Of the two of a family, the one that is here.
    fs::create_dir(nora.path(".claude")).unwrap();
    let claude = file(&nora, ".claude.json", "{\"numStartups\":3}");
    nora.does(["connect", "claude", "--yes"]);
    assert!(
        fs::read_to_string(&claude)
            .unwrap()
            .starts_with("{\"mcpServers\": {\"aura\": {\"type\": \"stdio\"")
    );
    nora.does(["connect", "claude", "--remove", "--yes"]);
    assert_eq!(fs::read_to_string(&claude).unwrap(), "{\"numStartups\":3}");
    let wrong = nora.tries(["connect", "--all", "claude"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

/// Somebody else's file behind a link, and a link that leads nowhere: nothing is written, and no key is made.
#[test]
fn what_is_not_this_persons_is_left_alone() {
    let nora = Person::new();
    fs::create_dir(nora.path(".cursor")).unwrap();
    let link = nora.path(".cursor/mcp.json");
    for target in [nora.path("nowhere.json"), PathBuf::from("/dev/null")] {
        symlink(&target, &link).unwrap();
        let done = nora.tries(["connect", "cursor", "--yes"]);
        assert!(done.code == 1 && done.err.contains("It was not changed."), "{done:?}");
        assert!(!key(&nora, "cursor").exists() && !nora.path("nowhere.json").exists());
        fs::remove_file(&link).unwrap();
    }
    // A person's own, kept among other settings, is written where it is.
    let dotfiles = file(&nora, "dotfiles/mcp.json", CURSOR);
    symlink(&dotfiles, &link).unwrap();
    nora.does(["connect", "cursor", "--yes"]);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&dotfiles).unwrap().contains("\"aura\""));
    assert!(nora.path("dotfiles/mcp.json.before-aura").exists());
    // Damaged since: the assistant is sent away all the same, and what could not be done is said. What is another
    // client's is not spoken of.
    file(&nora, ".gemini/settings.json", "{ hunter2");
    fs::write(&dotfiles, format!("{} }}", fs::read_to_string(&dotfiles).unwrap())).unwrap();
    let before = fs::read(&dotfiles).unwrap();
    let done = nora.types(["connect", "cursor", "--undo", "--yes"]);
    assert!(
        done.code == 7 && done.err.contains("Cursor") && !done.err.contains("Gemini"),
        "{done:?}"
    );
    assert_eq!(fs::read(&dotfiles).unwrap(), before);
    assert!(!key(&nora, "cursor").exists());
}
