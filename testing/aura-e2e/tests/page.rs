// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page by hand: who is let in, who is not, and that nothing is shown or changed for anybody else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use aura_e2e::page::Visitor;
use aura_e2e::{Person, program};
use rustix::process::test_kill_process;

/// In a note, and nowhere else.
const CANARY: &str = "quetzalcoatlus";

fn nora() -> (Person, String) {
    let nora = Person::new();
    let id = nora.adds("Keys", &format!("The {CANARY} has them")).unwrap();
    (nora, id)
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// attack AST-12: a name that was made to point to this machine is not ours, whoever asks under it.
#[test]
fn ast_12_only_our_own_name_is_answered() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    assert!(visitor.gets(&format!("/record/{id}")).body.contains(CANARY));
    let cookie = format!("Cookie: {}\r\n", visitor.cookie);
    let (ip, port) = (visitor.address.ip(), visitor.address.port());
    let names = [
        format!("Host: attacker.example:{port}\r\n"),
        format!("Host: {ip}\r\n"),
        format!("Host: localhost:{port}\r\n"),
        format!("Host: {ip}:{port}.attacker.example\r\n"),
        format!("Host: {ip}:{port}\r\nHost: attacker.example\r\n"),
    ];
    for name in &names {
        for path in ["/".to_owned(), format!("/record/{id}"), "/assets/page.css".to_owned()] {
            let answer = visitor.says(&format!("GET {path}"), &format!("{name}{cookie}"), "");
            assert!(matches!(answer.status, 400 | 421), "{name}: {answer:?}");
            assert!(!answer.body.contains(CANARY));
        }
    }
    let absolute = format!("GET http://attacker.example/record/{id}");
    assert_eq!(visitor.says(&absolute, &cookie, "").status, 421);
    // The token of a launch file under another name: it is not even used up.
    let other = Visitor::outside(&nora);
    let head = format!("{}Origin: null\r\n", names[0]);
    assert_eq!(other.says("POST /enter", &head, &format!("token={}", other.token())).status, 421);
    assert_eq!(other.enters(&other.token()).status, 200);
}

/// attack AST-12: who was not let in sees no page, and a token lets in once.
#[test]
fn ast_12_a_token_lets_in_once_and_nobody_else_is() {
    let (nora, id) = nora();
    let visitor = Visitor::outside(&nora);
    for path in ["/", "/vault", "/vault/hits?q=keys", "/audit", "/safety", "/vault/trash"] {
        let answer = visitor.gets(path);
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    assert_eq!(visitor.gets(&format!("/record/{id}")).status, 401);
    let invented = format!("Cookie: aura-{}={}\r\n", visitor.address.port(), "0".repeat(64));
    assert_eq!(visitor.says("GET /", &invented, "").status, 401);
    for wrong in ["", &"0".repeat(64)] {
        assert_eq!(visitor.enters(wrong).status, 401);
    }
    // A page that has come by the token is not a file.
    let token = visitor.token();
    let foreign = "Origin: http://attacker.example\r\n";
    assert_eq!(visitor.says("POST /enter", foreign, &format!("token={token}")).status, 403);
    assert_eq!(visitor.says(&format!("GET /enter?token={token}"), "", "").status, 405);
    let answer = visitor.enters(&token);
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(visitor.enters(&token).status, 401, "once");
    assert_eq!(visitor.enters(&"0".repeat(2000)).status, 413, "nobody was let in: little is read");
    assert!(!visitor.file.exists(), "and its file is gone");
    let left =
        fs::read_dir(nora.home().join("page")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("enter")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// attack AST-12: another page changes nothing, whatever it sends, and a link from one shows nothing.
#[test]
fn ast_12_another_page_changes_nothing() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    let path = format!("/record/{id}/delete");
    let (cookie, ours) = (
        format!("Cookie: {}\r\n", visitor.cookie),
        format!("Origin: http://{}\r\n", visitor.host()),
    );
    let form = format!("form={}", visitor.form);
    let other = Visitor::inside(&nora);
    let refused = [
        (format!("{cookie}Origin: http://attacker.example\r\n"), form.clone(), 403),
        (format!("{cookie}Origin: null\r\n"), form.clone(), 403),
        (format!("{cookie}Origin: http://127.0.0.1:1\r\n"), form.clone(), 403),
        (cookie.clone(), form.clone(), 403),
        (format!("{cookie}{ours}Sec-Fetch-Site: cross-site\r\n"), form.clone(), 403),
        (format!("{cookie}{ours}Sec-Fetch-Site: same-site\r\n"), form.clone(), 403),
        (format!("{cookie}{ours}Sec-Fetch-Site: none\r\n"), form.clone(), 403),
        (format!("{cookie}{ours}"), "form=".to_owned(), 403),
        (format!("{cookie}{ours}"), "x=1".to_owned(), 403),
        (format!("{cookie}{ours}"), format!("form={}", other.form), 403),
        (format!("{cookie}{ours}Content-Type: text/plain\r\n"), form.clone(), 415),
        (ours.clone(), form.clone(), 401),
    ];
    for (head, form, status) in refused {
        let answer = visitor.says(&format!("POST {path}"), &head, &form);
        assert_eq!(answer.status, status, "{head} {form}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    // GET changes nothing, and what another site links to is not shown.
    assert_eq!(visitor.gets(&path).status, 405);
    for site in ["cross-site", "same-site"] {
        let head = format!("{cookie}Sec-Fetch-Site: {site}\r\n");
        let answer = visitor.says(&format!("GET /record/{id}"), &head, "");
        assert!(answer.status == 403 && !answer.body.contains(CANARY), "{site}: {answer:?}");
    }
    let preflight = format!(
        "{cookie}Origin: http://attacker.example\r\nAccess-Control-Request-Method: POST\r\n"
    );
    let answer = visitor.says(&format!("OPTIONS {path}"), &preflight, "");
    assert!(answer.status >= 400 && !answer.head.contains("access-control"), "{answer:?}");
    assert_eq!(nora.asks(["get", &id])["deleted"], false);
    // As our own page does it.
    let answer = visitor.posts(&path, "");
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(nora.lists(["trash"]).len(), 1);
    assert!(visitor.gets(&format!("/record/{id}")).body.contains("in the trash"));
    assert_eq!(visitor.posts(&format!("/record/{id}/undo"), "restore=yes").status, 303);
    assert_eq!(nora.asks(["get", &id])["deleted"], false);
}

/// attack AST-12: other users of this machine are not listened to, not even with the cookie.
#[test]
fn ast_12_another_user_is_not_answered() {
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: only root can ask as another user");
        return;
    }
    let (nora, _) = nora();
    let visitor = Visitor::inside(&nora);
    let ask = |uid: u32| {
        let script = format!(
            "import socket\ns = socket.create_connection(('{}', {}))\n\
             s.settimeout(20)\ns.sendall(b'GET / HTTP/1.1\\r\\nHost: {}\\r\\nCookie: {}\\r\\nConnection: close\\r\\n\\r\\n')\n\
             try: print(s.recv(12).decode())\nexcept ConnectionError: pass\n",
            visitor.address.ip(),
            visitor.address.port(),
            visitor.host(),
            visitor.cookie
        );
        let mut python = Command::new("/usr/bin/python3");
        let done =
            python.args(["-c", &script]).current_dir("/").uid(uid).gid(uid).output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(ask(0), "HTTP/1.1 200");
    assert_eq!(ask(65_534), "");
}

/// attacks AST-12, IMP-05: every answer forbids the browser whatever the page does not need.
#[test]
fn imp_05_every_answer_is_strict() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    let answers = [
        visitor.gets("/"),
        visitor.gets(&format!("/record/{id}")),
        visitor.gets("/nothing"),
        visitor.gets("/assets/page.js"),
        visitor.says("GET /", "", ""),
        visitor.says("GET /", "Host: x\r\n", ""),
        visitor.posts("/vault", ""),
        visitor.enters("wrong"),
    ];
    for answer in answers {
        let policy =
            answer.header("content-security-policy").unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        );
        let expected = [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        assert!(answer.header("permissions-policy").unwrap().contains("camera=()"));
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
        assert!(!answer.body.contains("<style") && !answer.body.contains(" style="));
        assert!(!answer.body.contains("<script>") && !answer.body.contains(" onclick="));
    }
}

/// attack IMP-05: what a text says is text, whatever it looks like; a file is a download.
#[test]
fn imp_05_texts_are_texts_and_files_are_downloads() {
    let nora = Person::new();
    let evil = "<script>alert(1)</script><img src=\"http://attacker.example/x\">";
    let file = nora.path("<b>page.html");
    fs::write(&file, evil).unwrap();
    let args = ["add", "note", "--title", evil, "--text", evil, "--file", file.to_str().unwrap()];
    let note = nora.asks(args);
    let id = note["id"].as_str().unwrap();
    let mail =
        nora.asks(["add", "email", "--title", evil, "--text", evil, &format!("htmlBody={evil}")]);
    let visitor = Visitor::inside(&nora);
    let mail = mail["id"].as_str().unwrap();
    for path in [
        format!("/record/{id}"),
        format!("/record/{id}/edit"),
        format!("/record/{id}/history"),
        format!("/record/{mail}"),
        "/vault".to_owned(),
        "/vault?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/vault/hits?q=script".to_owned(),
    ] {
        let answer = visitor.gets(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("<script>") && !answer.body.contains("<img"), "{path}");
    }
    assert!(visitor.gets(&format!("/record/{id}")).body.contains("&#60;script&#62;alert(1)"));
    let blob = note["attachments"][0]["id"].as_str().unwrap();
    let answer = visitor.gets(&format!("/record/{id}/file/{blob}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, evil));
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    let disposition = answer.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename*=UTF-8''%3Cb%3Epage.html");
    assert_eq!(visitor.gets(&format!("/record/{id}/file/{}", "0".repeat(32))).status, 400);
    assert_eq!(visitor.gets("/record/nothing").status, 400);
}

/// A large attachment comes whole, in pieces.
#[test]
fn an_attachment_comes_whole() {
    let nora = Person::new();
    let text: String = (0..300_000u32).map(|number| format!("{number:07}\n")).collect();
    let file = nora.path("numbers.txt");
    fs::write(&file, &text).unwrap();
    let note = nora.asks(["add", "file", "--title", "Numbers", "--file", file.to_str().unwrap()]);
    let (id, blob) = (note["id"].as_str().unwrap(), note["attachments"][0]["id"].as_str().unwrap());
    let visitor = Visitor::inside(&nora);
    let answer = visitor.gets(&format!("/record/{id}/file/{blob}"));
    assert_eq!(answer.header("content-length"), Some("2400000"));
    assert!(answer.status == 200 && answer.body == text);
}

/// While the vault is locked nothing is shown, and no page asks for the password.
#[test]
fn ast_09_a_locked_vault_shows_nothing_and_asks_for_nothing() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    let answer = visitor.posts("/lock", "");
    assert!(answer.status == 423 && answer.body.contains("The vault is locked"), "{answer:?}");
    assert_eq!(nora.tries(["--json", "status"]).json()["locked"], true);
    for path in [
        "/",
        "/vault",
        "/vault/hits?q=keys",
        "/audit",
        "/assistants",
        "/devices",
        "/safety",
        "/imports",
    ] {
        let answer = visitor.gets(path);
        assert_eq!(answer.status, 423, "{path}");
        assert!(!answer.body.contains(CANARY) && !answer.body.contains("type=\"password\""));
        assert!(answer.body.contains("aura unlock"));
    }
    assert_eq!(visitor.gets(&format!("/record/{id}")).status, 423);
    assert_eq!(visitor.posts(&format!("/record/{id}/delete"), "").status, 423);
    nora.does(["unlock"]);
    assert!(visitor.gets(&format!("/record/{id}")).body.contains(CANARY));
    // Without a daemon as well.
    nora.does(["lock", "--stop"]);
    assert_eq!(visitor.gets("/").status, 423);
}

/// What is too large, too long or no HTTP is refused, and the page goes on.
#[test]
fn requests_are_bounded() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    let head = format!("Cookie: {}\r\nOrigin: http://{}\r\n", visitor.cookie, visitor.host());
    let large = format!("{head}Content-Length: 17000000\r\n");
    let answer = visitor.says(&format!("POST /record/{id}/edit"), &large, "form=x");
    assert_eq!(answer.status, 413);
    let long = format!("X-Long: {}\r\n", "a".repeat(64 << 10));
    assert_eq!(visitor.says("GET /", &long, "").status, 431);
    let many = (0..200).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    assert_eq!(visitor.says("GET /", &many, "").status, 431);
    assert!(
        visitor
            .sends(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
            .is_none_or(|answer| answer.status == 400)
    );
    for method in ["PUT", "DELETE", "PATCH"] {
        assert!(visitor.says(&format!("{method} /vault"), &head, "form=x").status >= 400);
    }
    assert_eq!(visitor.gets("/").status, 200);
}

/// One process serves a vault, on loopback alone; it is found again, and ends when it is told to.
#[test]
fn one_process_serves_on_loopback_alone() {
    let (nora, _) = nora();
    let visitor = Visitor::inside(&nora);
    let again = Visitor::outside(&nora);
    assert!(again.address == visitor.address && again.process() == visitor.process());
    let table = fs::read_to_string("/proc/net/tcp").unwrap()
        + &fs::read_to_string("/proc/net/tcp6").unwrap();
    let port = format!(":{:04X}", visitor.address.port());
    let listening: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words.len() > 3 && words[1].ends_with(&port) && words[3] == "0A")
                .then(|| words[1].to_owned())
        })
        .collect();
    let std::net::IpAddr::V4(ip) = visitor.address.ip() else { panic!("{}", visitor.address) };
    assert_eq!(listening, [format!("{:08X}{port}", u32::from_ne_bytes(ip.octets()))]);
    // An address that nobody has had before, of this machine alone.
    assert!(ip.is_loopback() && ip != std::net::Ipv4Addr::LOCALHOST, "{ip}");
    let folder = nora.home().join("page");
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
    let process = again.process();
    drop(again);
    until("it ends", || {
        test_kill_process(process).is_err() || is_zombie(process.as_raw_nonzero().get())
    });
    until("it says so", || !folder.join("page.json").exists());
    let anew = Visitor::inside(&nora);
    assert_ne!(anew.process(), process);
    // What the old one let in, the new one does not know.
    let cookie = visitor.cookie.split_once('=').unwrap().1;
    let head = format!("Cookie: aura-{}={cookie}\r\n", anew.address.port());
    assert_eq!(anew.says("GET /", &head, "").status, 401);
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// attack SID-03: nothing that lets anybody in is among arguments, in the environment, or printed.
#[test]
fn sid_03_no_token_is_in_arguments_or_output() {
    let (nora, _) = nora();
    let visitor = Visitor::outside(&nora);
    let token = visitor.token();
    let pid = visitor.process().as_raw_nonzero();
    // Root may read it although the process is not to be looked into.
    for name in ["cmdline", "environ"] {
        let text = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&token) && !text.contains("PASSWORD"), "{name}: {text}");
    }
    let opener = nora.path("xdg-open");
    fs::write(&opener, "#!/bin/sh\necho \"$@\" > \"$0.said\"\nenv >> \"$0.said\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&opener, mode).unwrap();
    let path = format!("{}:{}", opener.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = nora.command(["open"]);
    let done = command
        .env("PATH", path)
        .env("AURA_PASSWORD_FILE", nora.path("password"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let said = fs::read_to_string(nora.path("xdg-open.said")).unwrap();
    let file = said.lines().next().unwrap();
    assert!(file.starts_with(nora.home().join("page/enter-").to_str().unwrap()), "{said}");
    assert!(!said.contains("AURA_PASSWORD_FILE"));
    let launch = fs::read_to_string(file).unwrap();
    let token = aura_e2e::page::between(&launch, "name=\"token\" value=\"", "\"");
    assert!(!said.contains(token) && !String::from_utf8_lossy(&done.stdout).contains(token));
}

/// Closing ends a visit, and no other one.
#[test]
fn close_ends_a_visit() {
    let (nora, _) = nora();
    let (one, other) = (Visitor::inside(&nora), Visitor::inside(&nora));
    let answer = one.posts("/close", "");
    assert!(answer.status == 200 && answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(one.gets("/").status, 401);
    assert_eq!(other.gets("/").status, 200);
}

/// What was changed elsewhere meanwhile is not overwritten, and what was typed is not lost.
#[test]
fn an_edit_overwrites_nothing_that_it_has_not_seen() {
    let (nora, id) = nora();
    let visitor = Visitor::inside(&nora);
    let form = visitor.gets(&format!("/record/{id}/edit"));
    let modified =
        aura_e2e::page::between(&form.body, "name=\"modified\" value=\"", "\"").to_owned();
    nora.does(["edit", &id, "text=From elsewhere"]);
    let typed = format!("modified={modified}&text%3A%2Ftext=Typed+here");
    let answer = visitor.posts(&format!("/record/{id}/edit"), &typed);
    assert!(answer.status == 409 && answer.body.contains("Typed here"), "{answer:?}");
    assert_eq!(nora.asks(["get", &id])["fields"]["text"], "From elsewhere");
    let modified =
        aura_e2e::page::between(&answer.body, "name=\"modified\" value=\"", "\"").to_owned();
    let typed = format!("modified={modified}&text%3A%2Ftext=Typed+here");
    assert_eq!(visitor.posts(&format!("/record/{id}/edit"), &typed).status, 303);
    let saved = nora.asks(["get", &id]);
    assert_eq!((&saved["fields"]["text"], &saved["title"]), (&"Typed here".into(), &"Keys".into()));
}

/// `aura open` says what is missing, and starts nothing for what is no vault.
#[test]
fn open_says_what_is_missing() {
    let nora = Person::without_vault();
    let done = nora.tries(["open", "--no-browser"]);
    assert!(done.code != 0 && done.err.contains("aura init"), "{done:?}");
    assert!(!nora.home().join("page").exists());
    let (nora, _) = self::nora();
    nora.does(["lock"]);
    // Without the password it opens, and the page says that the vault is locked.
    let done = nora.tries(["--json", "open", "--no-browser"]);
    assert_eq!(done.code, 0, "{done:?}");
    let visitor = Visitor::outside(&nora);
    assert_eq!(visitor.gets("/").status, 401);
    let mut command = Command::new(program());
    command.arg("--home").arg(nora.home()).arg("page");
    let second = command.output().unwrap();
    assert!(!second.status.success(), "one process for one vault: {second:?}");
}

/// What is behind a lock that is shut is not called empty, and nothing of it is shown.
#[test]
fn what_is_shut_is_not_called_empty() {
    let nora = Person::with_second_lock();
    let text = format!("The {CANARY} of a heart");
    let secret = nora.asks(["add", "observation", "--title", "Heart", "--text", &text]);
    nora.adds("Plain", "Nothing else").unwrap();
    nora.does(["lock", "--second"]);
    let visitor = Visitor::inside(&nora);
    let page = visitor.gets(&format!("/vault?q={CANARY}")).body;
    assert!(page.contains("Nothing was found in what is open."), "{page}");
    assert!(page.contains("The second lock is shut") && !page.contains("of a heart"));
    let health = page.split("in=health").nth(1).unwrap();
    assert!(health[..120].contains("shut"), "{health}");
    assert!(visitor.gets("/vault/trash").body.contains("Nothing was deleted in what is open."));
    let id = secret["id"].as_str().unwrap();
    let answer = visitor.gets(&format!("/record/{id}"));
    assert!(answer.status >= 400 && !answer.body.contains(CANARY), "{answer:?}");
    assert!(visitor.gets("/safety").body.contains("Shut: "));
}

/// A vault that was moved or thrown away has no page: its process ends.
#[test]
fn a_vault_that_is_gone_has_no_page() {
    let (nora, _) = nora();
    let visitor = Visitor::inside(&nora);
    let process = visitor.process();
    fs::remove_dir_all(nora.home().join("page")).unwrap();
    until("it ends", || {
        test_kill_process(process).is_err() || is_zombie(process.as_raw_nonzero().get())
    });
}
