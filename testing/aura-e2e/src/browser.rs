// SPDX-License-Identifier: MIT OR Apache-2.0
//! A browser without a screen: Chromium, driven over the WebDriver protocol (W3C) by a few lines of HTTP.
//!
//! Debian's `chromium` and `chromium-driver`. Where they are not installed the test says that it is skipped, and fails if
//! `AURA_BROWSER` is set, as it is where `cargo xtask test` has installed them. No name is resolved: what would load
//! anything from elsewhere fails.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

const DRIVER: &str = "/usr/bin/chromedriver";
/// How long something on a page may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How WebDriver marks an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A key that has no letter.
pub const ENTER: &str = "\u{e007}";
/// The key that goes on to the next thing.
pub const TAB: &str = "\u{e004}";

/// A browser, until it is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: TempDir,
}

impl Browser {
    /// One that has begun; nothing where it is not installed.
    pub fn begin() -> Option<Self> {
        if !Path::new(DRIVER).exists() {
            assert!(std::env::var_os("AURA_BROWSER").is_none(), "{DRIVER} is not installed");
            let why = "skipped: no browser is installed (chromium, chromium-driver)";
            writeln!(io::stderr(), "{why}").ok();
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse().ok()
        });
        thread::spawn(move || lines.for_each(drop));
        let port = port.expect("the driver says its port");
        let mut browser = Self { driver, port, session: String::new(), profile };
        let folder = browser.profile.path().to_str().unwrap();
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--hide-scrollbars", "--force-device-scale-factor=1", "--window-size=1280,900",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.*",
                format!("--user-data-dir={folder}"),
            ],
            "prefs": { "download.default_directory": folder },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "timeouts": { "pageLoad": 20_000, "script": 60_000 }, "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let begun = browser.call("POST", "/session", &wanted);
        begun["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        Some(browser)
    }

    /// Where downloads go.
    pub fn folder(&self) -> PathBuf {
        self.profile.path().to_owned()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.tries(method, path, body);
        assert!(answer["error"].is_null(), "{method} {path}: {answer}");
        answer
    }

    fn tries(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.port
        )
        .unwrap();
        // The driver keeps the connection open: what it says is as long as it says.
        let mut input = BufReader::new(stream);
        let mut length = 0usize;
        loop {
            let mut line = String::new();
            assert!(input.read_line(&mut line).unwrap() > 0, "the driver hung up");
            let line = line.trim().to_ascii_lowercase();
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        input.read_exact(&mut text).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["value"].take()
    }

    fn at(&self, path: &str) -> String {
        format!("/session/{}{path}", self.session)
    }

    fn does(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &self.at(path), body)
    }

    /// Goes to an address, and waits until it is there.
    pub fn goes(&self, address: &str) {
        self.does("/url", &json!({ "url": address }));
    }

    /// Where it is.
    pub fn address(&self) -> String {
        self.call("GET", &self.at("/url"), &Value::Null).as_str().unwrap().to_owned()
    }

    /// What a script returns.
    pub fn runs(&self, script: &str) -> Value {
        self.does("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script hands to the function that is its last argument.
    pub fn runs_later(&self, script: &str) -> Value {
        self.does("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// A command of Chromium's own protocol.
    pub fn tells(&self, command: &str, parameters: &Value) -> Value {
        self.does("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// The first element of a CSS selector, once it is there.
    fn element(&self, selector: &str) -> String {
        let asked = json!({ "using": "css selector", "value": selector });
        let begun = Instant::now();
        loop {
            let found = self.tries("POST", &self.at("/element"), &asked);
            if let Some(id) = found[ELEMENT].as_str() {
                return id.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{selector} at {}: {found}", self.address());
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until there is such an element.
    pub fn sees(&self, selector: &str) {
        self.element(selector);
    }

    /// The text of the first such element.
    pub fn reads(&self, selector: &str) -> String {
        let id = self.element(selector);
        let text = self.call("GET", &self.at(&format!("/element/{id}/text")), &Value::Null);
        text.as_str().unwrap().to_owned()
    }

    /// Presses the first such element.
    pub fn presses(&self, selector: &str) {
        let id = self.element(selector);
        self.does(&format!("/element/{id}/click"), &json!({}));
    }

    /// Types into the first such element.
    pub fn types(&self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.does(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Empties the first such element.
    pub fn empties(&self, selector: &str) {
        let id = self.element(selector);
        self.does(&format!("/element/{id}/clear"), &json!({}));
    }

    /// Types at whatever has the focus.
    pub fn strikes(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] });
        self.does("/actions", &keys);
    }

    /// Waits until a script returns true.
    pub fn waits(&self, script: &str) {
        let begun = Instant::now();
        while self.runs(script) != true {
            assert!(
                begun.elapsed() < PATIENCE,
                "{script}: {}",
                self.runs("return document.body.innerText")
            );
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// How wide the window is, and whether it is dark.
    pub fn looks(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tells("Emulation.setDeviceMetricsOverride", &size);
        let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tells("Emulation.setEmulatedMedia", &dark);
    }

    /// A picture of the whole page.
    pub fn paints(&self, path: &Path) {
        let all = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.tells("Page.captureScreenshot", &all);
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// What the browser has complained of since it was asked last.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.does("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter();
        lines.map(|line| format!("{}: {}", line["source"], line["message"])).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.tries("DELETE", &self.at(""), &Value::Null);
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
