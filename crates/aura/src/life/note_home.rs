// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes about homes: the Lisbon flat, the two moves, the house, family and food.

use super::date::{At, at};

/// A hand-written note.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    /// Its path below the notes folder, without the extension; the last part is its title.
    pub(super) path: &'static str,
    pub(super) at: At,
    /// Tags, separated by blanks.
    pub(super) tags: &'static str,
    pub(super) text: &'static str,
}

/// A note of the table.
pub(super) const fn note(
    path: &'static str,
    at: At,
    tags: &'static str,
    text: &'static str,
) -> Note {
    Note { path, at, tags, text }
}

pub(super) const NOTES: &[Note] = &[
    note("Home/Lisbon flat – decision", at(2025, 4, 12, 21, 40), "lisbon flat decision", "We decided tonight, on the floor of the empty kitchen in rue du Faisan, with crisps.

**Decision: we buy the Graça flat, Rua das Andorinhas 27, third floor left, for 318 500 €.**

Why this one and not the others (see [[Lisbon flat – three candidates]]):

1. The bedroom is quiet: 29 dB(A) at night with the window shut. I measured it twice.
2. The terrace. Teo can draw outside ten months a year.
3. Alvalade lies under the approach path; Campo de Ourique costs 62 000 € more.

What speaks against it: no lift, the bathroom is from 1974, and the roof is shared with people
we have not met. We keep 15 000 € aside for the bathroom.

Next: [[Lisbon flat – promissory contract]], answer [[Inês Carvalhal]] before Monday noon.
^decision"),
    note("Home/Lisbon flat – three candidates", at(2025, 3, 29, 19, 10), "lisbon flat", "| | Graça | Alvalade | Campo de Ourique |
|---|---|---|---|
| price | 318 500 € | 305 000 € | 380 000 € |
| size | 78 m² + terrace | 92 m² | 81 m² |
| night noise | 29 dB(A) | 44 dB(A), aircraft | 33 dB(A) |
| lift | no | yes | yes |
| light | morning and evening | north | evening |

Inês said of the Alvalade one: *“I can sell you this, but you measure sound for a living.”*

![[terrace.png]]

Second visits on 5 April. Ask about the roof, the gas certificate and the condominium minutes."),
    note("Home/Lisbon flat – promissory contract", at(2025, 5, 6, 16, 0), "lisbon flat money", "Signed the CPCV today at [[Beatriz Salgueira|Beatriz]]’s office.

- deposit (sinal): 31 850 €, paid by transfer the same day
- deed (escritura): 18 June 2025, 11:00
- the seller, Rui Patamar, leaves the kitchen table and, I quote, *“the piano stool, it lives here”*
- if the gas certificate is missing at the deed, the price falls by 1 200 €

#lisbon/paperwork"),
    note("Home/Lisbon flat – keys", at(2025, 6, 18, 22, 15), "lisbon flat", "Two long keys, one short, one nobody knows. The deed took forty minutes, of which thirty were the
reading aloud. Rui cried a little and then told me which window sticks.

We ate sardines on the stairs because there were no chairs. It is ours. It echoes: 1.9 s in the
living room, empty. It will be 0.6 s once the books are here."),
    note("Home/Lisbon flat – bathroom", at(2026, 2, 15, 20, 5), "lisbon flat repair", "Water through Dona Graça’s ceiling at 7:40 on a Sunday. João Bicas came within the hour.

- cause: lead joint behind the bath, older than me
- now: joint replaced, 184 € incl. Sunday
- later: the whole bathroom, offer 11 900 €, three weeks, best in September

Told the insurance (claim AN-2026-0117). Brought Dona Graça flowers and the number of a painter."),
    note("Home/Umzug nach Lissabon", at(2025, 5, 20, 18, 30), "umzug liste", "Rehwinkel kommt am **1. Juli** nach Paris, Ankunft Lissabon 3. Juli. Angebot 4.280 € (Rechnung folgt).

- [x] Kartons: 60 Bücher, 20 Küche, 1 „Teo, nicht anfassen“
- [x] Klavierhocker messen. Es gibt dort schon einen!
- [x] Motte: Impfpass, Transportbox, Tierarzt am 24. Juni
- [x] Strom in Paris abmelden, Zähler fotografieren
- [ ] Mikrofone selbst fahren, niemals in den Laster"),
    note("Home/Umzug nach Paris", at(2019, 8, 11, 20, 0), "umzug liste", "Was nicht mitkommt: das Sofa, der Weihnachtsbaumständer, das schlechte Gewissen wegen der Hanteln.

Rehwinkel, 2. September, sieben Uhr. Aylin bekommt die Monstera, Detlef sein Buch zurück (2014!).
Kaution: 1.840 €, Vermieter hat sechs Wochen Zeit. Übergabeprotokoll fotografieren, jede Wand."),
    note("Home/Condominium 27 minutes", at(2025, 10, 2, 21, 0), "lisbon house", "First meeting as owners, in Dona Graça’s living room, with quince jam.

- roof: membrane in spring, 1 140 € for our share, two instalments
- stairs light: stays on three minutes instead of one, unanimous
- the tree: no decision since 2011, none tonight
- I was elected to the noise committee. There was no noise committee before."),
    note("Home/Sourdough that works here", at(2025, 11, 9, 10, 20), "recipe bread", "The flat is warmer than Paris, so everything I knew is wrong.

450 g flour, 50 g rye, 340 g water, 10 g salt, 80 g of Birgit’s starter. Fold at 30, 60, 90 min.
Bulk **four** hours, not six. Overnight in the fridge. 250 °C in the pot, 25 + 20 min.

Teo: “structurally sound”. From an engineer’s boyfriend that is love."),
    note("Home/Omas Kartoffelsalat", at(2020, 4, 18, 13, 0), "rezept familie", "Am Telefon diktiert von Mama, die ihn von Oma Gesine hat. Mengen: keine.

Festkochende, am Vortag kochen. Brühe heiß, Essig mutig, Senf, Zwiebel *blanchiert* (!). Gurke erst
am Schluss. Eine Stunde stehen lassen und nicht daran gehen. „Mayonnaise ist Bremen-Nord.“"),
    note("Home/Motte", at(2020, 6, 13, 17, 45), "cat", "She came in a hat box. Grey, eleven weeks, an opinion on everything. Named Motte because she went
for the wool.

Chip number on the inside of the cupboard door. Food twice a day, 40 g. Hates the oboe,
tolerates the cello, sleeps on the metronome."),
    note("Home/Ideias para o terraço", at(2026, 3, 22, 16, 0), "lisboa casa", "Feito com a Dona Graça, que manda em tudo o que é verde no prédio.

- limoeiro no canto sul, vaso grande, **nunca** regar ao meio-dia
- manjericão em junho, senão os santos zangam-se
- a buganvília sobe sozinha; nós só fingimos que ajudamos
- toldo: orçamento 640 €, esperar pelos saldos"),
    note("Home/Hausrat für die Versicherung", at(2025, 7, 28, 9, 0), "versicherung liste", "Police AN-7720, Selbstbeteiligung 150 €.

Klavier (Gutachten 2018): 3.900 €. Messmikrofone: 5.200 €, Seriennummern im Ordner. Teos Grafikschrank:
unersetzlich, also 2.000 €. Fahrräder: 1.100 €. Blaue Schalen von Salma: bitte gar nicht erst versuchen."),
    note("Family/Papas Siebzigster", at(2026, 5, 3, 18, 0), "familie fest", "21. August 2026, Garten, vierzig Leute, kein Zelt („es regnet nicht“).

- Jonte: Boot, Bier, Musik. Ich: Rede, aber kurz. Marit: Kuchen mal sechs
- Geschenk: die Regulatoruhr vom Hafenamt, steht bei einem Händler in Emden, 860 €
- Fenja spielt Blockflöte. Alle wissen es. Keiner sagt es ihm."),
    note("Family/Rede für Papa", at(2026, 8, 16, 22, 30), "familie rede", "Papa hat mir beigebracht, dass eine Uhr nicht die Zeit misst, sondern die Geduld dessen, der sie stellt.

Als ich acht war, durfte ich das Pendel anhalten. Nur einmal, nur kurz. Er sagte: Hör mal, wie laut
das ist, wenn etwas aufhört. Ich glaube, davon lebe ich seit siebzehn Jahren."),
    note("Family/Papas Herz", at(2018, 11, 20, 23, 10), "familie gesundheit", "Anruf um halb vier. Zwei Stents, Klinikum Ost, Station 5. Er hat der Schwester die Wanduhr gestellt.

Jonte ist bei Mama. Ich nehme den Zug um 6:21. Dr. Amsel fragen, ob das bei mir früher kontrolliert
werden soll (Cholesterin, Blutdruck)."),
    note("Family/Fenja", at(2019, 2, 14, 11, 30), "familie", "Fenja Gesine Velbrück, 3.410 g, 51 cm, 04:12 Uhr. Jonte hat geweint und behauptet, es sei der Wind.

Ich bin Patentante. Aufgaben laut Marit: Vorlesen, Unsinn, im Notfall Geld."),
    note("Family/Wedding list", at(2026, 4, 6, 20, 0), "wedding lisbon", "**Saturday 20 June 2026, five o’clock, the terrace and then the whole stairwell.**

- 34 people: see the table on the fridge; Dona Graça counts as four
- food: Teo’s father grills, Birgit bakes, Camille brings the cheese *and her opinions*
- music: Yuhe flies in with three flutes; no amplification, we have neighbours (they are invited)
- walnuts nowhere, not even in the cake, ask twice
- rings: Papa made them from the case of a pocket watch"),
    note("Family/20 June 2026", at(2026, 6, 21, 11, 0), "wedding", "It rained for six minutes at ten past five and then the light was so good that the photographer,
who is Bastien, stopped photographing.

Papa gave the rings to Fenja, Fenja gave them to the cat basket, the cat basket was empty, the rings
were under it. Haruko read a poem that nobody understood and everybody cried at. We are married."),
    note("Family/How Teo and I met", at(2018, 3, 18, 23, 50), "teo", "Map fair in the old customs hall. He was selling a map of sounds of Trieste harbour, drawn from memory.
I told him the foghorn was a semitone too low. He said: “On which day?”

His number is on the back of the map. The map cost 45 €. I would have paid more for the answer."),
    note("Travel/Kyoto 2016", at(2016, 10, 23, 14, 0), "travel japan", "Conference on room acoustics, and four days after it alone.

京都 in the rain. At the hall Haruko Minazuki clapped once and wrote down 1.8 s; the instrument said
1.78. 静けさにも音がある, she says: quiet has a sound as well.

- Nanzen-ji before eight, nobody
- the nightingale floor squeaks at about 2 kHz, on purpose
- write to Haruko about the wooden reflectors"),
    note("Travel/Valencia 2017", at(2017, 5, 14, 22, 0), "viaje españa", "Lucía me hizo correr por el viejo cauce del río a las siete de la mañana. Ocho kilómetros, casi lloro.

- horchata con fartons después, obligatorio
- la Lonja: bóvedas altísimas, eco precioso, guardia nada contento cuando di palmas
- prometí correr un maratón antes de los treinta y cinco. Hay testigos."),
    note("Travel/Rabat 2022", at(2022, 4, 25, 20, 30), "travel morocco", "A week with Salma, who still cannot be on time and still is worth the wait.

In her workshop I learned to centre clay (badly). The kiln hums at 50 Hz and its first overtone.
She taught me: الصبر مفتاح الفرج, patience is the key to relief. She says it about glazes and about me.

Brought home: six blue bowls, one fewer after customs."),
    note("Travel/Taipei 2024", at(2024, 2, 20, 9, 0), "travel taiwan", "Ten days in Yuhe’s guest room above the workshop. 雨禾 says the bamboo must be cut in winter and then
left alone for three years: 竹子要等三年，急不得。

- night market: I can say “not spicy” and nobody believes me
- new hall by the river: beautiful, and too dry by half a second
- her flute nr. 212 is mine when it is ready, February 2027"),
    note("Travel/Azores ideas", at(2026, 9, 6, 19, 0), "travel plan", "For the first anniversary, June 2027: São Jorge, ferries, no car.

Inês knows a house with a well. Teo wants to draw all the fajãs. I want one day without any number in it."),
    note("Travel/Trieste Christmas", at(2018, 12, 29, 17, 0), "travel family", "First Christmas with Teo’s parents. Two languages at the table, three when Birgit is angry.

Matteo showed me the chess postcards: the current game is from 2009 and it is his move. Bora wind at
110 km/h; the whole flat is an organ pipe, somewhere near G."),
];
