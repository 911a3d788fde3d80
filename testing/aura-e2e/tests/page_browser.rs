// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page in a browser: each page and what a person does there, by mouse, by keys and without scripts; what axe finds, and
//! what the browser complains of; with pictures of each, wide and narrow, light and dark, in `page/` under the target folder.
//!
//! `AURA_AXE` names axe-core's `axe.min.js`; `cargo xtask test` fetches it. Without it that part says that it is skipped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aura_e2e::Person;
use aura_e2e::browser::{Browser, ENTER, TAB};
use aura_e2e::page::Visitor;
use serde_json::{Value, json};

/// The narrowest screen, and a usual one, in CSS pixels.
const NARROW: u32 = 360;
const WIDE: u32 = 1280;

/// A browser that was let in to somebody's vault.
struct Scene {
    browser: Browser,
    visitor: Visitor,
    nora: Person,
    note: String,
}

/// Somebody with a little of everything.
fn scene() -> Option<Scene> {
    let browser = Browser::begin()?;
    let nora = Person::new();
    let note = nora.asks([
        "add",
        "note",
        "--title",
        "Lisbon flat",
        "--text",
        "Fourth floor, no lift.\nTwo keys with the notary.",
    ]);
    let file = nora.path("plan.txt");
    fs::write(&file, "a plan of the flat").unwrap();
    let path = file.to_str().unwrap();
    nora.does(["add", "file", "--title", "Plan of the flat", "--file", path]);
    nora.does([
        "add",
        "email",
        "--title",
        "The fee for September",
        "--text",
        "Dear neighbours,\nthe fee is 34,62 €.",
        r#"from=[{"name":"Ada Byron","email":"ada@example.com"}]"#,
        r#"to=[{"email":"nora@example.com"}]"#,
    ]);
    nora.does(["add", "event", "--title", "Viewing", "--time", "2026-12-01T09:30Z"]);
    nora.does([
        "add",
        "contact",
        "--title",
        "Ada Byron",
        r#"emails={"k":{"address":"ada@example.com"}}"#,
    ]);
    nora.does(["add", "login", "--title", "Bank", r#"login={"username":"nora","password":"pw-secret","uris":[{"uri":"https://bank.example.com"}]}"#]);
    nora.does([
        "add",
        "observation",
        "--title",
        "Resting heart rate",
        r#"valueQuantity={"value":52,"unit":"/min"}"#,
    ]);
    nora.does([
        "add",
        "transaction",
        "--title",
        "Bicas Canalização",
        r#"amount={"value":"-119.00","currency":"EUR"}"#,
    ]);
    for number in 0..40 {
        nora.adds(&format!("Note {number}"), "Something small").unwrap();
    }
    let gone = nora.adds("Old list", "Bread").unwrap();
    nora.does(["rm", &gone]);
    nora.does(["connect", "claude"]);
    nora.does([
        "grant",
        "add",
        "claude",
        "--category",
        "calendar,contacts",
        "--for",
        "7d",
        "--why",
        "planning the summer",
    ]);
    let visitor = Visitor::outside(&nora);
    browser.looks(WIDE, "light");
    browser.goes(&format!("file://{}", visitor.file.display()));
    // The file posts itself, and the page goes on by itself.
    browser.sees("nav a[aria-current=page]");
    let note = note["id"].as_str().unwrap().to_owned();
    Some(Scene { browser, visitor, nora, note })
}

impl Scene {
    fn goes(&self, path: &str) {
        self.browser.goes(&format!("http://{}{path}", self.visitor.host()));
    }
}

/// Where pictures go.
fn pictures() -> PathBuf {
    let test = env::current_exe().unwrap();
    let folder =
        test.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let folder = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).or(folder.map(Path::to_owned));
    folder.unwrap().join("page")
}

fn axe() -> Option<String> {
    let path = env::var_os("AURA_AXE");
    if path.is_none() {
        writeln!(io::stderr(), "skipped in part: AURA_AXE names no axe.min.js").ok();
    }
    path.map(|path| fs::read_to_string(path).unwrap())
}

/// What axe finds that is serious or critical.
fn barriers(browser: &Browser, axe: &str) -> Vec<String> {
    browser.runs(axe);
    let found = browser.runs_later(
        "const done = arguments[arguments.length - 1];\
         axe.run(document, { resultTypes: ['violations'] }).then(r => done(r.violations), e => done(String(e)));",
    );
    let found = found.as_array().unwrap_or_else(|| panic!("{found}"));
    let is_bad = |one: &&Value| matches!(one["impact"].as_str(), Some("serious" | "critical"));
    let name = |one: &Value| format!("{}: {} {}", one["id"], one["help"], one["nodes"][0]["html"]);
    found.iter().filter(is_bad).map(name).collect()
}

/// Every page, wide and narrow, light and dark: nothing is wider than the screen, axe finds no barrier, and the browser
/// complains of nothing, least of all of what the policy forbids.
#[test]
fn every_page_is_whole_at_every_width() {
    let Some(scene) = scene() else { return };
    let axe = axe();
    let id = &scene.note;
    let hit =
        |query: &str| scene.nora.lists(["search", query])[0]["id"].as_str().unwrap().to_owned();
    let pages = [
        ("today", "/".to_owned()),
        ("vault", "/vault".to_owned()),
        ("search", "/vault?q=flat".to_owned()),
        ("none", "/vault?q=nothinglikeit".to_owned()),
        ("record", format!("/record/{id}")),
        ("mail", format!("/record/{}", hit("kind:email"))),
        ("login", format!("/record/{}", hit("kind:login"))),
        ("file", format!("/record/{}", hit("kind:file"))),
        ("history", format!("/record/{id}/history")),
        ("edit", format!("/record/{id}/edit")),
        ("trash", "/vault/trash".to_owned()),
        ("assistants", "/assistants".to_owned()),
        ("audit", "/audit".to_owned()),
        ("verified", "/audit?prove=yes".to_owned()),
        ("devices", "/devices".to_owned()),
        ("safety", "/safety".to_owned()),
        ("imports", "/imports".to_owned()),
        ("absent", "/nothing".to_owned()),
    ];
    for (name, path) in &pages {
        for (width, scheme) in
            [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")]
        {
            scene.browser.looks(width, scheme);
            scene.goes(path);
            scene.browser.sees("main h1");
            scene.browser.paints(&pictures().join(format!("{name}-{width}-{scheme}.png")));
            let wide =
                scene.browser.runs("return document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(wide, true, "{name} is no wider than {width}");
            if let Some(axe) = &axe {
                assert_eq!(
                    barriers(&scene.browser, axe),
                    Vec::<String>::new(),
                    "{name} {width} {scheme}"
                );
            }
        }
    }
    let complaints = scene.browser.complaints().into_iter();
    // A page that is absent answers 404, and the browser says so.
    let complaints: Vec<_> = complaints.filter(|one| !one.contains("404 (Not Found)")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    scene.browser.looks(WIDE, "light");
    scene.goes("/");
    scene.browser.presses(".leave form:first-child button");
    scene.browser.sees(".shut");
    assert!(scene.browser.reads("h1").contains("The vault is locked"));
    for (width, scheme) in [(WIDE, "light"), (NARROW, "dark")] {
        scene.browser.looks(width, scheme);
        scene.browser.paints(&pictures().join(format!("locked-{width}-{scheme}.png")));
    }
    if let Some(axe) = &axe {
        assert_eq!(barriers(&scene.browser, axe), Vec::<String>::new());
    }
}

/// What a person does, by keys alone: search, open, change, see what was done, take it back, delete, restore.
#[test]
fn a_vault_is_used_by_keys_alone() {
    let Some(scene) = scene() else { return };
    let browser = &scene.browser;
    scene.goes("/vault");
    let before = browser.address();
    // Newest first, and more on the next page.
    assert_eq!(browser.reads("a.hit .hit-title"), "Viewing");
    assert_eq!(browser.reads("li:nth-child(2) a.hit .hit-title"), "Note 39");
    assert_eq!(browser.runs("return document.querySelectorAll('a.hit').length"), 30);
    browser.strikes("/");
    browser.waits("return document.activeElement.id === 'q'");
    browser.strikes("lisb");
    browser
        .waits("return document.querySelector('a.hit .hit-title').textContent === 'Lisbon flat'");
    assert_eq!(browser.address(), before, "what is typed comes into no address");
    browser.strikes(ENTER);
    browser.waits("return document.activeElement.classList.contains('hit')");
    browser.strikes("j");
    browser.strikes(ENTER);
    browser.sees("article.record");
    assert_eq!(browser.reads("h1"), "Lisbon flat");
    assert!(browser.reads(".text").contains("Two keys with the notary."));
    assert!(!browser.runs("return document.title").as_str().unwrap().contains("Lisbon"));
    browser.presses("a.main");
    browser.sees("form.fields");
    browser.empties("input[name='text:/name']");
    browser.types("input[name='text:/name']", "Lisbon flat: signed");
    browser.strikes(ENTER);
    browser.sees(".note.good");
    assert_eq!(browser.reads("h1"), "Lisbon flat: signed");
    scene.goes(&format!("/record/{}/history", scene.note));
    assert!(browser.reads(".versions li").contains("Lisbon flat: signed"));
    browser.presses("main form button");
    browser.sees("article.record");
    assert_eq!(browser.reads("h1"), "Lisbon flat");
    browser.presses("button.bad");
    browser.waits("return document.querySelector('.kind strong')?.textContent === 'in the trash'");
    assert_eq!(scene.nora.lists(["trash"]).len(), 2);
    scene.goes("/vault/trash");
    browser.presses(&format!("form[action='/record/{}/undo'] button", scene.note));
    browser.sees("article.record");
    assert_eq!(scene.nora.lists(["trash"]).len(), 1);
    let first = browser.runs("document.body.focus(); return document.activeElement.tagName");
    assert_eq!(first, "BODY");
    scene.goes("/");
    browser.strikes(TAB);
    browser.waits("return document.activeElement.classList.contains('skip')");
    browser.strikes(ENTER);
    browser.waits("return document.activeElement.id === 'content'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What opens other doors is covered until a person uncovers it, and a file is a download.
#[test]
fn secrets_are_covered_and_files_are_downloads() {
    let Some(scene) = scene() else { return };
    let browser = &scene.browser;
    let hit =
        |query: &str| scene.nora.lists(["search", query])[0]["id"].as_str().unwrap().to_owned();
    scene.goes(&format!("/record/{}", hit("kind:login")));
    assert!(!browser.reads("main").contains("pw-secret"));
    browser.presses(".secret summary");
    assert!(browser.reads(".secret").contains("pw-secret"));
    scene.goes(&format!("/record/{}", hit("kind:file")));
    browser.presses(".files a");
    let file = browser.folder().join("plan.txt");
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the download comes");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "a plan of the flat");
}

/// A grant is taken back on the page; the record says so, and is verified only when it was proved.
#[test]
fn a_grant_is_taken_back() {
    let Some(scene) = scene() else { return };
    let browser = &scene.browser;
    scene.goes("/assistants");
    let grant = browser.reads(".grant");
    assert!(grant.contains("claude") && grant.contains("calendar and contacts"), "{grant}");
    browser.presses(".grant button");
    browser.sees(".note.good");
    assert_eq!(browser.runs("return document.querySelectorAll('.grant').length"), 0);
    assert_eq!(scene.nora.lists(["grant", "ls", "--all"])[0]["active"], false);
    scene.goes("/audit?span=7");
    assert!(browser.reads(".events").contains("took a grant back"));
    assert!(!browser.reads("main").contains("Verified"));
    browser.presses("main .note a");
    browser.sees(".note.good");
    assert!(browser.reads(".note.good").starts_with("Verified: "));
    browser.presses("header .brand");
    assert!(browser.reads("main").contains("On the record today"));
    // Closed is closed, also with the button that goes back.
    browser.presses(".leave form:last-child button");
    browser.waits("return document.querySelector('h1').textContent.includes('not let in')");
    scene.goes("/vault");
    assert!(browser.reads("h1").contains("not let in"));
}

/// Without scripts everything works but answering while somebody types.
#[test]
fn it_works_without_scripts() {
    let Some(scene) = scene() else { return };
    let browser = &scene.browser;
    browser.tells("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    let again = Visitor::outside(&scene.nora);
    browser.goes(&format!("file://{}", again.file.display()));
    browser.presses("button");
    browser.sees("nav a[aria-current=page]");
    scene.goes("/vault");
    browser.types("#q", "notary");
    browser.presses(".search button");
    browser.sees(".hit mark");
    assert!(browser.reads("a.hit").contains("Lisbon flat"));
    browser.presses("a.hit");
    browser.sees("article.record");
    browser.presses("a.main");
    browser.empties("textarea");
    browser.types("textarea", "No lift at all");
    browser.presses("button.main");
    browser.sees(".note.good");
    assert_eq!(scene.nora.asks(["get", &scene.note])["fields"]["text"], "No lift at all");
}
