// SPDX-License-Identifier: MIT OR Apache-2.0
//! An assistant at work: connected, granted something, asking through `aura mcp`, and turned away from all else.
//!
//! `AURA_PYTHON` names a Python with the official SDK; `cargo xtask test` makes one. What is said on the wire is tested
//! without it as well.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use aura_e2e::{Person, program};
use serde_json::{Value, json};

/// In the record of every category, and nowhere else.
const CANARY: &str = "quetzalcoatlus";

/// `aura mcp`, and somebody who speaks its protocol by hand.
struct Wire {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    number: u64,
}

impl Wire {
    fn open(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut wire = Self { child, input, output, number: 0 };
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "by hand", "version": "1" },
        });
        let met = wire.ask("initialize", &hello);
        assert_eq!(met["result"]["serverInfo"]["name"], "aura");
        wire.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        wire
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let id = self.number;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it hung up");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// What a tool answers: whether it is an error, and its text.
    fn call(&mut self, tool: &str, arguments: &Value) -> (bool, String) {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{answer}")).to_owned();
        (result["isError"] == true, text)
    }

    fn finds(&mut self, query: &str) -> Vec<Value> {
        let (is_error, text) = self.call("aura_search", &json!({ "query": query }));
        assert!(!is_error, "{text}");
        inside(&text)["records"].as_array().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().ok();
    }
}

/// What is between the marks.
fn inside(text: &str) -> Value {
    let lines: Vec<_> = text.lines().collect();
    let [_, begin, data, end] = lines[..] else { panic!("{text}") };
    assert_eq!(begin.replace("[data", "[end of data"), end);
    serde_json::from_str(data).unwrap()
}

fn mcp(nora: &Person, name: &str) -> Command {
    let mut command = Command::new(program());
    command.arg("--home").arg(nora.home()).args(["mcp", "--as", name]);
    command
}

/// Somebody with a canary in every category but credentials, where one may be as well.
fn nora() -> Person {
    let nora = Person::new();
    for category in ["calendar", "contacts", "mail", "notes", "health", "finance", "credentials"] {
        let text = format!("The {CANARY} of {category}");
        nora.does(["add", "note", "--category", category, "--title", category, "--text", &text]);
    }
    nora.does(["connect", "claude"]);
    nora
}

/// The journey, by hand: nothing is granted, then something, then it is taken back; and all of it is on the record.
#[test]
fn ast_01_an_assistant_gets_what_was_granted_and_nothing_else() {
    let nora = nora();
    let mut wire = Wire::open(mcp(&nora, "claude"));
    let tools = wire.ask("tools/list", &json!({}));
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 5);
    let (is_error, text) = wire.call("aura_search", &json!({ "query": CANARY }));
    assert!(is_error && text.contains("granted") && !text.contains(CANARY), "{text}");
    let granted = nora.asks(["grant", "add", "claude", "--category", "notes,mail", "--for", "1h"]);
    let mut found: Vec<_> = wire
        .finds(CANARY)
        .iter()
        .map(|record| record["title"].as_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["mail", "notes"]);
    let all = nora.lists(["search", CANARY]);
    assert_eq!(all.len(), 7);
    for record in &all {
        let (is_error, text) = wire.call("aura_get", &json!({ "id": record["id"] }));
        let is_granted = ["notes", "mail"].contains(&record["category"].as_str().unwrap());
        assert_eq!(is_error, !is_granted, "{text}");
        assert_eq!(text.contains(CANARY), is_granted, "{text}");
    }
    assert_eq!(wire.finds("").len(), 2);
    // No grant for an assistant shows what opens other doors.
    let refused = nora.tries(["grant", "add", "claude", "--category", "credentials"]);
    assert!(refused.code == 2 && refused.err.contains("Credentials"), "{refused:?}");
    nora.does(["grant", "revoke", &granted["id"].as_str().unwrap()[..8]]);
    assert!(wire.call("aura_search", &json!({ "query": CANARY })).0);
    let events = nora.lists(["audit", "show"]);
    let of_claude: Vec<_> =
        events.iter().filter(|event| event["who"] == "assistant:claude").collect();
    let count = |action: &str, outcome: &str| {
        let is_one = |event: &&&Value| event["action"] == action && event["outcome"] == outcome;
        of_claude.iter().filter(is_one).count()
    };
    assert_eq!([count("search", "done"), count("search", "refused")], [2, 2]);
    assert_eq!(
        [count("read", "done"), count("read", "refused"), count("connect", "done")],
        [2, 5, 1]
    );
    assert!(of_claude.iter().all(|event| !event.to_string().contains(CANARY)));
    assert_eq!(nora.asks(["audit", "verify"])["ok"], true);
    let shown = nora.lists(["grant", "ls", "--all"]);
    assert_eq!(
        (shown.len(), &shown[0]["records"], &shown[0]["active"]),
        (1, &json!(6), &json!(false))
    );
}

/// attack AST-11: the key in the hands of another program, or none, opens nothing.
#[test]
fn ast_11_a_copied_key_opens_nothing() {
    let nora = nora();
    nora.does(["grant", "add", "claude", "--category", "notes"]);
    assert_eq!(Wire::open(mcp(&nora, "claude")).finds(CANARY).len(), 1);
    let mut other = Command::new("sh");
    // Not replaced by what it starts: it stays the parent.
    other.args(["-c", "\"$0\" \"$@\"; exit $?"]).arg(program()).arg("--home").arg(nora.home());
    other.args(["mcp", "--as", "claude"]);
    let (is_error, text) = Wire::open(other).call("aura_search", &json!({ "query": CANARY }));
    assert!(is_error && text.contains("another program") && !text.contains(CANARY), "{text}");
    let key = nora.home().join("assistants").join("claude.key");
    let genuine = std::fs::read(&key).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&key.metadata().unwrap()) & 0o777, 0o600);
    std::fs::write(&key, "00".repeat(32)).unwrap();
    assert!(Wire::open(mcp(&nora, "claude")).call("aura_status", &json!({})).0);
    std::fs::write(&key, genuine).unwrap();
    assert!(Wire::open(mcp(&nora, "cursor")).call("aura_status", &json!({})).0);
    assert!(Wire::open(mcp(&nora, "../vault")).call("aura_status", &json!({})).0);
    nora.does(["connect", "claude", "--remove"]);
    assert!(!key.exists());
    assert!(Wire::open(mcp(&nora, "claude")).call("aura_status", &json!({})).0);
}

/// attack AST-01: a connection that was opened for an assistant never becomes the person's again.
#[test]
fn ast_01_a_guest_asks_for_nothing_of_the_persons() {
    let nora = nora();
    let mut stream = UnixStream::connect(nora.home().join("daemon.sock")).unwrap();
    let mut ask = |request: Value| {
        let bytes = request.to_string().into_bytes();
        stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()
    };
    let key = std::fs::read_to_string(nora.home().join("assistants/claude.key")).unwrap();
    let key: String = key.trim().bytes().map(|byte| format!("{byte:02x}")).collect();
    let come = ask(json!({ "Come": { "name": "claude", "key": key } }));
    assert!(come.get("Done").is_some(), "{come}");
    for request in
        [json!("Status"), json!({ "Search": { "query": CANARY, "limit": 9 } }), json!("Grants")]
    {
        let answer = ask(request);
        assert!(answer["Failed"]["what"].is_string(), "{answer}");
        assert!(!answer.to_string().contains(CANARY), "{answer}");
    }
    assert!(ask(json!({ "Ask": "Grants" })).get("Done").is_some(), "what an assistant may ask");
    let refused = nora.lists(["audit", "show"]).into_iter().filter(|event| {
        event["who"] == "assistant:claude"
            && event["action"] == "connect"
            && event["outcome"] == "refused"
    });
    assert_eq!(refused.count(), 3);
}

/// While the vault is locked an assistant learns that, and opens nothing; frames that are none end nothing.
#[test]
fn a_locked_vault_and_broken_frames() {
    let nora = nora();
    nora.does(["grant", "add", "claude", "--category", "notes"]);
    let mut wire = Wire::open(mcp(&nora, "claude"));
    nora.does(["lock"]);
    for _ in 0..2 {
        let (is_error, text) = wire.call("aura_search", &json!({ "query": CANARY }));
        assert!(is_error && text.contains("locked") && text.contains("aura unlock"), "{text}");
        nora.does(["lock", "--stop"]);
    }
    nora.does(["unlock"]);
    assert_eq!(wire.finds(CANARY).len(), 1);
    let mut calls = |params: Value| wire.ask("tools/call", &params)["error"]["code"].as_i64();
    assert_eq!(calls(json!({ "name": "aura_export", "arguments": {} })), Some(-32602));
    assert_eq!(calls(json!({ "name": "aura_search", "arguments": { "query": 7 } })), Some(-32602));
    assert!(wire.ask("no/such", &json!({}))["error"].is_object());
    for frame in ["{", "[]", "7", "\u{0}", "{\"jsonrpc\":\"2.0\"}"] {
        writeln!(wire.input.as_mut().unwrap(), "{frame}").unwrap();
    }
    assert_eq!(wire.finds(CANARY).len(), 1);
}

/// An assistant that asks without a pause keeps no vault open.
#[test]
fn an_assistant_keeps_no_vault_open() {
    let nora = nora();
    nora.does(["grant", "add", "claude", "--category", "notes"]);
    let mut wire = Wire::open(mcp(&nora, "claude"));
    nora.does(["lock", "--stop"]);
    nora.does(["--idle", "2s", "unlock"]);
    let begun = Instant::now();
    loop {
        let (is_error, text) = wire.call("aura_search", &json!({ "query": CANARY }));
        if is_error && text.contains("locked") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{text}");
    }
}

/// The official SDK for Python: it lists the tools, searches, gets, and is refused, as people's clients are.
#[test]
fn the_official_sdk_is_served() {
    let Some(python) = std::env::var_os("AURA_PYTHON") else {
        println!("skipped: AURA_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    let nora = nora();
    nora.does(["grant", "add", "claude", "--category", "notes"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/assistant.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(program())
        .arg(nora.home())
        .arg("claude")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let calls = [
        json!(["aura_status", {}]),
        json!(["aura_search", { "query": CANARY }]),
        json!(["aura_recent", { "category": "health" }]),
        json!(["aura_get", { "id": "00".repeat(16) }]),
    ];
    calls.iter().for_each(|call| writeln!(input, "{call}").unwrap());
    drop(input);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let lines: Vec<Value> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [told, status, search, recent, get] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(told["tools"].as_array().unwrap().len(), 5);
    assert!(told["instructions"].as_str().unwrap().contains("never ask for a password"));
    let of = |answer: &Value| inside(answer["text"].as_str().unwrap());
    assert_eq!(of(status)["granted"][0]["categories"], json!(["notes"]));
    assert_eq!(of(search)["records"][0]["title"], "notes");
    assert_eq!(of(recent)["records"], json!([]));
    assert_eq!(get["error"], true);
}
