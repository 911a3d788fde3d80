// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events in the Open Cybersecurity Schema Framework (OCSF), for programs that watch many systems.
//!
//! Reading and writing records is Datastore Activity (6005), opening and shutting a lock is Authentication (3002),
//! keys, slots, devices, grants and clients are entities that are managed (3004). What has no class is a base event
//! (0) and not pressed into one. What an event says and the class has no attribute for stands under `unmapped`.
//! Source: ocsf-schema 1.3.0.

use serde_json::{Value, json};

use crate::moment;
use crate::view::Event;

const SCHEMA_VERSION: &str = "1.3.0";

/// What kind of thing an event is there.
enum Class {
    /// Authentication 3002: logon or logoff.
    Authentication(u64, &'static str),
    /// Entity Management 3004, and what is managed.
    Entity(u64, &'static str, &'static str),
    /// Datastore Activity 6005.
    Datastore(u64, &'static str),
    /// Base event 0.
    Base,
}

impl Class {
    fn of(action: &str) -> Self {
        let (create, update, delete) = ((1, "Create"), (3, "Update"), (4, "Delete"));
        let entity = |(id, name), what| Self::Entity(id, name, what);
        match action {
            "unlock" | "failed-unlock" | "unlock-second" | "failed-unlock-second" => {
                Self::Authentication(1, "Logon")
            }
            "lock" | "lock-second" => Self::Authentication(2, "Logoff"),
            "read" | "export" | "read-audit" => Self::Datastore(1, "Read"),
            "search" | "count" => Self::Datastore(4, "Query"),
            "write" | "import" => Self::Datastore(5, "Write"),
            "delete" | "compact" => Self::Datastore(7, "Delete"),
            "create" => entity(create, "vault"),
            "slot-add" => entity(create, "key slot"),
            "slot-remove" => entity(delete, "key slot"),
            "rotate" => entity(update, "key"),
            "device-add" => entity(create, "device"),
            "device-confirm" | "device-retire" => entity(update, "device"),
            "device-revoke" => entity(delete, "device"),
            "grant" => entity(create, "grant"),
            "ungrant" => entity(delete, "grant"),
            "connect" => entity(create, "assistant client"),
            "disconnect" => entity(delete, "assistant client"),
            _ => Self::Base,
        }
    }

    /// (category, its name, class, its name, activity, its name)
    fn numbers(&self) -> (u64, &'static str, u64, &'static str, u64, &'static str) {
        match *self {
            Self::Authentication(id, name) => {
                (3, "Identity & Access Management", 3002, "Authentication", id, name)
            }
            Self::Entity(id, name, _) => {
                (3, "Identity & Access Management", 3004, "Entity Management", id, name)
            }
            Self::Datastore(id, name) => {
                (6, "Application Activity", 6005, "Datastore Activity", id, name)
            }
            Self::Base => (0, "Uncategorized", 0, "Base Event", 99, "Other"),
        }
    }
}

/// The event of a vault with this id.
pub(super) fn event(vault: &str, event: &Event) -> Value {
    let class = Class::of(&event.action);
    let (category_uid, category_name, class_uid, class_name, activity_id, activity_name) =
        class.numbers();
    let is_success = event.outcome == "done" && !event.action.starts_with("failed-");
    let (severity_id, severity) = match (event.action.as_str(), is_success) {
        ("anomaly", _) => (4, "High"),
        (_, true) => (1, "Informational"),
        (_, false) => (2, "Low"),
    };
    let mut found = json!({
        "category_uid": category_uid, "category_name": category_name,
        "class_uid": class_uid, "class_name": class_name,
        "activity_id": activity_id, "activity_name": activity_name,
        "type_uid": class_uid.saturating_mul(100).saturating_add(activity_id),
        "type_name": format!("{class_name}: {activity_name}"),
        "time": moment::parse(&event.time, 0).unwrap_or_default(),
        "severity_id": severity_id, "severity": severity,
        "status_id": if is_success { 1 } else { 2 },
        "status": if is_success { "Success" } else { "Failure" },
        "status_detail": event.outcome,
        "metadata": {
            "version": SCHEMA_VERSION,
            "product": { "name": "Aura", "vendor_name": "Aura", "version": env!("CARGO_PKG_VERSION") },
            "log_name": format!("aura/audit/{}/{}", event.device, event.incarnation),
            "sequence": event.number,
            "uid": event.hash,
            "event_code": event.action,
            "original_time": event.time,
        },
        "unmapped": {
            "vault": vault,
            "device": event.device,
            "categories": event.categories,
            "count": event.count,
            "grant": event.grant,
        },
    });
    let Some(members) = found.as_object_mut() else { return found };
    let endpoint = json!({ "uid": event.device });
    match class {
        Class::Authentication(..) => {
            members.insert("user".to_owned(), user(&event.who));
            members.insert("service".to_owned(), json!({ "name": "Aura", "uid": vault }));
        }
        Class::Entity(_, _, what) => {
            let grant = (what == "grant" && !event.grant.is_empty()).then_some(&event.grant);
            let mut entity = json!({ "name": what, "type": what });
            if let (Some(uid), Some(entity)) = (grant, entity.as_object_mut()) {
                entity.insert("uid".to_owned(), json!(uid));
            }
            members.insert("entity".to_owned(), entity);
        }
        Class::Datastore(..) => {
            let database =
                json!({ "name": "vault", "uid": vault, "type": "Encrypted vault", "type_id": 99 });
            members.insert("database".to_owned(), database);
        }
        Class::Base => return found,
    }
    members.insert("actor".to_owned(), actor(&event.who));
    members.insert("src_endpoint".to_owned(), endpoint);
    found
}

fn actor(who: &str) -> Value {
    match who.strip_prefix("assistant:") {
        Some(name) => json!({ "app_name": name, "user": user(who) }),
        None => json!({ "user": user(who) }),
    }
}

fn user(who: &str) -> Value {
    match who {
        "owner" => json!({ "name": who, "type_id": 1, "type": "User" }),
        "system" => json!({ "name": who, "type_id": 3, "type": "System" }),
        _ => json!({ "name": who, "type_id": 99, "type": "Assistant" }),
    }
}

#[cfg(test)]
mod tests {
    use aura_vault::audit::Action;

    use super::*;

    fn mapped(action: &str, outcome: &str, who: &str) -> Value {
        let found: Event = serde_json::from_value(json!({
            "number": 3, "device": "d1", "incarnation": "i1", "time": "2026-11-24T01:02:03.004Z",
            "who": who, "action": action, "outcome": outcome, "categories": ["mail"], "count": 2,
            "grant": "g1", "hash": "h1",
        }))
        .unwrap();
        event("v1", &found)
    }

    /// What ocsf-schema 1.3.0 requires of every event, and of the classes that are used here.
    fn required(class_uid: u64) -> &'static [&'static str] {
        match class_uid {
            0 => &[],
            3002 => &["/user/name", "/service/name"],
            3004 => &["/entity/name"],
            6005 => {
                &["/actor/user/name", "/src_endpoint/uid", "/database/type_id", "/database/uid"]
            }
            _ => panic!("no class of this table"),
        }
    }

    #[test]
    fn every_action_has_what_its_class_requires() {
        let base = [
            "/activity_id",
            "/category_uid",
            "/class_uid",
            "/metadata/product/name",
            "/metadata/product/vendor_name",
            "/metadata/version",
            "/severity_id",
            "/time",
            "/type_uid",
        ];
        for action in Action::ALL {
            let found = mapped(action.as_str(), "done", "owner");
            let number = |name: &str| found[name].as_u64().unwrap();
            let class = number("class_uid");
            for path in base.iter().chain(required(class)) {
                assert!(found.pointer(path).is_some(), "{path} of {found}");
            }
            assert_eq!(number("type_uid"), class * 100 + number("activity_id"));
            assert_eq!(number("category_uid"), class / 1000);
            // Only these two have no class of their own.
            let is_base = ["anomaly", "rebuild"].contains(&action.as_str());
            assert_eq!(class == 0, is_base, "{}", action.as_str());
        }
    }

    #[test]
    fn who_what_and_how_it_ended_are_said() {
        let read = mapped("read", "refused", "assistant:claude");
        assert_eq!(read["class_uid"], 6005);
        assert_eq!((&read["status_id"], &read["status_detail"]), (&json!(2), &json!("refused")));
        assert_eq!(read["actor"]["app_name"], "claude");
        assert_eq!(read["actor"]["user"]["type_id"], 99);
        assert_eq!(read["time"], 1_795_482_123_004_i64);
        assert_eq!(read["unmapped"]["count"], 2);
        assert_eq!(read["metadata"]["log_name"], "aura/audit/d1/i1");
        // Wrong passwords are counted in an event that was done.
        let failed = mapped("failed-unlock", "done", "owner");
        assert_eq!((&failed["class_uid"], &failed["status_id"]), (&json!(3002), &json!(2)));
        assert_eq!(mapped("ungrant", "done", "owner")["entity"]["uid"], "g1");
        assert_eq!(mapped("device-add", "done", "owner")["entity"].get("uid"), None);
        assert_eq!(mapped("anomaly", "failed", "system")["severity_id"], 4);
    }
}
