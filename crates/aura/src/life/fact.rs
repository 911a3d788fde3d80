// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of facts: blood tests, payments, places, memories, bookmarks and what Nora says of herself.

use super::date::{At, at, day};

/// Year, month, day, ferritin in µg/L, haemoglobin in g/dL, remark.
pub(super) const BLOOD: [(i64, i64, i64, i64, f64, &str); 8] = [
    (2019, 1, 16, 31, 12.9, "Dr. Amsel: im Rahmen"),
    (2021, 11, 23, 9, 11.2, "Iron deficiency. Tablets every second day."),
    (2022, 2, 24, 24, 12.1, "Better. Continue."),
    (2022, 5, 19, 41, 12.8, "Stop the tablets in summer."),
    (2022, 11, 22, 58, 13.1, "Good. Running again."),
    (2023, 8, 29, 52, 13.0, "Before the Lisbon marathon."),
    (2024, 11, 26, 60, 13.3, "Good."),
    (2025, 11, 18, 63, 13.4, "Dr Telheiro: muito bem."),
];

/// When, other party, cents (negative when paid), about what.
pub(super) const PAYMENTS: &[(At, &str, i64, &str)] = &[
    (
        day(2025, 5, 6),
        "Rui Patamar",
        -3_185_000,
        "Lisbon flat: deposit (sinal), promissory contract",
    ),
    (day(2025, 6, 17), "Tax office", -1_012_400, "Lisbon flat: transfer tax"),
    (day(2025, 6, 18), "Rui Patamar", -5_640_000, "Lisbon flat: rest of our own money at the deed"),
    (day(2025, 6, 18), "Notary", -89_000, "Lisbon flat: deed"),
    (day(2025, 6, 20), "Salgueira Direito", -184_500, "Lawyer, contract and deed"),
    (day(2025, 7, 9), "Umzüge Rehwinkel", -440_000, "Rechnung 2025-0744, Umzug Paris–Lissabon"),
    (day(2019, 9, 12), "Umzüge Rehwinkel", -215_000, "Rechnung Umzug Berlin–Paris"),
    (day(2019, 10, 28), "Hausverwaltung Kanal", 184_000, "Rückzahlung Kaution"),
    (day(2026, 2, 15), "Bicas Canalização", -18_400, "Sunday repair, lead joint"),
    (day(2026, 3, 12), "Insurance AN-7720", 16_900, "Claim AN-2026-0117, less excess"),
    (day(2026, 3, 30), "Condominium 27", -57_000, "Roof, first instalment"),
    (day(2026, 9, 28), "Bicas Canalização", -1_190_000, "Bathroom, final invoice"),
    (day(2018, 3, 18), "Teo Marchetti-Lund", -4_500, "A map of sounds, Trieste harbour"),
    (day(2023, 4, 2), "Lisbon marathon", -9_500, "Entry, 8 October 2023"),
    (day(2026, 6, 28), "Maratón de Valencia", -14_000, "Two entries"),
    (day(2026, 8, 13), "Uhren Emden", -86_000, "Regulatoruhr für Papa, mit Jonte geteilt"),
    (day(2026, 6, 22), "Stairwell 27", -21_000, "Wedding: chairs, candles, apology flowers"),
    (day(2024, 2, 1), "Seeds and rails", -118_000, "Flight and train, Taipei"),
    (day(2022, 4, 24), "Atelier Benyadir", -12_000, "Six blue bowls"),
    (day(2025, 5, 28), "Tidewater Rooms", 360_000, "First salary"),
    (day(2019, 9, 27), "Atelier Ondine", 315_000, "Premier salaire"),
    (day(2016, 1, 28), "Klangwerk Nord", 242_000, "Gehalt Januar"),
];

type Shop = (&'static str, i64, i64, &'static str);

pub(super) const SHOPS_BERLIN: [Shop; 6] = [
    ("Bäckerei Kornwinkel", 320, 1_290, "Brot"),
    ("Miete Kanalstraße", 71_000, 71_000, "Miete"),
    ("Stadtstrom", 3_100, 6_400, "Strom"),
    ("Buchladen am Wehr", 900, 4_200, "Bücher"),
    ("Stadtbad", 1_200, 1_800, "Sauna"),
    ("Chor Weißensee", 2_500, 2_500, "Beitrag"),
];
pub(super) const SHOPS_PARIS: [Shop; 6] = [
    ("Boulangerie Levain-Levant", 240, 1_150, "Pain"),
    ("Loyer rue du Faisan", 128_000, 128_000, "Loyer"),
    ("Voltige Énergie", 3_400, 9_200, "Électricité"),
    ("Librairie du Faisan", 1_100, 5_600, "Livres"),
    ("Vétérinaire du Canal", 4_500, 13_000, "Motte"),
    ("Pharmacie", 600, 2_900, "Fer"),
];
pub(super) const SHOPS_LISBON: [Shop; 6] = [
    ("Mercearia da Graça", 480, 3_900, "Mercearia"),
    ("Sample Bank", 84_300, 84_300, "Mortgage, Lisbon flat"),
    ("Luz do Rio", 3_200, 7_100, "Electricidade"),
    ("Viveiro do Castelo", 900, 6_800, "Terrace plants"),
    ("Veterinário da Colina", 3_800, 9_000, "Motte"),
    ("Clínica Telheiro", 4_500, 6_000, "Consulta"),
];

/// Name, town, latitude and longitude (rounded on purpose).
pub(super) type Spot = (&'static str, &'static str, f64, f64);

pub(super) const SPOTS_BERLIN: [Spot; 4] = [
    ("Klangwerk Nord", "Berlin", 52.53, 13.40),
    ("Weir on the canal", "Berlin", 52.49, 13.42),
    ("Choir hall", "Berlin", 52.55, 13.46),
    ("Stadtbad", "Berlin", 52.54, 13.41),
];
pub(super) const SPOTS_PARIS: [Spot; 4] = [
    ("Atelier Ondine", "Paris", 48.88, 2.37),
    ("Salle du canal", "Paris", 48.89, 2.39),
    ("Librairie du Faisan", "Paris", 48.87, 2.38),
    ("Towpath", "Paris", 48.88, 2.38),
];
pub(super) const SPOTS_LISBON: [Spot; 4] = [
    ("Home, Rua das Andorinhas 27", "Lisbon", 38.72, -9.13),
    ("River path", "Lisbon", 38.70, -9.16),
    ("Viewpoint of the hill", "Lisbon", 38.72, -9.13),
    ("Harbour theatre", "Lisbon", 38.71, -9.12),
];
/// When, minutes, where.
pub(super) const VISITS: &[(At, i64, Spot)] = &[
    (at(2025, 3, 28, 10, 0), 55, ("Graça flat, first visit", "Lisbon", 38.72, -9.13)),
    (at(2025, 3, 28, 12, 5), 40, ("Alvalade flat, visit", "Lisbon", 38.75, -9.14)),
    (at(2025, 3, 28, 15, 0), 50, ("Campo de Ourique flat, visit", "Lisbon", 38.72, -9.17)),
    (at(2025, 6, 18, 10, 0), 95, ("Notary, deed of the Lisbon flat", "Lisbon", 38.71, -9.14)),
    (at(2016, 10, 16, 22, 0), 11_000, ("Kyoto 京都", "Kyoto", 35.01, 135.77)),
    (at(2017, 5, 11, 15, 0), 6_800, ("Valencia", "Valencia", 39.47, -0.38)),
    (at(2018, 12, 23, 14, 0), 8_100, ("Marchetti family", "Trieste", 45.65, 13.77)),
    (at(2018, 11, 21, 9, 30), 600, ("Klinikum Ost", "Bremen", 53.07, 8.89)),
    (at(2022, 4, 17, 12, 0), 11_200, ("Atelier Benyadir", "Rabat", 34.02, -6.84)),
    (at(2023, 10, 8, 6, 0), 420, ("Lisbon marathon, start to finish", "Lisbon", 38.70, -9.30)),
    (at(2024, 2, 10, 9, 0), 14_000, ("Lin Studio 雨禾", "Taipei", 25.06, 121.51)),
    (at(2026, 6, 20, 15, 0), 600, ("Wedding on the terrace", "Lisbon", 38.72, -9.13)),
    (at(2026, 8, 21, 12, 0), 560, ("Papas Siebzigster", "Bremen", 53.08, 8.80)),
];

/// Since when, type, text, confidence in hundredths.
pub(super) const MEMORIES: &[(At, &str, &str, i64)] = &[
    (
        day(2025, 4, 12),
        "fact",
        "Nora and Teo decided on 12 April 2025 to buy the Lisbon flat in Graça for 318 500 €.",
        99,
    ),
    (
        day(2025, 4, 12),
        "fact",
        "The deciding reasons for the Lisbon flat were quiet (29 dB at night) and the terrace.",
        95,
    ),
    (day(2025, 7, 3), "fact", "Lives at Rua das Andorinhas 27, third floor left, Lisbon.", 99),
    (
        day(2018, 3, 18),
        "relationship",
        "Teo Marchetti-Lund is her husband since 20 June 2026; they met at a map fair.",
        99,
    ),
    (
        day(2019, 2, 14),
        "relationship",
        "Fenja, born 2019, is her niece and godchild and likes whales.",
        99,
    ),
    (day(2018, 4, 1), "identity", "Teo is allergic to walnuts; always ask twice.", 99),
    (
        day(2025, 11, 18),
        "fact",
        "Ferritin was 9 in 2021 and 63 in November 2025; test again before the marathon.",
        96,
    ),
    (day(2026, 1, 11), "fact", "Penicillin gives her a rash.", 98),
    (
        day(2026, 6, 28),
        "goal",
        "Valencia marathon on 6 December 2026 with Lucía, under four hours.",
        94,
    ),
    (
        day(2026, 5, 24),
        "project",
        "A map of quiet: Teo draws, Nora measures twelve points in Graça at five in the morning.",
        90,
    ),
    (
        day(2025, 5, 5),
        "context",
        "Works four days a week for Tidewater Rooms; Fridays are free.",
        97,
    ),
    (day(2025, 6, 2), "preference", "Explanations first in words, then in numbers.", 85),
    (day(2024, 3, 5), "preference", "Refuses politely and in at most two sentences.", 78),
    (day(2025, 9, 14), "skill", "Portuguese about B1; mixes up por and para.", 80),
    (day(2019, 10, 4), "skill", "French fluent, with mistakes that make people happy.", 88),
    (day(2017, 1, 22), "skill", "Reads simple Japanese letters with a dictionary.", 75),
    (
        day(2020, 6, 13),
        "relationship",
        "Motte is a grey cat, eats twice a day, hates the oboe.",
        97,
    ),
    (
        day(2026, 2, 15),
        "fact",
        "Water damage on 15 February 2026, insurance claim AN-2026-0117.",
        95,
    ),
    (
        day(2026, 9, 28),
        "fact",
        "The bathroom was renewed in September 2026 by João Bicas for 11 900 €.",
        95,
    ),
    (day(2025, 10, 2), "context", "Dona Graça on the second floor keeps the spare key.", 96),
    (
        day(2026, 7, 5),
        "instruction",
        "In an emergency: Teo first, then Jonte, then Dona Graça.",
        99,
    ),
    (day(2025, 11, 30), "preference", "Gifts for Teo: nothing with maps, except maps.", 70),
    (day(2023, 5, 22), "fact", "Left knee irritated in 2023, nothing torn; side planks help.", 92),
    (
        day(2016, 10, 23),
        "relationship",
        "Haruko Minazuki in Kyoto is a friend and colleague since 2016.",
        98,
    ),
    (
        day(2024, 2, 20),
        "relationship",
        "Yuhe Lin in Taipei builds a bamboo flute for her, number 212.",
        93,
    ),
    (
        day(2022, 4, 25),
        "relationship",
        "Salma Benyadir, ceramist in Rabat, made the blue bowls.",
        95,
    ),
    (
        day(2024, 10, 12),
        "preference",
        "No coffee after one o’clock; the phone sleeps in the kitchen.",
        84,
    ),
    (
        day(2026, 4, 21),
        "project",
        "Harbour theatre opens on 12 November 2026; row R cannot hear the violas.",
        93,
    ),
    (day(2026, 7, 1), "instruction", "Never share health records with work assistants.", 99),
    (
        day(2026, 9, 6),
        "goal",
        "São Jorge for the first anniversary, June 2027, without numbers.",
        66,
    ),
];

pub(super) const BOOKMARKS: &[(At, &str, &str, &str)] = &[
    (
        day(2025, 2, 20),
        "https://casas-andorinha.example/graca-terraco",
        "T2 em Graça com terraço",
        "The Lisbon flat, as it was advertised",
    ),
    (
        day(2025, 2, 21),
        "https://casas-andorinha.example/alvalade",
        "T3 em Alvalade",
        "Under the flight path",
    ),
    (
        day(2025, 4, 20),
        "https://guide.example.org/buying-portugal",
        "Buying a flat in Portugal, step by step",
        "Promissory contract, deed, taxes",
    ),
    (
        day(2025, 5, 18),
        "https://umzuege-rehwinkel.example/liste",
        "Umzugsliste",
        "Sechs Wochen vorher anfangen",
    ),
    (
        day(2016, 9, 2),
        "https://conference.example.org/kyoto-2016",
        "Room acoustics, Kyoto 2016",
        "Programme, Tuesday 14:00",
    ),
    (
        day(2016, 10, 25),
        "https://temple.example.org/floor",
        "鴬張りの廊下",
        "How the nightingale floor is built",
    ),
    (
        day(2021, 11, 26),
        "https://health.example.org/ferritin",
        "Ferritin and tiredness in runners",
        "Alternate days",
    ),
    (
        day(2023, 5, 24),
        "https://physio.example.org/itb",
        "Outer knee pain: seven exercises",
        "Side planks again",
    ),
    (
        day(2023, 6, 1),
        "https://marathon.example.org/plan-18",
        "Eighteen weeks to a first marathon",
        "",
    ),
    (
        day(2026, 6, 30),
        "https://maraton.example.org/valencia",
        "Maratón de Valencia: recorrido",
        "Plano, plano, plano",
    ),
    (
        day(2020, 4, 17),
        "https://rezepte.example.org/kartoffelsalat",
        "Kartoffelsalat, norddeutsch",
        "Mama sagt: falsch",
    ),
    (
        day(2025, 11, 8),
        "https://bread.example.org/warm-kitchen",
        "Sourdough in warm kitchens",
        "Shorter bulk",
    ),
    (day(2024, 1, 15), "https://food.example.org/taipei", "台北夜市指南", "不要鸡爪"),
    (
        day(2022, 3, 31),
        "https://ceramics.example.org/glaze-blue",
        "أزرق الرباط",
        "Cobalt and patience",
    ),
    (
        day(2019, 8, 1),
        "https://paris.example.org/s-installer",
        "S’installer à Paris",
        "Liste des papiers",
    ),
    (
        day(2026, 3, 21),
        "https://jardim.example.org/limoeiro-vaso",
        "Limoeiro em vaso",
        "Regar pouco, mas bem",
    ),
    (
        day(2026, 5, 26),
        "https://quiet.example.org/maps",
        "Noise maps and what they leave out",
        "For the map of quiet",
    ),
    (
        day(2026, 4, 22),
        "https://acoustics.example.org/balcony",
        "Under the balcony: masking by early reflections",
        "Row R",
    ),
    (
        day(2018, 3, 19),
        "https://marchetti-lund.example/maps",
        "Teo Marchetti-Lund: maps of things that move",
        "Him.",
    ),
    (
        day(2023, 3, 15),
        "https://radio.example.org/silence",
        "Twenty minutes on silence",
        "Priya’s programme",
    ),
    (
        day(2026, 2, 16),
        "https://wasser.example.org/bleirohre",
        "Bleirohre im Altbau",
        "Alle ersetzen",
    ),
    (
        day(2026, 8, 1),
        "https://uhren-emden.example/regulator",
        "Regulatoruhr, Hafenamt, um 1910",
        "Papas Geschenk",
    ),
    (
        day(2024, 11, 20),
        "https://tidewater-rooms.example/about",
        "Tidewater Rooms",
        "Small team, large rooms",
    ),
    (
        day(2026, 9, 6),
        "https://ilhas.example.org/sao-jorge",
        "São Jorge a pé",
        "Fajãs, ferries, a house with a well",
    ),
];

/// Name, schema.org property, text.
pub(super) const PROFILE: [(&str, &str, &str); 12] = [
    ("Name", "alternateName", "Nora Velbrück"),
    ("Born", "birthDate", "1989-05-17"),
    ("Home", "homeLocation", "Lisbon, Graça; before that Paris and Berlin; from Bremen"),
    ("Work", "jobTitle", "Acoustician, head of listening at Tidewater Rooms, four days a week"),
    (
        "Languages",
        "knowsLanguage",
        "German, English, French; Portuguese on the way; some Spanish, Japanese, Chinese and Arabic",
    ),
    (
        "Family",
        "relatedTo",
        "Husband Teo, parents Ilse and Hinrich, brother Jonte, niece Fenja, cat Motte",
    ),
    ("Food", "description", "Eats everything; no walnuts in the house because of Teo"),
    ("Style", "description", "Short answers, plain words, numbers with units"),
    ("Health", "healthCondition", "Penicillin allergy; iron to be watched"),
    ("Interests", "knowsAbout", "Silence, maps, long runs, bread, clocks"),
    ("Music", "knowsAbout", "Cello, badly; choir, alto"),
    (
        "Times",
        "hoursAvailable",
        "Mornings for thinking, no calls before nine, Sundays at six belong to Mama",
    ),
];

/// Name, user name, web address, remark.
pub(super) const LOGINS: [(&str, &str, &str, &str); 18] = [
    ("Sample Bank", "nvelbrueck", "https://bank.example.com", "Card in the blue bag"),
    ("Mail", "nora@velbrueck.example", "https://mail.velbrueck.example", ""),
    ("Luz do Rio", "nora.27", "https://luzdorio.example", "Lisbon flat, meter in the stairwell"),
    ("Voltige Énergie", "nora.v", "https://voltige.example", "Contrat clôturé le 1er juillet 2025"),
    (
        "Tidewater Rooms",
        "nora",
        "https://work.tidewater-rooms.example",
        "Second factor on the phone",
    ),
    ("Atelier Ondine", "nora", "https://atelier-ondine.example", "Account closed 2025"),
    ("Seeds and rails", "nora@velbrueck.example", "https://seedrail.example", ""),
    ("Insurance", "AN-7720", "https://insurance.example.org", "Household"),
    ("Tax portal", "000000000", "https://tax.example.org", "Number only with Beatriz"),
    ("Library Bremen", "ilse-family", "https://library.example.org", "Mamas Karte"),
    ("Running club", "nora", "https://laufgruppe.example", ""),
    ("Maratón de Valencia", "nora.velbruck", "https://maraton.example.org", "Dorsal next to Lucía"),
    ("Clínica Telheiro", "nora", "https://telheiro.example", "Results, ferritin"),
    ("Condominium 27", "3esq", "https://predio27.example", "Minutes of the meetings"),
    ("Router at home", "admin", "https://router.example", "Sticker below the piano stool"),
    ("Librairie du Faisan", "nora", "https://faisan-livres.example", ""),
    ("Photo box", "velbrueck-lund", "https://photos.example.com", "Wedding pictures by Bastien"),
    ("Concert letter", "nora", "https://smallhall.example", "Member 118"),
];
