// SPDX-License-Identifier: MIT OR Apache-2.0
//! The notes folder: Markdown with front matter and links, and the files that notes show.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use super::Tally;
use super::date::{At, City, day};
use super::note_home::Note;
use super::random::{Dice, fill};
use super::{note_home, note_world, paper, people};

const RUNNING_DAYS: i64 = 1_480;
const PROJECTS: [(&str, &[&str]); 3] = [
    ("Berlin", &["the radio studio", "the school on the canal", "the church in Pankow"]),
    ("Paris", &["the salle du canal", "the small opera", "the library reading room"]),
    ("Lisbon", &["the harbour theatre", "the fado museum", "the London rehearsal rooms"]),
];

/// Writes the folder `Notes` below `folder`.
pub(super) fn write(folder: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let root = folder.join("Notes");
    fs::create_dir_all(root.join(".obsidian"))?;
    fs::write(root.join(".obsidian").join("app.json"), "{\"alwaysUpdateLinks\": true}\n")?;
    for note in note_home::NOTES.iter().chain(note_world::NOTES) {
        write_note(&root, note.path, &hand_written(note))?;
        tally.add("note", 1);
    }
    for one in people::cast().iter().filter(|one| one.key != people::SELF) {
        let text = format!(
            "---\ntags: [people]\naliases: [{}]\n---\n\n# {}\n\n{}\n\nMail: {}\n",
            one.given,
            one.name(),
            one.remark,
            one.mail
        );
        write_note(&root, &format!("People/{}", one.name()), &text)?;
        tally.add("note", 1);
    }
    write_diaries(&root, dice, tally)?;
    write_files(&root, tally)
}

fn write_note(root: &Path, path: &str, text: &str) -> io::Result<()> {
    let file = root.join(format!("{path}.md"));
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(file, text)
}

fn front(at: At, tags: &str) -> String {
    let tags = tags.split(' ').collect::<Vec<_>>().join(", ");
    format!("---\ncreated: {}\ntags: [{tags}]\n---\n\n", at.iso())
}

fn hand_written(note: &Note) -> String {
    let title = note.path.rsplit('/').next().unwrap_or(note.path);
    format!("{}# {title}\n\n{}\n", front(note.at, note.tags), note.text)
}

/// A training diary and a work diary, a note a month each.
fn write_diaries(root: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let first_run = day(2022, 9, 1);
    let end = first_run.plus_days(RUNNING_DAYS);
    for year in 2016..=2026 {
        for month in 1..=12 {
            let start = day(year, month, 1);
            if start >= first_run && start <= end {
                let text = training(start, dice);
                write_note(root, &format!("Running/Diary/{year}-{month:02} training"), &text)?;
                tally.add("note", 1);
            }
            if month % 3 == 1 && start <= end {
                let text = work(start, dice);
                write_note(root, &format!("Work/Diary/{year}-{month:02} work"), &text)?;
                tally.add("note", 1);
            }
        }
    }
    Ok(())
}

fn training(start: At, dice: &mut Dice) -> String {
    let mut text = front(start.plus_days(27), "running diary");
    let (year, month, _) = start.civil();
    let _ =
        writeln!(text, "# Training {year}-{month:02}\n\nPlan: [[Marathon plan 2023]], [[Knee]].\n");
    let mut on = start.plus_days(dice.between(0, 2));
    let mut last = "";
    while on < start.plus_days(27) {
        let mut line = dice.pick(&note_world::RUNS);
        while line == last {
            line = dice.pick(&note_world::RUNS);
        }
        last = line;
        let km = format!("{}.{}", dice.between(5, 21), dice.between(0, 9));
        let pace = format!("{}:{:02}", dice.between(5, 6), dice.between(0, 59));
        let _ = writeln!(text, "- {}: {}", on.date(), fill(line, &[("km", &km), ("pace", &pace)]));
        on = on.plus_days(dice.between(2, 5));
    }
    text
}

fn work(start: At, dice: &mut Dice) -> String {
    let city = City::of(start).name();
    let projects = PROJECTS.iter().find(|row| row.0 == city).map_or(&[][..], |row| row.1);
    let mut text = front(start.plus_days(85), "work diary");
    let _ = writeln!(text, "# Work in {city}, quarter from {}\n", start.date());
    let mut last = "";
    for week in 0..6 {
        let mut line = dice.pick(&note_world::WEEKS);
        while line == last {
            line = dice.pick(&note_world::WEEKS);
        }
        last = line;
        let line = fill(line, &[("project", dice.pick(projects))]);
        let _ = writeln!(text, "## {}\n\n{line}\n", start.plus_days(week * 14).date());
    }
    text
}

fn write_files(root: &Path, tally: &mut Tally) -> io::Result<()> {
    let files = root.join("attachments");
    fs::create_dir_all(&files)?;
    let pictures: [(&str, [u8; 3], [u8; 3]); 5] = [
        ("terrace.png", [196, 222, 240], [222, 120, 60]),
        ("graca window.png", [250, 240, 220], [60, 90, 140]),
        ("motte.png", [235, 235, 235], [110, 110, 120]),
        ("finish line.png", [240, 248, 200], [200, 40, 60]),
        ("map of quiet.png", [255, 255, 255], [20, 20, 60]),
    ];
    for (name, paper, ink) in pictures {
        fs::write(files.join(name), paper::picture(48, paper, ink))?;
    }
    fs::write(
        files.join("noise measurements.csv"),
        "place,night,dB(A)\nGraça bedroom,2025-03-28,29\nGraça bedroom,2025-04-05,29\n\
         Alvalade bedroom,2025-03-28,44\nCampo de Ourique bedroom,2025-03-28,33\n",
    )?;
    let lines =
        ["Buyer: Nora Velbrueck, Teo Marchetti-Lund", "Rua das Andorinhas 27, 3.o Esq., Lisbon"];
    let mut lines: Vec<String> = lines.map(str::to_owned).to_vec();
    lines.push("Price 318 500 EUR, deposit 31 850 EUR, deed on 18 June 2025".to_owned());
    fs::write(
        files.join("promissory contract.pdf"),
        paper::letter("Lisbon flat: contract", &lines),
    )?;
    fs::write(
        files.join("emergency contacts.txt"),
        "Teo first, then Jonte, then Dona Graça (she has the key and hears everything).\n",
    )?;
    tally.add("file", pictures.len() + 3);
    Ok(())
}
