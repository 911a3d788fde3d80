// SPDX-License-Identifier: MIT OR Apache-2.0
//! The people of the sample life, and their cards as an address book exports them.
//!
//! Nobody here exists: names are made up, domains and telephone numbers are from ranges reserved
//! for fiction. Source: RFC 2426 (vCard 3.0), RFC 6350 (vCard 4.0).

use std::fmt::Write as _;

use super::date::{At, day};

/// Somebody who writes or is written to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Person {
    /// The short name under which texts refer to them.
    pub(super) key: &'static str,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) mail: &'static str,
    phone: &'static str,
    work: &'static str,
    city: &'static str,
    birthday: &'static str,
    pub(super) remark: &'static str,
}

type Row = [&'static str; 9];

/// The person whose life it is, as the first of `ROWS`.
pub(super) const SELF: &str = "nora";

const ROWS: &[Row] = &[
    [
        "nora",
        "Nora",
        "Velbrück",
        "nora@velbrueck.example",
        "+49 30 23125 101",
        "Tidewater Rooms|Acoustician",
        "Lisbon",
        "1989-05-17",
        "Me.",
    ],
    [
        "teo",
        "Teo",
        "Marchetti-Lund",
        "teo@marchetti-lund.example",
        "+44 20 7946 0101",
        "|Map illustrator",
        "Lisbon",
        "1987-11-02",
        "Met at the map fair in March 2018. Allergic to walnuts. Never phone before coffee.",
    ],
    [
        "ilse",
        "Ilse",
        "Velbrück",
        "ilse@velbrueck.example",
        "+49 171 3920001",
        "|Retired librarian",
        "Bremen",
        "1957-02-09",
        "Mama. Calls on Sundays at six.",
    ],
    [
        "hinrich",
        "Hinrich",
        "Velbrück",
        "hinrich@velbrueck.example",
        "+49 171 3920002",
        "|Clockmaker",
        "Bremen",
        "1956-08-21",
        "Papa. Reads mail on Wednesdays, in the workshop.",
    ],
    [
        "jonte",
        "Jonte",
        "Velbrück",
        "jonte@velbrueck.example",
        "+49 171 3920003",
        "Hafenlicht|Harbour pilot",
        "Bremen",
        "1992-12-01",
        "Brother. Night shifts: write, do not ring.",
    ],
    [
        "fenja",
        "Fenja",
        "Velbrück",
        "fenja@velbrueck.example",
        "",
        "",
        "Bremen",
        "2019-02-14",
        "Niece and godchild. Wants to be a whale.",
    ],
    [
        "marit",
        "Marit",
        "Oltmanns",
        "marit@oltmanns.example",
        "+49 171 3920004",
        "|Midwife",
        "Bremen",
        "1991-07-30",
        "Jonte’s wife.",
    ],
    [
        "camille",
        "Camille",
        "Aubépine",
        "camille@atelier-ondine.example",
        "+33 1 99 00 11 01",
        "Atelier Ondine|Director",
        "Paris",
        "1979-03-25",
        "First my boss, then my friend. Knows every bakery.",
    ],
    [
        "bastien",
        "Bastien",
        "Corvol",
        "bastien@atelier-ondine.example",
        "+33 1 99 00 11 02",
        "Atelier Ondine|Modeller",
        "Paris",
        "1990-10-11",
        "Builds the 1:10 models.",
    ],
    [
        "ines",
        "Inês",
        "Carvalhal",
        "ines@casas-andorinha.example",
        "+44 20 7946 0102",
        "Casas Andorinha|Estate agent",
        "Lisbon",
        "1985-06-13",
        "Showed us all three flats, told us not to take two of them. A friend since.",
    ],
    [
        "beatriz",
        "Beatriz",
        "Salgueira",
        "beatriz@salgueira-direito.example",
        "+44 20 7946 0103",
        "Salgueira Direito|Lawyer",
        "Lisbon",
        "",
        "Contract and deed of the flat. Answers within the hour.",
    ],
    [
        "rui",
        "Rui",
        "Patamar",
        "rui.patamar@example.org",
        "+44 20 7946 0104",
        "|Seller of the flat",
        "Setúbal",
        "",
        "Grew up in the flat. Left us the piano stool.",
    ],
    [
        "graca",
        "Graça",
        "Loureiro",
        "graca.loureiro@example.org",
        "+44 20 7946 0105",
        "|Neighbour, second floor",
        "Lisbon",
        "1944-04-25",
        "Dona Graça. Has our spare key. Feeds Motte.",
    ],
    [
        "kofi",
        "Kofi",
        "Brightwater",
        "kofi@tidewater-rooms.example",
        "+44 20 7946 0106",
        "Tidewater Rooms|Founder",
        "London",
        "1980-01-19",
        "Boss since May 2025. Prefers drawings to paragraphs.",
    ],
    [
        "wanda",
        "Wanda",
        "Okonjo-Pike",
        "wanda@tidewater-rooms.example",
        "+44 20 7946 0107",
        "Tidewater Rooms|Producer",
        "London",
        "1994-09-09",
        "Keeps the calendar honest.",
    ],
    [
        "haruko",
        "Haruko",
        "Minazuki",
        "haruko@minazuki.example",
        "+1 202 555 0101",
        "Minazuki Hall Acoustics|Acoustician",
        "Kyoto",
        "1986-04-03",
        "水無月春子. Kyoto conference 2016. Writes the best letters.",
    ],
    [
        "yuhe",
        "Yuhe",
        "Lin",
        "yuhe@lin-studio.example",
        "+1 202 555 0102",
        "Lin Studio|Instrument builder",
        "Taipei",
        "1990-01-28",
        "林雨禾. Builds bamboo flutes. Guest room always ready.",
    ],
    [
        "lucia",
        "Lucía",
        "Ferrándiz",
        "lucia@ferrandiz.example",
        "+1 202 555 0103",
        "|Physiotherapist",
        "Valencia",
        "1988-08-15",
        "Running partner by mail. Marathon 3:28, never mentions it (often).",
    ],
    [
        "salma",
        "Salma",
        "Benyadir",
        "salma@benyadir.example",
        "+1 202 555 0104",
        "Atelier Benyadir|Ceramist",
        "Rabat",
        "1989-12-22",
        "سلمى. Shared a flat as students. The blue bowls are hers.",
    ],
    [
        "amsel",
        "Konrad",
        "Amsel",
        "praxis@amsel.example",
        "+49 30 23125 110",
        "Praxis Dr. Amsel|General practitioner",
        "Berlin",
        "",
        "Doctor until 2019.",
    ],
    [
        "solene",
        "Solène",
        "Marchais",
        "cabinet@marchais-medecin.example",
        "+33 1 99 00 11 10",
        "Cabinet Marchais|General practitioner",
        "Paris",
        "",
        "Found the iron deficiency in November 2021.",
    ],
    [
        "vasco",
        "Vasco",
        "Telheiro",
        "clinica@telheiro.example",
        "+44 20 7946 0110",
        "Clínica Telheiro|Sports doctor",
        "Lisbon",
        "",
        "Knee and yearly blood test since 2025.",
    ],
    [
        "detlef",
        "Detlef",
        "Krumbholz",
        "detlef@klangwerk-nord.example",
        "+49 30 23125 120",
        "Klangwerk Nord|Managing director",
        "Berlin",
        "1961-05-05",
        "First boss. Measured everything twice.",
    ],
    [
        "aylin",
        "Aylin",
        "Toprak-Weiss",
        "aylin@klangwerk-nord.example",
        "+49 30 23125 121",
        "Klangwerk Nord|Acoustician",
        "Berlin",
        "1988-10-30",
        "Desk neighbour for five years. Sauna on Thursdays.",
    ],
    [
        "oskar",
        "Oskar",
        "Rehwinkel",
        "oskar@umzuege-rehwinkel.example",
        "+49 30 23125 130",
        "Umzüge Rehwinkel|Removals",
        "Berlin",
        "",
        "Both moves. Careful with the piano, careless with estimates.",
    ],
    [
        "priya",
        "Priya",
        "Saltmarsh",
        "priya@saltmarsh.example",
        "+1 202 555 0105",
        "|Radio producer",
        "Dublin",
        "1987-07-07",
        "Interviewed me on silence, 2023.",
    ],
    [
        "matteo",
        "Matteo",
        "Marchetti",
        "matteo@marchetti.example",
        "+1 202 555 0106",
        "|Teo’s father",
        "Trieste",
        "1955-03-19",
        "Plays chess by postcard.",
    ],
    [
        "birgit",
        "Birgit",
        "Lund",
        "birgit@lund.example",
        "+1 202 555 0107",
        "|Teo’s mother",
        "Aarhus",
        "1958-06-24",
        "Sends rye starter through the post.",
    ],
    [
        "joao",
        "João",
        "Bicas",
        "joao@bicas-canalizacao.example",
        "+44 20 7946 0111",
        "Bicas Canalização|Plumber",
        "Lisbon",
        "",
        "Came on a Sunday, February 2026.",
    ],
    [
        "dagny",
        "Dagny",
        "Holtermann",
        "dagny@laufgruppe.example",
        "+49 30 23125 140",
        "Laufgruppe Kanal|Coach",
        "Berlin",
        "",
        "Says: slower.",
    ],
];

const GIVEN: [&str; 12] = [
    "Ada", "Bruno", "Célia", "Dario", "Elif", "Fátima", "Gustav", "Hana", "Ivo", "Júlia", "Kees",
    "Lore",
];
const FAMILY: [&str; 10] = [
    "Amberfold",
    "Brackwater",
    "Cintrão",
    "Dornblüth",
    "Escarpe",
    "Fennimore",
    "Grauhorn",
    "Hollowell",
    "Immergrün",
    "Jardinel",
];
const ACQUAINTANCE: [&str; 6] = [
    "Choir, Tuesday rehearsals|Berlin",
    "Laufgruppe Kanal|Berlin",
    "Conference on room acoustics|Kyoto",
    "Stairwell of rue du Faisan|Paris",
    "Running club of the river|Lisbon",
    "Concert hall client|London",
];
/// How many cards are acquaintances.
const ACQUAINTANCES: usize = 32;

/// Everybody with a key.
pub(super) fn cast() -> Vec<Person> {
    ROWS.iter().map(person).collect()
}

/// The person with this key; the owner when there is none.
pub(super) fn find(key: &str) -> Person {
    let owner = ROWS.first();
    ROWS.iter().find(|row| row[0] == key).or(owner).map(person).unwrap_or_default()
}

impl Person {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.given, self.family).trim().to_owned()
    }

    /// The day of birth, if it is known.
    pub(super) fn born(&self) -> Option<At> {
        let mut parts = self.birthday.split('-').map(str::parse);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(year)), Some(Ok(month)), Some(Ok(date))) => Some(day(year, month, date)),
            _ => None,
        }
    }
}

fn person(row: &Row) -> Person {
    let [key, given, family, mail, phone, work, city, birthday, remark] = *row;
    Person { key, given, family, mail, phone, work, city, birthday, remark }
}

/// The address book and how many people are in it.
pub(super) fn cards() -> (String, usize) {
    let mut book = String::new();
    for (index, one) in cast().iter().enumerate() {
        if index % 2 == 0 { card_4(&mut book, one) } else { card_3(&mut book, one) }
    }
    let acquaintances = GIVEN.iter().cycle().zip(FAMILY.iter().cycle()).take(ACQUAINTANCES);
    for (index, (given, family)) in acquaintances.enumerate() {
        let met = ACQUAINTANCE.get(index % ACQUAINTANCE.len()).copied().unwrap_or_default();
        let (remark, city) = met.split_once('|').unwrap_or((met, ""));
        let _ = write!(
            book,
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:acquaintance-{index:02}\r\nN:{family};{given};;;\r\n\
             FN:{given} {family}\r\nEMAIL;TYPE=INTERNET:contact{index:02}@example.com\r\n\
             TEL;TYPE=CELL:+1 202 555 01{:02}\r\nADR;TYPE=HOME:;;;{city};;;\r\nNOTE:{remark}\r\n\
             END:VCARD\r\n",
            index + 20
        );
    }
    book.push_str(
        "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:00000000-0000-4000-8000-0000000000f1\r\n\
         KIND:group\r\nFN:Family\r\n",
    );
    for key in ["ilse", "hinrich", "jonte", "marit", "fenja"] {
        let _ = write!(book, "MEMBER:{}\r\n", uid(key));
    }
    book.push_str("END:VCARD\r\n");
    (book, ROWS.len() + ACQUAINTANCES + 1)
}

fn uid(key: &str) -> String {
    let number = ROWS.iter().position(|row| row[0] == key).unwrap_or(0);
    format!("urn:uuid:00000000-0000-4000-8000-{number:012x}")
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;").replace('\n', "\\n")
}

fn card_4(book: &mut String, one: &Person) {
    let (organisation, title) = one.work.split_once('|').unwrap_or_default();
    let _ = write!(
        book,
        "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{}\r\nFN:{}\r\nN:{};{};;;\r\nEMAIL;PREF=1:{}\r\n",
        uid(one.key),
        one.name(),
        one.family,
        one.given,
        one.mail
    );
    optional(book, "TEL;VALUE=uri;TYPE=cell:tel:", &one.phone.replace(' ', "-"));
    optional(book, "ORG:", organisation);
    optional(book, "TITLE:", title);
    optional(book, "ADR;TYPE=home:;;;", &format!("{};;;", one.city));
    optional(book, "BDAY:", &one.birthday.replace('-', ""));
    optional(book, "NOTE:", &escape(one.remark));
    book.push_str("END:VCARD\r\n");
}

fn card_3(book: &mut String, one: &Person) {
    let (organisation, title) = one.work.split_once('|').unwrap_or_default();
    let _ = write!(
        book,
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{}\r\nN:{};{};;;\r\nFN:{}\r\n\
         item1.EMAIL;TYPE=INTERNET:{}\r\nitem1.X-ABLABEL:_$!<Home>!$_\r\n",
        uid(one.key),
        one.family,
        one.given,
        one.name(),
        one.mail
    );
    optional(book, "TEL;TYPE=CELL,VOICE:", one.phone);
    optional(book, "ORG:", organisation);
    optional(book, "TITLE:", title);
    optional(book, "ADR;TYPE=HOME:;;;", &format!("{};;;", one.city));
    optional(book, "BDAY:", one.birthday);
    optional(book, "NOTE:", &escape(one.remark));
    book.push_str("CATEGORIES:myContacts\r\nEND:VCARD\r\n");
}

fn optional(book: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(book, "{label}{value}\r\n");
    }
}
