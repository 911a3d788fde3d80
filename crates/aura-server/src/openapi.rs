// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server's paths as an OpenAPI document, made from one table. Source: spec/http.md, HTP-3 and HTP-4.

use aura_protocol::http::{
    CBOR, OCTETS, PROBLEM_JSON, PROTOCOL, PROTOCOL_HEADER, ProblemKind, TEXT, path,
};
use aura_protocol::limits::{
    CHUNK_BYTES_MAX, KNOWN_REQUEST_BYTES_MAX, PAIRING_REQUEST_BYTES_MAX, PUSH_BYTES_MAX,
    REGISTRATION_BYTES_MAX, SMALL_REQUEST_BYTES_MAX,
};
use serde_json::{Map, Value, json};

/// Whose token a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    AnyToken,
    DeviceToken,
}

/// What is done at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) takes: Takes,
    /// Media type and largest size of the request's body, in bytes.
    pub(crate) body: Option<(&'static str, usize)>,
    /// Status and media type of the answer.
    pub(crate) answer: (u16, Option<&'static str>),
    pub(crate) what: &'static str,
}

/// The path of one chunk.
pub(crate) const CHUNK: &str = "/v1/vault/chunks/{name}";
/// What the access log has.
pub(crate) const LOG: &str = "/v1/vault/log/{name}";
/// A stream of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";

const SMALL: Option<(&str, usize)> = Some((CBOR, SMALL_REQUEST_BYTES_MAX));
const PAIRING: Option<(&str, usize)> = Some((CBOR, PAIRING_REQUEST_BYTES_MAX));
const KNOWN: Option<(&str, usize)> = Some((CBOR, KNOWN_REQUEST_BYTES_MAX));

const fn row(
    (method, path): (&'static str, &'static str),
    takes: Takes,
    body: Option<(&'static str, usize)>,
    answer: (u16, Option<&'static str>),
    what: &'static str,
) -> Operation {
    Operation { path, method, takes, body, answer, what }
}

/// Everything under `/v1`.
pub(crate) const OPERATIONS: &[Operation] = &[
    row(("get", path::SERVER), Takes::Nothing, None, (200, Some(CBOR)), "What the server is"),
    row(
        ("post", path::ACCOUNT_BEGIN),
        Takes::Nothing,
        SMALL,
        (200, Some(CBOR)),
        "Begins an account",
    ),
    row(
        ("post", path::ACCOUNT_END),
        Takes::Nothing,
        Some((CBOR, REGISTRATION_BYTES_MAX)),
        (201, None),
        "Makes an account",
    ),
    row(("post", path::LOGIN_BEGIN), Takes::Nothing, SMALL, (200, Some(CBOR)), "Begins a login"),
    row(("post", path::LOGIN_END), Takes::Nothing, SMALL, (200, Some(CBOR)), "Ends a login"),
    row(
        ("post", path::CHALLENGE),
        Takes::Nothing,
        SMALL,
        (200, Some(CBOR)),
        "Asks for a challenge",
    ),
    row(("post", path::TOKEN), Takes::Nothing, SMALL, (200, Some(CBOR)), "Answers a challenge"),
    row(
        ("get", path::ACCOUNT),
        Takes::DeviceToken,
        None,
        (200, Some(CBOR)),
        "How the account stands",
    ),
    row(
        ("delete", path::ACCOUNT),
        Takes::DeviceToken,
        None,
        (204, None),
        "Lets go of the account and its vault",
    ),
    row(
        ("post", path::PASSWORD_BEGIN),
        Takes::DeviceToken,
        SMALL,
        (200, Some(CBOR)),
        "Begins a new password",
    ),
    row(
        ("post", path::PASSWORD_END),
        Takes::DeviceToken,
        SMALL,
        (204, None),
        "Ends a new password",
    ),
    row(
        ("post", path::PAIRING_PUT),
        Takes::DeviceToken,
        PAIRING,
        (204, None),
        "Puts a message for a new device into a box",
    ),
    row(
        ("post", path::PAIRING_ANSWER),
        Takes::Nothing,
        PAIRING,
        (204, None),
        "Puts a message of a new device into a box",
    ),
    row(
        ("post", path::PAIRING_TAKE),
        Takes::Nothing,
        SMALL,
        (200, Some(CBOR)),
        "A message in a box",
    ),
    row(("post", path::PAIRING_CLOSE), Takes::DeviceToken, SMALL, (204, None), "Takes a box away"),
    row(
        ("post", path::HEADS),
        Takes::AnyToken,
        KNOWN,
        (200, Some(CBOR)),
        "Heads beside those known",
    ),
    row(
        ("post", path::PUSH),
        Takes::AnyToken,
        Some((CBOR, PUSH_BYTES_MAX)),
        (200, Some(CBOR)),
        "Takes a head and entries",
    ),
    row(("post", path::READ), Takes::AnyToken, SMALL, (200, Some(CBOR)), "Entries of a feed"),
    row(("post", path::HAS), Takes::AnyToken, KNOWN, (200, Some(CBOR)), "Whether chunks are there"),
    row(
        ("post", path::FORGET),
        Takes::DeviceToken,
        SMALL,
        (200, Some(CBOR)),
        "Lets go of what a snapshot covers",
    ),
    row(("get", CHUNK), Takes::AnyToken, None, (200, Some(OCTETS)), "A sealed chunk"),
    row(
        ("put", CHUNK),
        Takes::DeviceToken,
        Some((OCTETS, CHUNK_BYTES_MAX)),
        (204, None),
        "Keeps a sealed chunk",
    ),
    row(
        ("get", path::EVENTS),
        Takes::AnyToken,
        None,
        (200, Some(EVENT_STREAM)),
        "Server-sent events",
    ),
    row(("get", LOG), Takes::DeviceToken, None, (200, Some(TEXT)), "The vault's access log"),
];

/// The document (OpenAPI 3.1).
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(members) = item.as_object_mut() {
            members.insert(operation.method.to_owned(), describe(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Aura server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A blind store over HTTPS. Bodies are canonical CBOR; spec/http.md has their shapes.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": problem() },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters = vec![json!({
        "name": PROTOCOL_HEADER, "in": "header", "required": true,
        "schema": { "type": "string", "enum": [PROTOCOL.to_string()] },
    })];
    if operation.path == CHUNK {
        parameters.push(json!({
            "name": "name", "in": "path", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        }));
    }
    if operation.path == LOG {
        parameters.push(json!({
            "name": "name", "in": "path", "required": true,
            "schema": { "type": "string", "pattern": "^(checkpoint|key)$" },
        }));
    }
    let (status, media) = operation.answer;
    let done = match media {
        Some(media) => json!({ "description": "Done", "content": { media: {} } }),
        None => json!({ "description": "Done" }),
    };
    let mut answers = Map::new();
    answers.insert(status.to_string(), done);
    for kind in ProblemKind::ALL {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        let answer = json!({ "description": "A problem", "content": { PROBLEM_JSON: { "schema": schema } } });
        answers.insert(kind.status().to_string(), answer);
    }
    let mut members = json!({
        "summary": operation.what,
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(members) = members.as_object_mut() {
        if let Some((media, bytes)) = operation.body {
            let schema = json!({ "type": "string", "format": "binary", "maxLength": bytes });
            let content = json!({ media: { "schema": schema } });
            members.insert("requestBody".into(), json!({ "required": true, "content": content }));
        }
        if operation.takes != Takes::Nothing {
            members.insert("security".into(), json!([{ "token": [] }]));
        }
    }
    members
}

fn problem() -> Value {
    let codes: Vec<String> =
        ProblemKind::ALL.iter().map(|kind| format!("urn:aura:problem:{}", kind.code())).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "enum": codes },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "feed": { "type": "string" },
            "number": { "type": "integer" },
        },
        "additionalProperties": false,
    })
}
