// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids of attacks and faults, and where a text names them.

/// The words that ids of cases stand behind, on the same line.
const LEADS: [&str; 4] = ["attack", "attacks", "fault", "faults"];
const LETTERS_MAX: usize = 4;

/// Whether a word is the id of an attack or a fault: capitals, a hyphen, two digits.
pub(crate) fn is_id(word: &str) -> bool {
    let Some((letters, number)) = word.split_once('-') else { return false };
    is_family(letters) && number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The letters of an id.
pub(crate) fn family(id: &str) -> &str {
    id.split_once('-').map_or(id, |(letters, _)| letters)
}

fn is_family(letters: &str) -> bool {
    (1..=LETTERS_MAX).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The words of a line, and whether each is named as a case: it stands behind `attack` or `fault`, or behind
/// another one that does.
pub(crate) fn words(line: &str) -> Vec<(&str, bool)> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found = Vec::new();
    let mut is_led = false;
    for word in line.split(move |c| !is_inside(c)).filter(|word| !word.is_empty()) {
        let is_lead = LEADS.iter().any(|lead| lead.eq_ignore_ascii_case(word));
        let is_case = is_led && is_id(word);
        found.push((word, is_case));
        is_led = is_lead || is_case || (is_led && word == "and");
    }
    found
}

/// The cases that a line names.
pub(crate) fn named(line: &str) -> Vec<&str> {
    words(line).into_iter().filter(|(_, is_case)| *is_case).map(|(word, _)| word).collect()
}

/// The cases that the beginning of a test's name says: `frk_01_` and `f_01_f_02_`.
pub(crate) fn of_name(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('_').collect();
    let is_pair = |pair: &&[&str]| is_id(&joined(pair)) && pair.iter().all(|part| is_lower(part));
    parts.chunks_exact(2).take_while(is_pair).map(joined).collect()
}

fn joined(pair: &[&str]) -> String {
    pair.join("-").to_ascii_uppercase()
}

fn is_lower(part: &str) -> bool {
    !part.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_behind_their_word() {
        assert_eq!(
            named("/// Attacks INT-05, FRK-13 and DEV-01: x"),
            ["INT-05", "FRK-13", "DEV-01"]
        );
        assert_eq!(named("/// REP-21, fault F-08, KEY-12: x"), ["F-08", "KEY-12"]);
        assert_eq!(named("/// attack KEY-05, faults F-01"), ["KEY-05", "F-01"]);
        assert_eq!(named("/// an attack by KEY-05, and INT-05"), [""; 0]);
        assert_eq!(named("/// attack KEY-5 or INT-005"), [""; 0]);
    }

    #[test]
    fn ids_stand_first_in_a_name() {
        assert_eq!(of_name("frk_01_a_rollback"), ["FRK-01"]);
        assert_eq!(of_name("f_01_f_02_a_power_cut"), ["F-01", "F-02"]);
        assert_eq!(of_name("a_frk_01_rollback"), [""; 0]);
        assert_eq!(of_name("rfc_8032_first"), [""; 0]);
    }
}
