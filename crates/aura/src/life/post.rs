// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mail of every month: family, bills, clubs and shops, as sentences with slots.

use super::charset::Charset::{self, Latin1, Latin9, Utf8, Windows1252};

/// Mail that comes again and again from one sender.
pub(super) struct Series {
    /// A person's key, or `Name <address>`.
    pub(super) from: &'static str,
    pub(super) charset: Charset,
    /// The months between two mails, and the years it runs (both included).
    pub(super) every: i64,
    pub(super) years: (i64, i64),
    pub(super) subjects: &'static [&'static str],
    pub(super) bodies: &'static [&'static str],
}

pub(super) const WEATHER: [&str; 6] =
    ["Regen", "Nebel bis mittags", "endlich Frost", "Wind aus Nordwest", "Sonne", "Gewitter"];

pub(super) const SERIES: &[Series] = &[
    Series {
        from: "ilse",
        charset: Latin1,
        every: 1,
        years: (2016, 2026),
        subjects: &["Sonntagsgruß", "Aus Bremen", "Kurz vor dem Telefonieren"],
        bodies: &[
            "Liebe Nora,\n\nhier ist {weather}. Papa hat wieder drei Uhren angenommen und keine abgegeben. Ich lese ein Buch \
über {topic}, das hebe ich Dir auf.\n\nDeine Mama",
            "Mein Kind, Jonte war zum Essen da und hat für zwei gegessen. Draußen {weather}. In der Bücherei fragen sie noch \
immer nach mir, wenn es um {topic} geht.\n\nIch rufe um sechs an.",
            "Liebe Nora, der Apfelbaum trägt oder trägt nicht, je nachdem, wen man fragt. {weather}, und auf dem Küchentisch \
liegt alles über {topic}. Vergiss das Essen nicht.\n\nMama",
            "Nur kurz: Paket ist unterwegs, darin Tee, Socken und ein Zettel mit einer Signatur. Es geht um {topic}. {weather} hier.",
            "Liebe Nora, Papa hat die Kirchturmuhr für genau neun Minuten angehalten und das ganze Viertel kam zu spät. {weather}. \
Sonst nichts Neues, außer {topic}.",
        ],
    },
    Series {
        from: "jonte",
        charset: Utf8,
        every: 2,
        years: (2016, 2026),
        subjects: &["moin", "Nachtschicht", "von der Weser"],
        bodies: &[
            "Moin, drei Uhr morgens, ein Frachter voller {cargo}, {weather}. Dachte an dich, weil das Nebelhorn deinen Ton hat. 🚢",
            "Heute {cargo} gelotst, morgen frei. {weather}. Kommst du zum Grünkohl? Papa fragt nicht, aber er hat schon gedeckt.",
            "Kapitän aus Porto, redet nur über Fado. Hab gesagt, meine Schwester misst sowas. Ladung: {cargo}. {weather}.",
            "Schwesterherz, kannst du Papa sagen, dass er nicht mehr auf die Leiter soll? Auf dich hört er. {weather}, {cargo}, Gute Nacht.",
        ],
    },
    Series {
        from: "Stadtstrom <rechnung@stadtstrom.example>",
        charset: Latin9,
        every: 1,
        years: (2016, 2019),
        subjects: &["Ihre Stromrechnung {month}"],
        bodies: &[
            "Guten Tag,\n\nIhre Rechnung für {month} beträgt {amount} €. Der Betrag wird am 15. abgebucht. Ihr Verbrauch \
lag {low} % unter dem Vorjahr.\n\nStadtstrom",
        ],
    },
    Series {
        from: "Voltige Énergie <factures@voltige.example>",
        charset: Latin9,
        every: 1,
        years: (2020, 2024),
        subjects: &["Votre facture d'électricité – {month}", "Voltige : facture {month}"],
        bodies: &[
            "Bonjour,\n\nvotre facture de {month} est disponible : {amount} €, prélevés le 12. Vous avez consommé {low} % \
de moins que vos voisins.\n\nVoltige Énergie",
        ],
    },
    Series {
        from: "Luz do Rio <faturas@luzdorio.example>",
        charset: Latin9,
        every: 1,
        years: (2026, 2026),
        subjects: &["A sua fatura de {month}"],
        bodies: &[
            "Cara cliente,\n\na fatura de {month}, no valor de {amount} €, será cobrada por débito directo no dia 20. Rua das \
Andorinhas 27, 3.º Esq.\n\nLuz do Rio",
        ],
    },
    Series {
        from: "Condominium 27 <predio27@example.org>",
        charset: Windows1252,
        every: 2,
        years: (2026, 2026),
        subjects: &["Condominium 27: news of the stairs", "Lisbon flat: condominium fee {month}"],
        bodies: &[
            "Dear neighbours – the fee for {month} is {amount} €. The tree was discussed. The tree remains. Please do not \
water the terrace “by accident” onto the second floor.",
        ],
    },
    Series {
        from: "teo",
        charset: Utf8,
        every: 1,
        years: (2019, 2026),
        subjects: &["on my way", "shopping, drawn", "a thing I saw", "tonight?"],
        bodies: &[
            "The shop has {food} and no bread. I bought {food}. We will be creative.",
            "I drew {place} today and had to leave out all the people, they would not stand still. Home by eight with {food}.",
            "A man at {place} asked me whether maps are still legal. I said only the paper ones. Love, T.",
            "Motte has opened the drawer with {food}. I am writing from the top of the table. Come home, bring the other kind.",
            "Deadline moved, so I did not. Can you fetch {food} on the way? I am at {place} in my head.",
            "Sold the sheet of {place}! To a dentist. He wants it above the chair, so that people look at something kind.",
        ],
    },
    Series {
        from: "Running club <club@laufgruppe.example>",
        charset: Utf8,
        every: 2,
        years: (2016, 2026),
        subjects: &["Club news: {km} km on Sunday", "Laufgruppe: Treff am Wehr"],
        bodies: &[
            "Sunday, nine o’clock, {km} km, pace of the slowest. Coffee after. Those who say “only a short one” pay.",
            "Results: everybody arrived. Next: {km} km along the water, then cake by Dagny, who denies it.",
            "Am Sonntag {km} km bei {weather}. Wer Ferritin, Knie oder Ausreden hat, fährt Rad nebenher.",
        ],
    },
    Series {
        from: "Concert letter <letter@smallhall.example>",
        charset: Utf8,
        every: 2,
        years: (2016, 2026),
        subjects: &["This month in small halls", "Late tickets: {composer}"],
        bodies: &[
            "A quartet plays {composer} on Thursday, unamplified, 180 seats, doors close when it starts. Members pay {low} €.",
            "Open rehearsal: {composer}, second movement, for as long as it takes. Bring a cushion and no telephone.",
            "Lecture before the concert: why {composer} wrote for cold churches. Soup afterwards, also cold.",
        ],
    },
    Series {
        from: "Librairie du Faisan <bonjour@faisan-livres.example>",
        charset: Latin9,
        every: 4,
        years: (2020, 2024),
        subjects: &["Votre commande est là"],
        bodies: &[
            "Bonjour Nora, le livre sur {topic_fr} est arrivé. Il sent déjà la pluie. Nous fermons à dix-neuf heures, sauf si l'on parle.",
            "Chère lectrice, votre commande ({topic_fr}) vous attend à la caisse, sous le chat. {amount} €, comme convenu.",
        ],
    },
    Series {
        from: "Seeds and rails <tickets@seedrail.example>",
        charset: Utf8,
        every: 2,
        years: (2016, 2026),
        subjects: &["Your ticket to {place}", "Booking confirmed: {place}"],
        bodies: &[
            "Booking {code}: one adult, window seat, to {place}, {amount} €. Change until the evening before. The dining car is open, we hope.",
            "Your journey to {place} is confirmed ({code}). Connection time 14 minutes; the other platform is the same platform.",
        ],
    },
    Series {
        from: "wanda",
        charset: Utf8,
        every: 1,
        years: (2026, 2026),
        subjects: &["Week plan", "Timesheets, kindly", "Rehearsal rooms: changes"],
        bodies: &[
            "Plan: site visit {place} on Tuesday, model listening Wednesday, nothing on Friday, and I mean it.",
            "You have booked {low} hours on “thinking”. Finance asks for a project number. I suggested all of them.",
            "London is moved by a week, the plaster is still wet. Kofi sends a drawing of wet plaster. It is good.",
        ],
    },
    Series {
        from: "camille",
        charset: Latin1,
        every: 2,
        years: (2020, 2026),
        subjects: &["des nouvelles", "dimanche ?", "à propos de la salle"],
        bodies: &[
            "Chère Nora, j'ai trouvé une boulangerie près de {place} qui fait du pain comme on faisait du bruit avant : sans excuse. Dimanche ?",
            "Le client veut du bois, l'ingénieur du béton, et moi du silence. On a mis {food} sur la table et on a voté. Tu manques.",
            "Bastien a cassé la maquette, l'a recollée, et elle sonne mieux. On ne dira rien. Je t'embrasse.",
        ],
    },
    Series {
        from: "lucia",
        charset: Latin1,
        every: 3,
        years: (2018, 2026),
        subjects: &["desde Valencia", "¿cuántos kilómetros?"],
        bodies: &[
            "Hoy {km} kilómetros por el río, con naranjos. ¿Y tú? No me digas la velocidad, dime qué oíste.",
            "Tengo un paciente que corre con {food} en el bolsillo. Funciona. Pruébalo y no se lo cuentes a nadie.",
            "¡Ánimo! La semana que viene, cuestas. Aquí no hay cuestas, así que subo al aparcamiento. {km} veces.",
        ],
    },
    Series {
        from: "ines",
        charset: Utf8,
        every: 2,
        years: (2026, 2026),
        subjects: &["from the next hill", "Lisboa, novidades", "coffee?"],
        bodies: &[
            "I sold the Alvalade flat, to a pilot. He says the noise is homely. Coffee on Thursday at {place}?",
            "Há festa na rua no sábado. Leva {food} e o Teo. O apartamento da Graça ainda é o mais silencioso que vendi.",
            "A client asked for “the decibel lady”. Shall I give him your number or a false one?",
        ],
    },
];

pub(super) const TOPICS: [&str; 8] = [
    "Leuchttürme",
    "die Hanse",
    "Bienen",
    "Orgelbau",
    "Moore",
    "verschwundene Wörter",
    "Knoten",
    "Glocken",
];
pub(super) const TOPICS_FR: [&str; 5] =
    ["les ponts", "le verre", "les orages", "les bruits de Paris", "les horloges"];
pub(super) const CARGO: [&str; 7] =
    ["Bananen", "Windradflügel", "Altpapier", "Kaffee", "Kali", "Autos", "leere Container"];
pub(super) const FOOD: [&str; 8] = [
    "quince jam",
    "seven lemons",
    "smoked paprika",
    "rye flour",
    "tinned sardines",
    "pears",
    "a very large cabbage",
    "goat cheese",
];
pub(super) const PLACES: [&str; 10] = [
    "Bremen",
    "Trieste",
    "Aarhus",
    "the harbour",
    "Hamburg",
    "Porto",
    "the canal",
    "Valencia",
    "Dublin",
    "the botanical garden",
];
pub(super) const COMPOSERS: [&str; 6] =
    ["Haydn", "Fanny Hensel", "Janáček", "Ravel", "Clara Schumann", "Takemitsu"];
pub(super) const MONTHS: [&str; 12] =
    ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];
