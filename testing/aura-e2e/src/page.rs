// SPDX-License-Identifier: MIT OR Apache-2.0
//! Somebody who asks the page by hand: HTTP as it is written, so that a test can say what no browser would.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Person;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its code.
    pub status: u16,
    /// Its head, in lower case up to each colon.
    pub head: String,
    /// What follows.
    pub body: String,
}

impl Answer {
    /// What a header says.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// The page of a person's vault, and whoever was let in to it; its process ends with this.
pub struct Visitor {
    /// Where it listens.
    pub address: SocketAddr,
    /// The launch file that was used, or not yet.
    pub file: PathBuf,
    /// What the browser would show: name and value.
    pub cookie: String,
    /// What forms have to show.
    pub form: String,
    pid: Option<Pid>,
}

impl Visitor {
    /// Has the page served, and lets nobody in yet.
    pub fn outside(person: &Person) -> Self {
        let opened = person.asks(["open", "--no-browser"]);
        let served = fs::read(person.home().join("page/page.json")).unwrap();
        let served: Value = serde_json::from_slice(&served).unwrap();
        let pid = served["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        Self {
            address: opened["address"].as_str().unwrap().parse().unwrap(),
            file: opened["file"].as_str().unwrap().into(),
            cookie: String::new(),
            form: String::new(),
            pid: pid.and_then(Pid::from_raw),
        }
    }

    /// Is let in.
    pub fn inside(person: &Person) -> Self {
        let mut visitor = Self::outside(person);
        let answer = visitor.enters(&visitor.token());
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut visitor.cookie);
        let page = visitor.gets("/safety");
        assert_eq!(page.status, 200, "{page:?}");
        between(&page.body, "name=\"form\" value=\"", "\"").clone_into(&mut visitor.form);
        visitor
    }

    /// The page's process.
    pub fn process(&self) -> Pid {
        self.pid.unwrap()
    }

    /// The token of the launch file.
    pub fn token(&self) -> String {
        let text = fs::read_to_string(&self.file).unwrap();
        between(&text, "name=\"token\" value=\"", "\"").to_owned()
    }

    /// Shows a token as a launch file does.
    pub fn enters(&self, token: &str) -> Answer {
        self.says("POST /enter", "Origin: null\r\n", &format!("token={token}"))
    }

    /// The name that it is found under.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Asks as a browser does that was let in.
    pub fn gets(&self, path: &str) -> Answer {
        let cookie = format!("Cookie: {}\r\n", self.cookie);
        self.says(&format!("GET {path}"), &cookie, "")
    }

    /// Sends a form as a browser does that was let in; the form's own token is added.
    pub fn posts(&self, path: &str, form: &str) -> Answer {
        let head = format!("Cookie: {}\r\nOrigin: http://{}\r\n", self.cookie, self.host());
        let form = format!("form={}&{form}", self.form);
        self.says(&format!("POST {path}"), &head, &form)
    }

    /// Says what no browser would say. Of the head, `Host` and what a form needs are added, if they are not there.
    pub fn says(&self, line: &str, head: &str, body: &str) -> Answer {
        let host = if head.contains("Host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.host())
        };
        let kind = if head.contains("Content-Type") || body.is_empty() {
            ""
        } else {
            "Content-Type: application/x-www-form-urlencoded\r\n"
        };
        let length = if head.contains("Content-Length") || body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let text =
            format!("{line} HTTP/1.1\r\n{host}{head}{kind}{length}Connection: close\r\n\r\n{body}");
        self.sends(text.as_bytes()).expect("an answer")
    }

    /// Sends bytes; nothing if they are not answered.
    pub fn sends(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // It may hang up on the way.
        stream.write_all(bytes).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let lower = |line: &str| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let head = head.lines().map(lower).collect::<Vec<_>>().join("\n");
        Some(Answer { status, head, body: body.to_owned() })
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.pid.and_then(|pid| kill_process(pid, Signal::TERM).ok());
    }
}

/// What stands between two texts.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}
