// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the vault is kept: its locks, ways to open it, what is wrong, and what nobody has proved.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::frame::{Answer, Frame, show};
use super::hall::Hall;
use super::session::Visit;
use super::words::{label, line};
use crate::screen::{count, counted, size};
use crate::view::{Slot, Status};
use crate::wire::Request;

/// One thing to know.
struct Row {
    label: &'static str,
    text: String,
    /// What to type, if something is to be done.
    command: &'static str,
    is_well: bool,
}

#[derive(Template)]
#[template(path = "safety.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    slots: Vec<String>,
    warnings: Vec<String>,
    vault: String,
    folder: String,
    sealed: Option<(String, String)>,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Answer {
    let (status, slots) = hall
        .with(|client| {
            let status: Status = client.ask(&Request::Status)?;
            let slots: Vec<Slot> = client.ask(&Request::Slots)?;
            Ok((status, slots))
        })
        .await?;
    Ok(show(&Page {
        frame: Frame::new("Safety", "/safety", &visit),
        rows: rows(&status),
        slots: slots.iter().map(|slot| label(&slot.kind)).collect(),
        warnings: status.warnings.iter().map(|warning| line(warning)).collect(),
        vault: status.vault_id.clone(),
        folder: line(&status.home),
        sealed: status
            .log_bytes
            .zip(status.attachment_bytes)
            .map(|(log, files)| (size(log), size(files))),
    }))
}

fn rows(status: &Status) -> Vec<Row> {
    let idle = span(status.idle_lock_seconds);
    let second = match (status.second_lock, status.second_lock_open) {
        (false, _) => "None: health and credentials share the one lock.".to_owned(),
        (true, Some(true)) => {
            let idle = span(status.second_idle_lock_seconds);
            format!("Open: health and credentials shut after {idle} without use.")
        }
        (true, _) => {
            let waiting = counted(status.waiting.unwrap_or_default(), "sealed change");
            format!("Shut: {waiting} of health and credentials waiting behind it.")
        }
    };
    let bad = status.quarantined.unwrap_or_default();
    vec![
        Row {
            label: "Lock",
            text: format!("Open. It locks after {idle} without use, and once the machine wakes from sleep."),
            command: "",
            is_well: true,
        },
        Row {
            label: "Second lock",
            text: second,
            command: if status.second_lock { "" } else { "aura second set" },
            is_well: status.second_lock,
        },
        Row {
            label: "Memory",
            text: if status.memory == "locked" {
                "The keys stay out of swap.".to_owned()
            } else {
                label(&line(&status.memory))
            },
            command: "",
            is_well: status.memory == "locked",
        },
        Row {
            label: "Damage",
            text: match bad {
                0 => "Nothing was found unreadable so far. A full check has not been run by this page.".to_owned(),
                bad => format!("{} cannot be read.", count(bad)),
            },
            command: "aura verify",
            is_well: bad == 0,
        },
        Row {
            label: "Backup",
            text: "None is known: Aura does not make backups by itself yet. Keep an archive elsewhere; it is not encrypted.".to_owned(),
            command: "aura export --archive FILE",
            is_well: false,
        },
    ]
}

fn span(seconds: u64) -> String {
    match seconds {
        seconds if seconds.is_multiple_of(3600) => counted(seconds / 3600, "hour"),
        seconds if seconds.is_multiple_of(60) => counted(seconds / 60, "minute"),
        seconds => counted(seconds, "second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is called well that nobody has proved.
    #[test]
    fn what_is_not_known_is_not_well() {
        let status = Status { quarantined: Some(2), ..Status::default() };
        let well: Vec<_> = rows(&status).iter().map(|row| (row.label, row.is_well)).collect();
        assert_eq!(
            well,
            [
                ("Lock", true),
                ("Second lock", false),
                ("Memory", false),
                ("Damage", false),
                ("Backup", false)
            ]
        );
        assert_eq!([span(900), span(7200), span(61)], ["15 minutes", "2 hours", "61 seconds"]);
    }
}
