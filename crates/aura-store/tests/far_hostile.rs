// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bucket or a WebDAV server that fails, lies or never ends (FLD-13 to FLD-18): told by name, within bounds, and never
//! as an empty store.

#![cfg(all(feature = "s3", feature = "webdav"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aura_protocol::id::{ChunkName, VaultId};
use aura_protocol::store::{Access, BlindStore, StoreError};
use aura_store::folder::FolderStore;
use aura_store::folder::far::{Far, FarAddress, Secret};
use pollster::block_on;
use zeroize::Zeroizing;

const WHOLE: Access = Access::Vault(VaultId([1; 32]));
const CHUNK: ChunkName = ChunkName([2; 16]);

/// An answer without a length, that goes on and on.
const UNENDING: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
/// For so many MiB.
const POUR_MAX: usize = 200;

/// What a server answers to the head of a request; after that the connection is shut.
type Answer = dyn Fn(&str, usize) -> Vec<u8> + Send + Sync;

/// A server of its own, and what it was asked.
struct Hostile {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    fn begin(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { port, asked }
    }

    fn bucket(&self) -> FolderStore {
        let mut far = Far::new(FarAddress::parse("s3://bucket/aura").unwrap());
        far.endpoint = Some(format!("http://127.0.0.1:{}", self.port));
        far.account = Some("key".to_owned());
        open(&far)
    }

    fn webdav(&self) -> FolderStore {
        let address = format!("webdav://127.0.0.1:{}/aura", self.port);
        open(&Far::new(FarAddress::parse(&address).unwrap()))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn open(far: &Far) -> FolderStore {
    let secret = Secret::new(Zeroizing::new("secret".to_owned()));
    FolderStore::far(far, Some(&secret), Box::new(|| 0)).unwrap()
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<String>>, answer: &Answer) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok();
    let count = {
        let mut kept = kept.lock().unwrap();
        kept.push(head.lines().next().unwrap_or_default().to_owned());
        kept.len()
    };
    let answer = answer(&head, count);
    stream.write_all(&answer).ok();
    if answer == UNENDING {
        // Until whoever reads has had enough.
        let part = vec![b'x'; 1 << 20];
        let poured = (0..POUR_MAX).take_while(|_| stream.write_all(&part).is_ok()).count();
        kept.lock().unwrap().push(format!("poured {poured}"));
    }
}

fn status(status: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// FLD-15, FLD-16, fault F-29: errors are told as what they are, after few tries.
#[test]
fn fld_16_storms_are_told_and_do_not_hang() {
    let begun = Instant::now();
    let failing = Hostile::begin(|_, _| status("500 No", "", "oops"));
    for store in [failing.bucket(), failing.webdav()] {
        let heads = block_on(store.heads(&WHOLE, &[]));
        assert!(matches!(heads, Err(StoreError::Server(_))), "{heads:?}");
    }
    assert_eq!(failing.asked().len(), 6, "three times each: {:?}", failing.asked());
    for (line, is_right) in [
        (
            "401 No",
            (|error| matches!(error, StoreError::Unauthenticated)) as fn(&StoreError) -> bool,
        ),
        ("403 No", |error| matches!(error, StoreError::Forbidden)),
        ("507 No", |error| matches!(error, StoreError::Full)),
        ("301 Moved", |error| matches!(error, StoreError::Server(_))),
    ] {
        let server = Hostile::begin(move |_, _| {
            status(line, "location: http://127.0.0.1:9/elsewhere\r\n", "")
        });
        for store in [server.bucket(), server.webdav()] {
            let heads = block_on(store.heads(&WHOLE, &[])).map(|_| ()).unwrap_err();
            assert!(is_right(&heads), "{line}: {heads:?}");
            let put = block_on(store.put(&WHOLE, CHUNK, b"sealed")).unwrap_err();
            assert!(is_right(&put), "{line}: {put:?}");
            let chunk = block_on(store.chunk(&WHOLE, CHUNK)).unwrap_err();
            assert!(is_right(&chunk), "{line}: {chunk:?}");
        }
    }
    let busy = Hostile::begin(|_, _| status("503 Slow Down", "retry-after: 600\r\n", ""));
    let heads = block_on(busy.bucket().heads(&WHOLE, &[]));
    assert!(matches!(heads, Err(StoreError::SlowDown(600))), "{heads:?}");
    assert_eq!(busy.asked().len(), 1, "who asks for a long wait is left alone");
    // What fails for a moment is tried again.
    let recovering = Hostile::begin(|_, count| match count {
        1 => status("502 Bad Gateway", "", ""),
        _ => status("200 OK", "", "sealed"),
    });
    assert_eq!(block_on(recovering.bucket().chunk(&WHOLE, CHUNK)).unwrap(), b"sealed");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// FLD-18: of two who make one directory at a time Apache forbids it to the second. It is there then, and nobody is told
/// that they may not; whoever really may not is, and has sent the file once.
#[test]
fn fld_18_a_directory_that_somebody_else_just_made_is_used() {
    fn there(path: &str, kind: &str) -> Vec<u8> {
        let body = format!(
            "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>{path}</D:href>\
             <D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype><D:getcontentlength>6\
             </D:getcontentlength><D:getlastmodified>Mon, 01 Jan 2024 00:00:00 GMT</D:getlastmodified>\
             </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
        );
        status("207 Multi-Status", "content-type: application/xml\r\n", &body)
    }
    let put = |forbidden: usize| {
        let moves = Mutex::new(0);
        let server = Hostile::begin(move |head, _| match head.split(' ').next() {
            Some("propfind") if head.starts_with("propfind /aura/ ") => {
                there("/aura/", "<D:collection/>")
            }
            Some("propfind") if head.lines().next().is_some_and(|it| it.contains("/new/0")) => {
                there(head.split(' ').nth(1).unwrap_or_default(), "")
            }
            Some("propfind") => status("404 Not Found", "", ""),
            Some("move") => {
                let mut moves = moves.lock().unwrap();
                *moves += 1;
                status(if *moves <= forbidden { "403 Forbidden" } else { "201 Created" }, "", "")
            }
            _ => status("201 Created", "", ""),
        });
        let put = block_on(server.webdav().put(&WHOLE, CHUNK, b"sealed"));
        let asked = server.asked();
        let count = |verb: &str| asked.iter().filter(|asked| asked.starts_with(verb)).count();
        (put, count("put "), count("move "))
    };
    let (done, sent, moved) = put(2);
    assert!(done.is_ok(), "{done:?}");
    assert_eq!((sent, moved), (1, 3));
    let (done, sent, moved) = put(usize::MAX);
    assert!(matches!(done, Err(StoreError::Forbidden)), "{done:?}");
    assert!(sent == 1 && moved < 10, "sent {sent} times, moved {moved} times");
}

/// FLD-15, fault F-15: files that are larger than any of the store's, told or not, and those that break off.
#[test]
fn fld_15_giants_and_halves_are_refused() {
    let told = Hostile::begin(|_, _| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\nx".to_vec()
    });
    let untold = Hostile::begin(|_, _| UNENDING.to_vec());
    for server in [&told, &untold] {
        for store in [server.bucket(), server.webdav()] {
            let chunk = block_on(store.chunk(&WHOLE, CHUNK));
            assert!(matches!(chunk, Err(StoreError::Damaged(_))), "{chunk:?}");
        }
        // It is no head either, and nobody believes that there is none at all.
        let heads = block_on(server.bucket().heads(&WHOLE, &[]));
        assert!(heads.is_err(), "{heads:?}");
    }
    let asked = untold.asked();
    let poured: Vec<usize> =
        asked.iter().filter_map(|line| line.strip_prefix("poured ")?.parse().ok()).collect();
    assert!(poured.iter().all(|mib| *mib < 100), "more is read than a page may have: {poured:?}");
    let half = Hostile::begin(|_, _| {
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1000\r\n\r\nhalf".to_vec()
    });
    for store in [half.bucket(), half.webdav()] {
        let chunk = block_on(store.chunk(&WHOLE, CHUNK));
        assert!(matches!(chunk, Err(StoreError::Unreachable(_))), "{chunk:?}");
    }
}

/// FLD-15: a listing that never ends is an error, and none that is no listing is an empty one.
#[test]
fn fld_15_listings_end() {
    let endless = Hostile::begin(|_, count| {
        let mut keys = String::new();
        for key in 0..1000 {
            write!(
                keys,
                "<Contents><Key>aura/k{count}x{key}</Key><Size>1</Size>\
                 <LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>e</ETag></Contents>"
            )
            .unwrap();
        }
        let body = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>t{count}</NextContinuationToken>{keys}</ListBucketResult>"
        );
        status("200 OK", "content-type: application/xml\r\n", &body)
    });
    let vaults = block_on(endless.bucket().vaults());
    assert!(matches!(vaults, Err(StoreError::Server(_))), "{vaults:?}");
    assert!(endless.asked().len() <= 3 * 102, "{}", endless.asked().len());
    for noise in ["", "<html>", "<ListBucketResult><Contents><Key>", "\u{0}"] {
        let noisy = Hostile::begin(move |_, _| status("200 OK", "", noise));
        for store in [noisy.bucket(), noisy.webdav()] {
            let heads = block_on(store.heads(&WHOLE, &[]));
            assert!(heads.is_err(), "{noise:?}: {heads:?}");
        }
    }
}

/// FLD-17: a WebDAV server that has nothing of the place itself is not empty; names that lead elsewhere are passed over.
#[test]
fn fld_17_nothing_is_not_empty_and_foreign_names_lead_nowhere() {
    let gone = Hostile::begin(|_, _| status("404 Not Found", "", ""));
    for store in [gone.bucket(), gone.webdav()] {
        let heads = block_on(store.heads(&WHOLE, &[]));
        assert!(matches!(heads, Err(StoreError::Absent)), "{heads:?}");
    }
    let foreign = Hostile::begin(|_, _| {
        let item = |href: &str| {
            format!(
                "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>\
                 </D:resourcetype><D:getlastmodified>Thu, 01 Jan 2026 00:00:00 GMT</D:getlastmodified>\
                 </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            )
        };
        let hrefs = ["/aura/../../etc/", "/etc/passwd", "http://127.0.0.1:9/x/", "/aura/%2e%2e/"];
        let items: String = hrefs.into_iter().map(item).collect();
        let body = format!("<D:multistatus xmlns:D=\"DAV:\">{items}</D:multistatus>");
        status("207 Multi-Status", "content-type: application/xml\r\n", &body)
    });
    assert_eq!(block_on(foreign.webdav().vaults()).unwrap(), []);
    assert!(foreign.asked().iter().all(|line| line.starts_with("propfind /aura/")));
}

/// FLD-18: a server that does not know the condition is asked whether the name is taken.
#[test]
fn fld_18_put_if_absent_works_without_the_condition() {
    let old = Hostile::begin(|head, _| {
        if head.starts_with("put") && head.contains("if-none-match: *") {
            return status("501 Not Implemented", "", "");
        }
        if head.starts_with("head") {
            status("404 Not Found", "", "")
        } else {
            status("200 OK", "", "")
        }
    });
    block_on(old.bucket().put(&WHOLE, CHUNK, b"sealed")).unwrap();
    let verbs: Vec<String> =
        old.asked().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(verbs, ["put", "head", "put"]);
    let new = Hostile::begin(|head, _| {
        let is_put = head.starts_with("put") && head.contains("if-none-match: *");
        if is_put {
            let body = "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>";
            return status("412 Precondition Failed", "", body);
        }
        status("200 OK", "", "sealed")
    });
    block_on(new.bucket().put(&WHOLE, CHUNK, b"sealed")).unwrap();
    let other = block_on(new.bucket().put(&WHOLE, CHUNK, b"others"));
    assert!(matches!(other, Err(StoreError::Fork)), "{other:?}");
}
