// SPDX-License-Identifier: MIT OR Apache-2.0
//! Categories and kinds, what is said about a record, its time and its origin (REC-1 to REC-5).

use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::sample::{CLOCK, RECORD, body, hex, op, write};

fn of(fields: &[(&str, Option<&str>)]) -> Value {
    let place = json!(["d0".repeat(16), "1c".repeat(8), 1, 0]);
    let body = hex(&body(&[op(CLOCK, write(fields, &[]))]));
    json!({ "record": RECORD.to_string(), "ops": [{ "place": place, "body": body }] })
}

pub(crate) fn cases() -> Vec<Case> {
    let record = |name, note| Case::accepted("record", name, note);
    let origin = |name, note| Case::accepted("origin", name, note);
    vec![
        Case::accepted("words", "REC-1_categories", "every category").of(json!("category")),
        Case::accepted("words", "REC-2_kinds", "every kind").of(json!("kind")),
        record("REC-3_about", "what is said about the record is no part of its standard form").of(
            of(&[
                ("text", Some("\"hi\"")),
                ("aura:source", Some("\"markdown\"")),
                ("aura:x", Some("1")),
            ]),
        ),
        record("REC-4_own-time", "a record that says when it was")
            .of(of(&[("aura:time", Some("-5"))])),
        record("REC-4_no-integer", "a time that is no integer: that of the id")
            .of(of(&[("aura:time", Some("\"soon\""))])),
        origin("REC-5_origin", "the example")
            .of(json!({ "source": "markdown", "source_id": "a.md" })),
        origin("REC-5_boundary", "the length tells the source from the id")
            .of(json!({ "source": "markdowna", "source_id": ".md" })),
    ]
}
