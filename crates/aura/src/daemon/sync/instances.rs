// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instances that were announced, and whose they are: whoever waits longest is asked first, whoever did not answer less
//! and less often. Source: spec/peer.md, rule PEE-10.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aura_protocol::id::DeviceId;

/// Instances of one vault that are remembered at once.
const FOUND_MAX: usize = 64;
/// How long whoever was found and did not answer is left alone, at first and at last.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// What was announced under one name.
struct Instance {
    places: Vec<String>,
    whose: Whose,
}

enum Whose {
    Known(DeviceId),
    /// To be asked then; after a failure, what pause led there.
    Unknown(Instant, Option<Duration>),
    /// Asked at the moment; the same.
    Asked(Option<Duration>),
}

impl Instance {
    fn is_of(&self, device: DeviceId) -> bool {
        matches!(self.whose, Whose::Known(known) if known == device)
    }
}

/// What is remembered.
#[derive(Default)]
pub(super) struct Instances {
    instances: BTreeMap<String, Instance>,
    has_passed_over: bool,
}

impl Instances {
    /// Takes note of an announcement. The device that moved, if it is known and did.
    pub(super) fn note(
        &mut self,
        name: String,
        places: Vec<String>,
        now: Instant,
    ) -> Option<DeviceId> {
        if let Some(instance) = self.instances.get_mut(&name) {
            if instance.places == places {
                return None;
            }
            instance.places = places;
            return match &mut instance.whose {
                Whose::Known(device) => Some(*device),
                Whose::Unknown(due, _) => {
                    *due = now;
                    None
                }
                Whose::Asked(_) => None,
            };
        }
        if self.instances.len() >= FOUND_MAX && !self.make_room() {
            self.has_passed_over = true;
            return None;
        }
        self.instances.insert(name, Instance { places, whose: Whose::Unknown(now, None) });
        None
    }

    /// Lets go of who failed to answer most often.
    fn make_room(&mut self) -> bool {
        let failed = self.instances.iter().filter_map(|(name, instance)| match instance.whose {
            Whose::Unknown(_, Some(pause)) => Some((pause, name)),
            _ => None,
        });
        let Some(name) = failed.max().map(|(_, name)| name.clone()) else { return false };
        self.instances.remove(&name).is_some()
    }

    /// Whether somebody was passed over for want of room.
    pub(super) fn has_passed_over(&self) -> bool {
        self.has_passed_over
    }

    /// It is announced no more. The device that is nowhere now, if one is.
    pub(super) fn gone(&mut self, name: &str) -> Option<DeviceId> {
        let Whose::Known(device) = self.instances.remove(name)?.whose else { return None };
        (!self.instances.values().any(|other| other.is_of(device))).then_some(device)
    }

    /// Whom to ask now: who is due since longest, and where.
    pub(super) fn ask(&mut self, now: Instant) -> Option<(String, Vec<String>)> {
        let due = self.instances.iter_mut().filter_map(|(name, instance)| match instance.whose {
            Whose::Unknown(due, failed) if due <= now => Some((due, failed, name, instance)),
            _ => None,
        });
        let (_, failed, name, instance) = due.min_by_key(|(due, ..)| *due)?;
        instance.whose = Whose::Asked(failed);
        Some((name.clone(), instance.places.clone()))
    }

    /// What asking came to. The device and where it is, if it is one and still announced.
    pub(super) fn answered(
        &mut self,
        name: &str,
        met: Option<DeviceId>,
        now: Instant,
    ) -> Option<(DeviceId, Vec<String>)> {
        let instance = self.instances.get_mut(name)?;
        let Whose::Asked(failed) = instance.whose else { return None };
        let Some(device) = met else {
            let pause = failed.map_or(PAUSE_MIN, |last| last.saturating_mul(2).min(PAUSE_MAX));
            let due = now.checked_add(pause).unwrap_or(now);
            instance.whose = Whose::Unknown(due, Some(pause));
            return None;
        };
        instance.whose = Whose::Known(device);
        Some((device, instance.places.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 16]);

    fn places(port: u16) -> Vec<String> {
        vec![format!("10.0.0.1:{port}")]
    }

    /// PEE-10: dead names, however they are called, are in no live one's way.
    #[test]
    fn pee_10_who_waits_longest_is_asked_first() {
        let (mut instances, begun) = (Instances::default(), Instant::now());
        for name in ["a", "b", "c", "z"] {
            instances.note(name.to_owned(), places(7), begun);
        }
        // Each question to a dead one takes longer than the first pause.
        let mut now = begun;
        for _ in 0..4 {
            let (name, _) = instances.ask(now).unwrap();
            if name == "z" {
                let met = instances.answered(&name, Some(DEVICE), now);
                assert_eq!(met, Some((DEVICE, places(7))));
                assert_eq!(instances.gone("z"), Some(DEVICE));
                return;
            }
            now += Duration::from_secs(4);
            assert_eq!(instances.answered(&name, None, now), None);
        }
        panic!("the live one had no turn");
    }

    #[test]
    fn one_that_fails_is_asked_less_and_less_often() {
        let (mut instances, mut now) = (Instances::default(), Instant::now());
        instances.note("a".to_owned(), places(7), now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let (name, _) = instances.ask(now).unwrap();
            assert!(instances.ask(now).is_none(), "one question at a time");
            instances.answered(&name, None, now);
            assert!(instances.ask(now + Duration::from_millis(seconds * 1000 - 1)).is_none());
            now += Duration::from_secs(seconds);
        }
        // In another place it may answer.
        instances.ask(now).unwrap();
        instances.answered("a", None, now);
        assert_eq!(instances.note("a".to_owned(), places(7), now), None);
        assert!(instances.ask(now).is_none());
        instances.note("a".to_owned(), places(8), now);
        assert_eq!(instances.ask(now), Some(("a".to_owned(), places(8))));
    }

    #[test]
    fn who_is_known_moves_and_goes() {
        let (mut instances, now) = (Instances::default(), Instant::now());
        for name in ["a", "b"] {
            instances.note(name.to_owned(), places(7), now);
            instances.ask(now).unwrap();
            assert!(instances.answered(name, Some(DEVICE), now).is_some());
        }
        assert_eq!(instances.note("a".to_owned(), places(7), now), None);
        assert_eq!(instances.note("a".to_owned(), places(8), now), Some(DEVICE));
        assert_eq!(instances.gone("a"), None, "it is there under another name");
        assert_eq!(instances.gone("b"), Some(DEVICE));
        assert_eq!(instances.answered("b", Some(DEVICE), now), None, "it has gone meanwhile");
    }

    /// PEE-10: so many are remembered, and who never answered makes room for another one.
    #[test]
    fn pee_10_memory_is_bounded() {
        let (mut instances, now) = (Instances::default(), Instant::now());
        let name = |n: usize| format!("{n:03}");
        for n in 0..FOUND_MAX {
            instances.note(name(n), places(7), now);
        }
        assert!(!instances.has_passed_over());
        instances.note(name(900), places(7), now);
        assert!(instances.has_passed_over());
        assert_eq!(instances.instances.len(), FOUND_MAX);
        let (failed, _) = instances.ask(now).unwrap();
        instances.answered(&failed, None, now);
        instances.note(name(901), places(7), now);
        assert_eq!(instances.instances.len(), FOUND_MAX);
        assert!(instances.instances.contains_key(&name(901)));
        assert!(!instances.instances.contains_key(&failed));
    }
}
