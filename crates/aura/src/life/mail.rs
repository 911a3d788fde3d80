// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mailbox: one mboxrd file of MIME messages in several charsets.
//!
//! Source: RFC 4155, 5322, 2045, 2046; `From ` in a line's beginning is written `>From `.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use super::Tally;
use super::charset::{Charset, base64_lines, header_text, quoted_printable};
use super::date::{At, day};
use super::letter::{self, Letter};
use super::post::{self, Series};
use super::random::{Dice, fill};
use super::{paper, people};

/// A mail before it is written.
struct Mail {
    id: String,
    /// Ids of the mails it answers, oldest first.
    answers: Vec<String>,
    from: String,
    to: String,
    at: At,
    charset: Charset,
    subject: String,
    body: String,
    enclosed: Option<&'static str>,
    is_newsletter: bool,
}

/// Writes `mail.mbox` below `folder`.
pub(super) fn write(folder: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let mut mails = letters();
    for (index, series) in post::SERIES.iter().enumerate() {
        repeat(series, index, dice, &mut mails);
    }
    mails.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    tally.add("email", mails.len());
    let mut mailbox = Vec::new();
    for mail in &mails {
        append(&mut mailbox, mail);
    }
    fs::write(folder.join("mail.mbox"), mailbox)
}

fn letters() -> Vec<Mail> {
    let mut mails: Vec<Mail> = Vec::new();
    for (index, one) in letter::LETTERS.iter().enumerate() {
        let answers = match mails.last() {
            Some(before) if one.subject.starts_with("Re: ") => {
                before.answers.iter().chain([&before.id]).cloned().collect()
            }
            _ => Vec::new(),
        };
        mails.push(hand_written(index, one, answers));
    }
    mails
}

fn hand_written(index: usize, one: &Letter, answers: Vec<String>) -> Mail {
    Mail {
        id: format!("letter-{index:03}@velbrueck.example"),
        answers,
        from: address(one.from),
        to: address(one.to),
        at: one.at,
        charset: one.charset,
        subject: one.subject.to_owned(),
        body: one.body.to_owned(),
        enclosed: letter::ENCLOSED.iter().find(|row| row.0 == one.subject).map(|row| row.1),
        is_newsletter: false,
    }
}

fn repeat(series: &Series, index: usize, dice: &mut Dice, mails: &mut Vec<Mail>) {
    let mut last = "";
    for year in series.years.0..=series.years.1 {
        for month in (1..=12).step_by(usize::try_from(series.every).unwrap_or(1)) {
            let at = day(year, month, dice.between(2, 27)).plus_minutes(dice.between(380, 1320));
            if at > day(2026, 10, 20) {
                continue;
            }
            let mut body = dice.pick(series.bodies);
            while body == last && series.bodies.len() > 1 {
                body = dice.pick(series.bodies);
            }
            last = body;
            let values = values(year, month, dice);
            let slots: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            mails.push(Mail {
                id: format!("series-{index:02}-{year}-{month:02}@post.example"),
                answers: Vec::new(),
                from: address(series.from),
                to: address(people::SELF),
                at,
                charset: series.charset,
                subject: fill(dice.pick(series.subjects), &slots),
                body: fill(body, &slots),
                enclosed: None,
                is_newsletter: series.from.starts_with("Concert letter"),
            });
        }
    }
}

fn values(year: i64, month: i64, dice: &mut Dice) -> [(&'static str, String); 12] {
    let name = usize::try_from(month - 1).ok().and_then(|index| post::MONTHS.get(index));
    [
        ("weather", dice.pick(&post::WEATHER).to_owned()),
        ("topic", dice.pick(&post::TOPICS).to_owned()),
        ("topic_fr", dice.pick(&post::TOPICS_FR).to_owned()),
        ("cargo", dice.pick(&post::CARGO).to_owned()),
        ("food", dice.pick(&post::FOOD).to_owned()),
        ("place", dice.pick(&post::PLACES).to_owned()),
        ("composer", dice.pick(&post::COMPOSERS).to_owned()),
        ("month", format!("{}/{year}", name.copied().unwrap_or_default())),
        ("amount", format!("{},{:02}", dice.between(31, 96), dice.between(0, 99))),
        ("low", dice.between(3, 19).to_string()),
        ("km", dice.between(6, 24).to_string()),
        ("code", format!("SR-{}", dice.between(10_000, 99_999))),
    ]
}

/// A header's address, from a person's key or from itself.
fn address(from: &str) -> String {
    if let Some((name, address)) = from.split_once(" <") {
        return format!("{} <{address}", header_text(name));
    }
    let one = people::find(from);
    format!("{} <{}>", header_text(&one.name()), one.mail)
}

fn append(mailbox: &mut Vec<u8>, mail: &Mail) {
    let mut bytes = head(mail);
    let (encoding, text) = transfer(mail.charset, &mail.body);
    let plain = [
        format!("Content-Type: text/plain; charset={}\n", mail.charset.name()).into_bytes(),
        format!("Content-Transfer-Encoding: {encoding}\n\n").into_bytes(),
        text,
        b"\n".to_vec(),
    ]
    .concat();
    let boundary = format!("=_{}", mail.id.split('@').next().unwrap_or_default());
    let second = match mail.enclosed {
        Some(name) => Some(("mixed", enclosure(name))),
        None if mail.is_newsletter => Some(("alternative", page(&mail.body))),
        None => None,
    };
    match second {
        Some((kind, part)) => {
            let opening = format!("Content-Type: multipart/{kind};\n boundary=\"{boundary}\"\n\n");
            bytes.extend_from_slice(format!("{opening}--{boundary}\n").as_bytes());
            bytes.extend_from_slice(&plain);
            bytes.extend_from_slice(format!("--{boundary}\n{part}--{boundary}--\n").as_bytes());
        }
        None => bytes.extend_from_slice(&plain),
    }
    let sender = mail.from.rsplit('<').next().unwrap_or_default().trim_end_matches('>');
    mailbox.extend_from_slice(format!("From {sender} {}\n", mail.at.asctime()).as_bytes());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let unquoted = line.iter().position(|byte| *byte != b'>').unwrap_or(0);
        if line.get(unquoted..).is_some_and(|rest| rest.starts_with(b"From ")) {
            mailbox.push(b'>');
        }
        mailbox.extend_from_slice(line);
    }
    mailbox.push(b'\n');
}

fn head(mail: &Mail) -> Vec<u8> {
    let mut head = format!(
        "From: {}\nTo: {}\nDate: {}\nMessage-ID: <{}>\nSubject: {}\n",
        mail.from,
        mail.to,
        mail.at.mail(),
        mail.id,
        header_text(&mail.subject)
    );
    if let Some(before) = mail.answers.last() {
        let _ = writeln!(head, "In-Reply-To: <{before}>");
        let all: Vec<String> = mail.answers.iter().map(|id| format!("<{id}>")).collect();
        let _ = writeln!(head, "References: {}", all.join("\n "));
    }
    head.push_str("MIME-Version: 1.0\n");
    head.into_bytes()
}

fn transfer(charset: Charset, text: &str) -> (&'static str, Vec<u8>) {
    let bytes = charset.encode(text);
    let strange = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    if strange == 0 && longest < 900 {
        ("7bit", bytes)
    } else if strange * 4 > bytes.len() {
        ("base64", base64_lines(&bytes).into_bytes())
    } else if charset == Charset::Utf8 && longest < 900 {
        ("8bit", bytes)
    } else {
        ("quoted-printable", quoted_printable(&bytes).into_bytes())
    }
}

fn page(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let html = format!("<html><body><p>{text}</p><p><b>Small halls</b></p></body></html>");
    format!(
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n{}\n",
        quoted_printable(html.as_bytes())
    )
}

fn enclosure(name: &'static str) -> String {
    let (kind, bytes) = match name.rsplit('.').next() {
        Some("png") => ("image/png", paper::picture(40, [230, 244, 255], [30, 60, 150])),
        Some("csv") => (
            "text/csv",
            b"time,place,price\n10:00,Graca,318500\n12:00,Alvalade,305000\n15:00,Campo de Ourique,380000\n"
                .to_vec(),
        ),
        _ => {
            let lines = ["For Nora Velbrueck.", "A letter of the sample life; nothing in it is real."];
            ("application/pdf", paper::letter(name, &lines.map(str::to_owned)))
        }
    };
    format!(
        "Content-Type: {kind}; name=\"{name}\"\nContent-Disposition: attachment; filename=\"{name}\"\n\
         Content-Transfer-Encoding: base64\n\n{}",
        base64_lines(&bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_its_charset() {
        for one in letter::LETTERS {
            assert!(one.charset.holds(one.body), "{}", one.subject);
        }
        for series in post::SERIES {
            assert!(series.bodies.iter().all(|body| series.charset.holds(body)), "{}", series.from);
        }
        let values = values(2020, 1, &mut Dice::new(1));
        assert_eq!(values[7].1, "01/2020");
    }

    #[test]
    fn no_slot_is_left_open_and_threads_go_forward() {
        let mut mails = letters();
        for (index, series) in post::SERIES.iter().enumerate() {
            repeat(series, index, &mut Dice::new(7), &mut mails);
        }
        for mail in &mails {
            assert!(!mail.body.contains('{') && !mail.subject.contains('{'), "{}", mail.body);
        }
        for answer in mails.iter().filter(|mail| !mail.answers.is_empty()) {
            let before = mails.iter().find(|mail| Some(&mail.id) == answer.answers.last()).unwrap();
            assert!(before.at < answer.at, "{}", answer.subject);
        }
    }

    #[test]
    fn a_line_that_looks_like_a_separator_is_quoted() {
        let mut mailbox = Vec::new();
        letters().iter().for_each(|mail| append(&mut mailbox, mail));
        let text = String::from_utf8_lossy(&mailbox);
        assert!(text.contains("\n>From the archive"));
        assert_eq!(text.matches("\nFrom ").count() + 1, letter::LETTERS.len());
    }
}
