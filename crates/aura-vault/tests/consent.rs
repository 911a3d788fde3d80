// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an assistant gets under what was granted to it, and what it does not. Source: spec/consent.md.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::sync::atomic::Ordering;

use aura_protocol::id::{GrantId, RecordId};
use aura_vault::audit::{Action, Event, Outcome};
use aura_vault::gate::{GateError, Granted, Guest, Session};
use aura_vault::grant::{Assistant, Rate, Right, Terms};
use aura_vault::record::{Category, Draft, Kind};
use aura_vault::vault::{Unlocked, Vault};
use serde_json::json;
use support::{Bench, START_MS, fields, note, owner};

const HOUR_MS: i64 = 3_600_000;
/// In a record of every category, and nowhere else.
const CANARY: &str = "quetzalcoatlus";

fn claude() -> Assistant {
    Assistant::new("claude").unwrap()
}

/// To find and read these categories, for an hour.
fn terms(categories: &[Category]) -> Terms {
    Terms {
        rights: [Right::Search, Right::Read].into(),
        categories: categories.iter().copied().collect(),
        kinds: None,
        fields: None,
        after: None,
        before: None,
        records: None,
        rate: None,
        from: START_MS,
        until: START_MS + HOUR_MS,
        why: String::new(),
    }
}

fn draft(kind: Kind, category: Category, name: &str, text: &str) -> Draft {
    Draft {
        kind,
        category,
        source_id: Some(format!("{category}/{name}")),
        fields: fields(json!({"name": name, "text": text})),
        ..note("", "", "")
    }
}

/// A vault with a record of each category, and the session of its owner.
fn life(bench: &Bench) -> (Vault<Unlocked>, Session, Vec<(Category, RecordId)>) {
    let (vault, _) = bench.create();
    let session = owner(&vault);
    let add = |category: Category| {
        let text = format!("The {CANARY} of {category}.");
        (category, session.add(&draft(Kind::Note, category, "A canary", &text)).unwrap())
    };
    let ids = Category::ALL.iter().copied().map(add).collect();
    (vault, session, ids)
}

/// Claude's door, after it was connected anew.
fn door(vault: &Vault<Unlocked>) -> Guest {
    let key = owner(vault).connect(&claude()).unwrap();
    vault.guest(claude(), &key, None).unwrap()
}

fn ids(guest: &Guest, query: &str) -> Vec<RecordId> {
    guest.search(query, 100).unwrap().found.iter().map(|found| found.id).collect()
}

/// The events of assistants, oldest first.
fn events(session: &Session) -> Vec<Event> {
    let mut events = Vec::new();
    session.audit(&mut |logged| events.push(logged.event)).unwrap();
    events.retain(|event| event.principal.starts_with("assistant:"));
    events
}

fn last_event(session: &Session) -> (Action, Outcome, Vec<Category>, u64, String) {
    let event = events(session).pop().unwrap();
    (event.action, event.outcome, event.categories, event.count, event.grant)
}

/// Nothing is granted by default; a refusal is on the record.
#[test]
fn cns_4_without_a_grant_there_is_nothing() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let guest = door(&vault);
    let refused = guest.search(CANARY, 10).unwrap_err();
    assert!(matches!(refused, GateError::NotGranted(Right::Search)));
    assert!(matches!(guest.get(all[0].1).unwrap_err(), GateError::NotGranted(Right::Read)));
    assert!(matches!(guest.count("").unwrap_err(), GateError::NotGranted(Right::Count)));
    let refusals: Vec<_> = events(&session).iter().map(|e| (e.action, e.outcome)).collect();
    let expected = [Action::Search, Action::Read, Action::Count].map(|a| (a, Outcome::Refused));
    assert_eq!(refusals, expected);
    assert_eq!(guest.grants().unwrap(), []);
}

/// attack AST-01: an assistant that follows every order that it finds in a text gets nothing but what was granted,
/// whatever it asks for: the canary of each category comes under a grant of that category alone.
#[test]
fn ast_01_no_call_leaves_the_grant() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let guest = door(&vault);
    let queries = [CANARY, "", "quetz*", "kuetzalcoatlus", "-nothing", "canary OR health"];
    for category in Category::ALL.iter().filter(|category| **category != Category::Credentials) {
        let mut wanted = Terms { until: START_MS + 24 * HOUR_MS, ..terms(&[*category]) };
        wanted.rights.insert(Right::Count);
        let granted = session.give(&claude(), wanted).unwrap();
        let inside: Vec<_> = all.iter().filter(|(c, _)| c == category).map(|(_, id)| *id).collect();
        for query in queries {
            assert_eq!(ids(&guest, query), inside, "{category}: {query}");
            assert_eq!(guest.count(query).unwrap(), u64::from(query != "kuetzalcoatlus"));
        }
        for other in Category::ALL.iter().filter(|other| *other != category) {
            assert_eq!(ids(&guest, &format!("category:{other}")), []);
            assert_eq!(ids(&guest, &format!("{CANARY} OR category:{other}")), inside);
        }
        for (of, id) in &all {
            match guest.get(*id) {
                Ok(shown) => assert_eq!((shown.category, of), (*category, category)),
                Err(error) => {
                    assert!(matches!(error, GateError::NotShown));
                    let (action, outcome, categories, ..) = last_event(&session);
                    assert_eq!((action, outcome), (Action::Read, Outcome::Refused));
                    assert_eq!(categories, [*of], "the person sees what was asked for");
                }
            }
            // So many refusals would be counted together.
            bench.clock.0.fetch_add(60_000, Ordering::Relaxed);
        }
        session.end_grant(granted.grant.id).unwrap();
    }
    assert!(matches!(
        session.give(&claude(), terms(&[Category::Credentials])),
        Err(GateError::Terms(_))
    ));
}

/// CNS-9: outside, deleted and made up are one answer.
#[test]
fn cns_9_outside_is_as_if_it_were_not_there() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    session.give(&claude(), terms(&[Category::Notes])).unwrap();
    let guest = door(&vault);
    let notes = all.iter().find(|(category, _)| *category == Category::Notes).unwrap().1;
    assert_eq!(guest.get(notes).unwrap().id, notes);
    session.remove(notes).unwrap();
    let health = all.iter().find(|(category, _)| *category == Category::Health).unwrap().1;
    let answers =
        [notes, health, RecordId([7; 16])].map(|id| guest.get(id).unwrap_err().to_string());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(ids(&guest, CANARY), []);
}

/// CNS-3: a grant begins, ends by itself, ends at once when it is taken back, and is not made longer by a clock that is
/// set back.
#[test]
fn cns_3_a_grant_counts_in_its_time_alone() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let guest = door(&vault);
    let at = |ms: i64| bench.clock.0.store(ms, Ordering::Relaxed);
    let is_refused = || matches!(guest.search(CANARY, 9), Err(GateError::NotGranted(_)));
    let later = Terms {
        from: START_MS + HOUR_MS,
        until: START_MS + 2 * HOUR_MS,
        ..terms(&[Category::Mail])
    };
    let granted = session.give(&claude(), later.clone()).unwrap();
    assert!(!granted.is_active);
    at(HOUR_MS - 100);
    assert!(is_refused());
    at(HOUR_MS);
    assert_eq!(ids(&guest, CANARY).len(), 1);
    session.end_grant(granted.grant.id).unwrap();
    assert!(is_refused(), "on the next call");
    assert!(matches!(session.end_grant(granted.grant.id), Err(GateError::NoGrant)));
    assert!(matches!(session.end_grant(GrantId([1; 16])), Err(GateError::NoGrant)));
    session.give(&claude(), later).unwrap();
    assert!(!is_refused());
    at(2 * HOUR_MS);
    assert!(is_refused());
    at(HOUR_MS);
    assert!(is_refused(), "the refusal itself was written later than that");
    let (known, unknown) = session.grants().unwrap();
    assert_eq!((known.len(), unknown), (2, 0));
}

/// CNS-4: kinds, times, names and rights are limits; what several grants cover is found in one search.
#[test]
fn cns_4_a_grant_covers_what_it_says() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let at = |kind, category, name, time_ms| {
        let draft = Draft { time_ms: Some(time_ms), ..draft(kind, category, name, "A pterosaur.") };
        session.add(&draft).unwrap()
    };
    let early = at(Kind::Note, Category::Notes, "early", 1000);
    let in_time = at(Kind::Note, Category::Notes, "in time", 2000);
    let late = at(Kind::Note, Category::Notes, "late", 3000);
    let task = at(Kind::Task, Category::Notes, "a task", 2000);
    let mail = at(Kind::Email, Category::Mail, "mail", 9000);
    let window = Terms {
        kinds: Some([Kind::Note].into()),
        after: Some(2000),
        before: Some(3000),
        ..terms(&[Category::Notes])
    };
    session.give(&claude(), window).unwrap();
    let guest = door(&vault);
    assert_eq!(ids(&guest, "pterosaur"), [in_time]);
    for id in [early, late, task, mail] {
        assert!(guest.get(id).is_err());
    }
    let only_search = Terms { rights: [Right::Search].into(), ..terms(&[Category::Mail]) };
    session.give(&claude(), only_search).unwrap();
    let mut both = ids(&guest, "pterosaur");
    both.sort_unstable();
    assert_eq!(both, [in_time, mail]);
    assert!(guest.get(mail).is_err(), "found, and not read");
    let cursor = Assistant::new("cursor").unwrap();
    let key = session.connect(&cursor).unwrap();
    let other = vault.guest(cursor, &key, None).unwrap();
    assert!(matches!(other.search("pterosaur", 9), Err(GateError::NotGranted(_))));
}

/// An assistant is told what was granted to it, and counts now; not what was to others.
#[test]
fn an_assistant_knows_its_own_grants() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let cursor = Assistant::new("cursor").unwrap();
    session.give(&cursor, terms(&[Category::Mail])).unwrap();
    let [one, gone, later] = [0, 0, HOUR_MS / 2].map(|from| {
        let terms = Terms { from: START_MS + from, ..terms(&[Category::Notes]) };
        session.give(&claude(), terms).unwrap().grant
    });
    session.end_grant(gone.id).unwrap();
    let guest = door(&vault);
    assert_eq!(guest.grants().unwrap(), std::slice::from_ref(&one));
    bench.clock.0.store(HOUR_MS / 2, Ordering::Relaxed);
    assert_eq!(guest.grants().unwrap(), [one, later]);
}

/// CNS-4: of two grants that cover a record the one that shows all of it counts, also where it came later.
#[test]
fn cns_4_the_grant_that_shows_more_counts() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let notes = all.iter().find(|(category, _)| *category == Category::Notes).unwrap().1;
    let some = Terms { fields: Some(["name".to_owned()].into()), ..terms(&[Category::Notes]) };
    session.give(&claude(), some).unwrap();
    let guest = door(&vault);
    assert!(!guest.get(notes).unwrap().is_whole);
    let whole = Terms { records: Some(1), ..terms(&[Category::Notes]) };
    session.give(&claude(), whole).unwrap();
    assert!(guest.get(notes).unwrap().is_whole);
    assert!(!guest.get(notes).unwrap().is_whole, "that one is used up");
}

/// CNS-5: fields that are not shown are in no answer, and found by nothing.
#[test]
fn cns_5_what_is_withheld_is_not_shown_nor_found() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let card = json!({"name": "Dentist", "text": "Root canal", "extra": {"raw": "Root canal"}});
    let event = Draft { fields: fields(card), ..draft(Kind::Event, Category::Calendar, "", "") };
    let id = session.add(&event).unwrap();
    let busy = Terms { fields: Some(["name".to_owned()].into()), ..terms(&[Category::Calendar]) };
    let rights = [Right::Search, Right::Read, Right::Count].into();
    session.give(&claude(), Terms { rights, ..busy }).unwrap();
    let guest = door(&vault);
    let shown = guest.get(id).unwrap();
    assert_eq!((shown.title.as_str(), shown.is_whole), ("Dentist", false));
    assert_eq!(serde_json::Value::Object(shown.fields), json!({"name": "Dentist"}));
    let found = guest.search("category:calendar kind:event", 9).unwrap().found;
    assert_eq!((found.len(), found[0].title.as_str(), found[0].text.as_str()), (1, "Dentist", ""));
    for query in
        ["canal", "-canal", "dentist", "from:x", "to:x", "tag:x", "source:x", "has:attachment"]
    {
        assert!(matches!(guest.search(query, 9), Err(GateError::FieldsOnly)), "{query}");
        assert!(matches!(guest.count(query), Err(GateError::FieldsOnly)), "{query}");
    }
    assert_eq!(guest.count("kind:event").unwrap(), 1);
    // Another grant shows all of another category: words are looked for there alone.
    session.give(&claude(), terms(&[Category::Mail])).unwrap();
    assert_eq!(ids(&guest, "canal"), []);
    assert_eq!(ids(&guest, CANARY).len(), 1);
}

/// attack AST-08: reading slowly, or all at once, ends where the grant says, on all devices and after views are built
/// anew.
#[test]
fn ast_08_a_grant_is_used_up() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let add = |n: u32| session.add(&note(&n.to_string(), "A note", "about pterosaurs")).unwrap();
    let all: Vec<_> = (0..9).map(add).collect();
    let few = Terms { records: Some(5), ..terms(&[Category::Notes]) };
    let granted = session.give(&claude(), few).unwrap();
    let guest = door(&vault);
    guest.get(all[0]).unwrap();
    let found = guest.search("pterosaurs", 2).unwrap();
    assert_eq!((found.found.len(), found.is_cut), (2, false));
    let found = guest.search("pterosaurs", 9).unwrap();
    assert_eq!((found.found.len(), found.is_cut), (2, true), "two were left");
    assert!(matches!(guest.get(all[0]), Err(GateError::UsedUp)));
    assert!(matches!(guest.search("pterosaurs", 9), Err(GateError::UsedUp)));
    let used = |session: &Session| session.grants().unwrap().0[0].records;
    assert_eq!(used(&session), 5);
    drop((session, guest, vault));
    let vault = bench.unlock();
    let session = owner(&vault);
    session.rebuild().unwrap();
    assert_eq!(used(&session), 5, "counted again from the log");
    assert!(matches!(door(&vault).get(all[0]), Err(GateError::UsedUp)));
    let Granted { grant, .. } = session.give(&claude(), terms(&[Category::Notes])).unwrap();
    assert_eq!(door(&vault).get(all[0]).unwrap().id, all[0], "under another grant");
    assert_eq!(last_event(&session).4, grant.id.to_string());
    assert_ne!(grant.id, granted.grant.id);
}

/// attack AST-08: and so many at a time.
#[test]
fn ast_08_a_grant_has_a_rate() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let notes = all.iter().find(|(category, _)| *category == Category::Notes).unwrap().1;
    let rate = Some(Rate { records: 2, seconds: 60 });
    session.give(&claude(), Terms { rate, ..terms(&[Category::Notes]) }).unwrap();
    let guest = door(&vault);
    guest.get(notes).unwrap();
    assert_eq!(ids(&guest, CANARY).len(), 1);
    assert!(matches!(guest.get(notes), Err(GateError::UsedUp)));
    bench.clock.0.fetch_add(61_000, Ordering::Relaxed);
    guest.get(notes).unwrap();
}

/// CNS-7: who read what is on the record when the answer is there, under which grant, and without content.
#[test]
fn cns_7_every_answer_is_on_the_record() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let wanted = [Category::Notes, Category::Mail];
    let grant = session.give(&claude(), terms(&wanted)).unwrap().grant.id.to_string();
    let guest = door(&vault);
    guest.search(CANARY, 9).unwrap();
    let event = |action, categories: &[Category], count| {
        (action, Outcome::Done, categories.to_vec(), count, grant.clone())
    };
    assert_eq!(last_event(&session), event(Action::Search, &[Category::Mail, Category::Notes], 2));
    guest.search("nowhere", 9).unwrap();
    assert_eq!(last_event(&session), event(Action::Search, &[Category::Mail, Category::Notes], 0));
    let notes = all.iter().find(|(category, _)| *category == Category::Notes).unwrap().1;
    guest.get(notes).unwrap();
    assert_eq!(last_event(&session), event(Action::Read, &[Category::Notes], 1));
    let mut given = Vec::new();
    session.audit(&mut |logged| given.push(logged.event)).unwrap();
    let given: Vec<_> = given.iter().filter(|event| event.action == Action::Grant).collect();
    assert_eq!((given.len(), given[0].principal.as_str()), (1, "owner"));
    assert_eq!((given[0].grant.as_str(), given[0].categories.len()), (grant.as_str(), 2));
    assert!(session.verify_audit().unwrap().is_ok);
    // Durable, and not only counted.
    drop((session, guest, vault));
    assert_eq!(events(&owner(&bench.unlock())).len(), 3);
}

/// CNS-8, attack LOG-09: refusals without end do not fill the log, and none is missing from it.
#[test]
fn log_09_many_refusals_are_one_event() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let guest = door(&vault);
    let before = events(&session).len();
    let refused: Vec<_> = (0..1000).map(|_| guest.search("x", 9).unwrap_err()).collect();
    let is_many = |error: &&GateError| matches!(error, GateError::TooMany);
    assert_eq!(refused.iter().filter(is_many).count(), 970);
    session.tick().unwrap();
    let refusals = events(&session).split_off(before);
    assert_eq!(refusals.len(), 31);
    assert!(refusals.iter().all(|event| event.outcome == Outcome::Refused));
    assert_eq!(refusals.iter().map(|event| event.count).sum::<u64>(), 1000);
    // A grant counts at once all the same.
    session.give(&claude(), terms(&[Category::Notes])).unwrap();
    assert_eq!(ids(&guest, CANARY).len(), 1);
}

/// CNS-10: how a hit is ranked, and whether a misspelling is guessed, follows from what is covered alone.
#[test]
fn cns_10_what_is_outside_changes_no_answer() {
    let answers = [false, true].map(|has_more| {
        let bench = Bench::new();
        let (vault, _) = bench.create();
        let session = owner(&vault);
        for (n, text) in ["pterosaur and lizard", "lizard lizard", "pterosaur"].iter().enumerate() {
            session.add(&note(&n.to_string(), &format!("note {n}"), text)).unwrap();
        }
        if has_more {
            for n in 0..50 {
                let name = n.to_string();
                let text = "lizard lizardy pterosaurs outside";
                session.add(&draft(Kind::Email, Category::Mail, &name, text)).unwrap();
            }
        }
        session.give(&claude(), terms(&[Category::Notes])).unwrap();
        let guest = door(&vault);
        ["pterosaur lizard", "pterosaur OR lizard", "lizerd", "outside", "lizardy"].map(|query| {
            let found = guest.search(query, 9).unwrap().found;
            found.into_iter().map(|found| (found.title, found.text)).collect::<Vec<_>>()
        })
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][3], []);
}

/// CNS-11, attack AST-11: only who shows the key gets in, and only the program that showed it first; a new key ends the
/// old one, and who was sent away does not come in.
#[test]
fn ast_11_a_key_opens_for_one_program() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    session.give(&claude(), terms(&[Category::Notes])).unwrap();
    let opens = |key: &str, program: Option<&str>| {
        vault.guest(claude(), key, program).map(|guest| ids(&guest, CANARY).len())
    };
    let refused = |opened: Result<usize, GateError>| opened.unwrap_err();
    assert!(matches!(refused(opens("", None)), GateError::NotConnected));
    let key = session.connect(&claude()).unwrap();
    assert!(matches!(refused(opens("00", Some("/opt/claude"))), GateError::NotConnected));
    assert_eq!(last_event(&session).0, Action::Connect);
    assert_eq!(opens(&key, Some("/opt/claude")).unwrap(), 1);
    assert_eq!(session.connected().unwrap(), [(claude(), Some("/opt/claude".to_owned()))]);
    assert!(matches!(refused(opens(&key, Some("/tmp/thief"))), GateError::OtherProgram));
    let (action, outcome, ..) = last_event(&session);
    assert_eq!((action, outcome), (Action::Connect, Outcome::Refused));
    assert_eq!(opens(&key, Some("/opt/claude")).unwrap(), 1);
    let newer = session.connect(&claude()).unwrap();
    assert!(matches!(refused(opens(&key, Some("/opt/claude"))), GateError::NotConnected));
    assert_eq!(opens(&newer, Some("/opt/other")).unwrap(), 1, "a new key, a new program");
    session.disconnect(&claude()).unwrap();
    assert!(matches!(refused(opens(&newer, Some("/opt/other"))), GateError::NotConnected));
    assert!(matches!(session.disconnect(&claude()), Err(GateError::NotConnected)));
    assert_eq!(session.connected().unwrap(), []);
}

/// CNS-6, CNS-10: what is used up is looked at by no search: whether there is something that it would show is not told,
/// nor how much; also where another grant is not used up.
#[test]
fn cns_10_what_is_used_up_answers_nothing() {
    let bench = Bench::new();
    let (vault, session, all) = life(&bench);
    let notes = all.iter().find(|(category, _)| *category == Category::Notes).unwrap().1;
    let rights: std::collections::BTreeSet<_> = [Right::Search, Right::Read, Right::Count].into();
    let one = Terms { records: Some(1), rights: rights.clone(), ..terms(&[Category::Notes]) };
    session.give(&claude(), one).unwrap();
    session.give(&claude(), Terms { rights, ..terms(&[Category::Mail]) }).unwrap();
    let guest = door(&vault);
    guest.get(notes).unwrap();
    for query in [format!("category:notes {CANARY}"), "category:notes nowhere".to_owned()] {
        let answer = guest.search(&query, 9).unwrap();
        assert_eq!((answer.found.len(), answer.is_cut), (0, true), "{query}");
        assert_eq!(guest.count(&query).unwrap(), 0);
    }
    assert_eq!(ids(&guest, CANARY).len(), 1, "the mail");
    assert!(matches!(guest.get(notes), Err(GateError::UsedUp)));
    // What is left shows some fields: nothing is looked for by words.
    let some = Terms { fields: Some(["name".to_owned()].into()), ..terms(&[Category::Notes]) };
    session.grants().unwrap().0.iter().for_each(|granted| {
        if granted.grant.terms.records.is_none() {
            session.end_grant(granted.grant.id).unwrap();
        }
    });
    session.give(&claude(), some).unwrap();
    assert!(matches!(guest.search(CANARY, 9), Err(GateError::UsedUp)));
    assert_eq!(guest.search("category:notes", 9).unwrap().found[0].text, "");
}

/// CNS-8, attack LOG-09: names without number, and calls that show nothing, do not fill the record either.
#[test]
fn log_09_strangers_and_empty_calls_are_few_events() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    for n in 0..100 {
        let who = Assistant::new(&format!("name{n}")).unwrap();
        assert!(vault.guest(who, "00", None).is_err());
    }
    session.tick().unwrap();
    let mut strangers = Vec::new();
    session.audit(&mut |logged| strangers.push(logged.event)).unwrap();
    strangers.retain(|event| event.principal == "assistant");
    let count: u64 = strangers.iter().map(|event| event.count).sum();
    assert_eq!((strangers.len(), count), (31, 100));
    session.give(&claude(), terms(&[Category::Notes])).unwrap();
    let guest = door(&vault);
    let answered = (0..700).filter(|_| guest.search("nowhere", 9).is_ok()).count();
    assert_eq!(answered, 600);
    assert_eq!(events(&session).iter().filter(|event| event.outcome == Outcome::Done).count(), 600);
    bench.clock.0.fetch_add(60_000, Ordering::Relaxed);
    assert!(guest.search("nowhere", 9).is_ok());
}

/// LOG-12: what is not understood, and what only the person may ask, is on the record as well.
#[test]
fn log_12_every_refusal_is_on_the_record() {
    let bench = Bench::new();
    let (vault, session, _) = life(&bench);
    let guest = door(&vault);
    assert!(matches!(guest.search("after:soon", 9), Err(GateError::NotGranted(_))));
    session.give(&claude(), terms(&[Category::Notes])).unwrap();
    let before = events(&session).len();
    assert!(matches!(guest.search("after:soon", 9), Err(GateError::Query(_))));
    assert!(matches!(guest.turn_away(), Err(GateError::Refused(_))));
    let refused: Vec<_> = events(&session).split_off(before);
    let refused: Vec<_> = refused.iter().map(|event| (event.action, event.outcome)).collect();
    assert_eq!(refused, [Action::Search, Action::Connect].map(|a| (a, Outcome::Refused)));
}

/// What an assistant looks at behind the second lock keeps that no longer open, nor does what it may not see.
#[test]
fn an_assistant_uses_no_second_lock() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some("another battery staple"));
    vault.unlock_second("another battery staple").unwrap();
    let session = owner(&vault);
    let add = |category| session.add(&draft(Kind::Note, category, "one", CANARY)).unwrap();
    let [health, login] = [Category::Health, Category::Credentials].map(add);
    session.give(&claude(), terms(&[Category::Health])).unwrap();
    let guest = door(&vault);
    let uses = vault.second_uses();
    assert_eq!(ids(&guest, CANARY), [health]);
    assert_eq!(guest.get(health).unwrap().id, health);
    assert!(guest.get(login).is_err());
    assert_eq!(vault.second_uses(), uses);
    session.get(health).unwrap();
    assert!(vault.second_uses() > uses);
    vault.lock_second().unwrap();
    assert_eq!(ids(&guest, CANARY), []);
    assert!(matches!(guest.get(health), Err(GateError::NotShown)));
}
