// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes about work, running, health, books and thoughts, in the languages they were thought in.

use super::date::at;
use super::note_home::{Note, note};

pub(super) const NOTES: &[Note] = &[
    note("Running/Marathon plan 2023", at(2023, 6, 4, 9, 0), "running marathon plan", "Lisbon, 8 October 2023. Goal: arrive. Secret goal: under 4:15.

| weeks | long run | remark |
|---|---|---|
| 1–4 | 14–18 km | knee decides |
| 5–10 | 20–28 km | one easy week in three |
| 11–15 | 30, 32, 30 km | in the heat, slowly |
| 16–18 | down | sleep, eat, be unbearable |

Lucía: *“Correr despacio es una habilidad.”* See [[Knee]] and [[Ferritin]]."),
    note("Running/Lisbon marathon 2023", at(2023, 10, 8, 18, 30), "running marathon lisbon", "**4:11:37.** Splits 2:04 / 2:07. I cried at km 38 because a brass band played badly.

From the coast road you see the whole town on its hills. I told Teo in the tram, still in the silver
foil: *we should live here*. He said “all right”, as if I had asked for water.

Knee: silent until 35, then a remark or two. Toenails: eight."),
    note("Running/Knee", at(2023, 5, 22, 20, 0), "health knee running", "Left knee, outside, after km 7. Physio: tract irritated, hip lazy.

- side planks 3 × 45 s, band walks, every second day
- two weeks no running, bike allowed
- new shoes were 900 km old. I measure rooms to the millimetre and do not count kilometres.

2025-11: Dr Telheiro looked again, nothing torn, “continue being stubborn”."),
    note("Running/Training für Valencia 2026", at(2026, 8, 30, 8, 0), "laufen marathon plan", "Valencia, 6. Dezember 2026, mit Lucía. Ziel: unter vier Stunden, gemeinsam ins Ziel.

Montag frei, Dienstag Hügel (Graça hat genug), Donnerstag Tempo am Fluss, Sonntag lang. Eisenwert vorher
prüfen lassen. Dagny schreibt aus Berlin nur ein Wort: „Langsamer.“"),
    note("Health/Ferritin", at(2021, 11, 26, 21, 0), "health iron blood", "Half a year of tired. I thought it was Paris, or thirty-two. It is iron.

Ferritin **9 µg/L** (normal 30–200), haemoglobin 11.2 g/dL. Dre Marchais: tablets every *second* day,
with orange juice, never with coffee, three months, then again.

- 2022-02: 24
- 2022-05: 41
- 2022-11: 58, could run ten kilometres again
- 2025-11: 63 in Lisbon. Keep an eye on it before the marathon."),
    note("Health/Sleep", at(2024, 10, 12, 7, 30), "health sleep", "Four weeks of notes. What matters: last coffee (before 13:00), the bedroom (below 18 °C), the phone
(in the kitchen). What does not matter: magnesium, the moon, Teo’s opinion of the moon."),
    note("Health/Blutdruck-Protokoll", at(2019, 1, 9, 7, 0), "gesundheit", "Wegen Papa eine Woche lang gemessen, morgens und abends: im Mittel 118/76. Dr. Amsel ist zufrieden, ich
soll in zwei Jahren wiederkommen und bis dahin weniger messen. Das sagt er *mir*."),
    note("Health/Allergies and medicines", at(2026, 1, 11, 12, 0), "health", "For forms: penicillin gives me a rash (1996, 2004). No other allergies. Blood group A positive.
Iron 80 mg every second day in winter. Tetanus 2021. Teo: walnuts, carries a pen; it lives in the blue bag."),
    note("Work/Klangwerk – Lessons", at(2019, 8, 30, 17, 0), "work berlin", "Five years with Detlef, in one page.

1. Measure before you believe. Then measure again, on a Tuesday.
2. The musicians are right about *that* and wrong about *why*.
3. Never promise a reverberation time in front of a politician.
4. Every hall has a door that hums. Find it first."),
    note("Work/Atelier Ondine – premier mois", at(2019, 10, 4, 19, 0), "travail paris", "Camille dirige l’atelier comme un quatuor : personne ne crie, tout le monde s’écoute, et pourtant c’est
elle qui donne le départ.

- maquette au 1:10 de la salle du canal, Bastien colle, je mesure
- on déjeune à une heure, ensemble, sans téléphone. Règle non écrite, donc sacrée
- mon français fait rire ; j’ai dit « je suis pleine » à la cantine"),
    note("Work/Salle du canal – mesures", at(2021, 6, 16, 18, 0), "travail paris projet", "Salle vide : 2,1 s. Avec rideaux : 1,4 s. Le chef voulait « de la lumière dans le son », nous avons monté
les réflecteurs de quarante centimètres et il a dit « voilà ». Quarante centimètres. Deux ans de travail."),
    note("Work/Offer from Tidewater", at(2024, 11, 21, 22, 0), "work decision", "Kofi Brightwater wants me from May 2025: head of listening, four days a week, from wherever I like.

For: my own team, theatres instead of offices, **could be done from Lisbon**.
Against: Camille. Also: meetings in the language of quarterly goals.

Slept on it twice. Yes. Told Camille on Monday; she had known since Thursday and had bought cake."),
    note("Work/Tidewater – how we listen", at(2025, 6, 2, 10, 0), "work method", "A page for the new people.

- Sit in the worst seat first. The best seat will take care of itself.
- Ten minutes without instruments. Write words, not numbers.
- Then numbers. If they disagree with the words, do not fix the words.
- Ask the cleaner. The cleaner knows when the room rings."),
    note("Work/Harbour theatre", at(2026, 4, 21, 17, 30), "work project", "Opening 12 November 2026. Remaining: stage house rattle at 63 Hz, row R cannot hear the violas.

- try: felt behind the third panel, 12 mm, costs nothing
- rehearsal with audience: 22 October, 300 school children, the best absorbers there are
- Wanda guards the schedule; Kofi draws the apology in case"),
    note("Work/Talk: what silence measures", at(2023, 3, 14, 16, 0), "work talk", "For Priya’s programme, then for the conference.

Silence is not zero. A good hall at night is 18 dB: your blood, the lamp, the building cooling. We do not
remove sound, we choose *which* is allowed to stay. End with the nightingale floor in Kyoto."),
    note("Work/Salary and freelance numbers", at(2025, 1, 15, 9, 0), "work money", "Ondine: 3.150 net. Tidewater: 3.600 net for four days. Remote tax: ask Beatriz whom to ask. Freelance
measuring days: 640 each, at most ten a year, invoices numbered from 2025-001."),
    note("Ideas/A map of quiet", at(2026, 5, 24, 8, 0), "idea teo", "Teo draws, I measure: Lisbon at five in the morning, a sheet per hill, ink weight = loudness.

Graça first. Twelve points, seven minutes each, three Sundays. Print run 200, Camille wants ten. It would
be the first thing we have made together that does not need feeding."),
    note("Ideas/Things a house says at night", at(2025, 8, 3, 2, 10), "writing", "Third floor left, first hot month. The roof ticks as it cools, every eleven seconds and then not. The tap
says *tsk*. Somebody on the second floor coughs in the key of the fridge. I am not awake, I am reading."),
    note("Ideas/Gift list", at(2025, 11, 30, 20, 0), "list family", "- Fenja: tide table of the Weser *and* a whale
- Mama: reading lamp with the warm bulb, not the white one
- Papa: oil number 3, he will say he has some
- Camille: quince jam, Dona Graça’s
- Dona Graça: large-print crosswords, difficulty “cruel”
- Teo: nothing with maps. (Map.)"),
    note("Books/Gelesen 2016–2020", at(2020, 12, 30, 18, 0), "bücher", "Vier im Jahr ganz, vierzig halb. Ein Buch über Leuchttürme, zweimal. Eines über die Langeweile, nicht zu
Ende. Mama schickt Zettel mit Signaturen statt Titeln; ich finde sie trotzdem."),
    note("Books/Lu à Paris", at(2024, 6, 30, 18, 0), "livres", "Le roman que Camille m’a prêté en 2020 (il faut le rendre). Une histoire du verre. Trois polars dans le train
de Brême. J’ai souligné une seule phrase : « On n’habite pas un lieu, on habite ses bruits. »"),
    note("Languages/Português", at(2025, 9, 14, 19, 0), "português aprender", "Erros da semana, para não repetir:

- disse ao senhor do talho que estava *embaraçada*; não estava
- “pois” não é sim. “Pois” é pois
- o João Bicas disse “já vou” e veio duas horas depois. Dicionário: já = algum dia
- hoje sonhei em português, mas ninguém me entendia"),
    note("Languages/日本語メモ", at(2017, 1, 22, 20, 0), "日本語 学習", "春子さんの手紙を辞書なしで読みたい。

- 響き（ひびき）：音の残り方。ホールの話に一番大事な言葉
- 静けさ（しずけさ）：静かなこと。でも「無音」とは違う
- 木の匂いがする、床が鳴る、雨が上がる

今週の文：「京都の朝は、音が少ないのに、耳がいそがしい。」"),
    note("Languages/中文笔记", at(2024, 3, 10, 21, 0), "中文 学习", "雨禾教我的句子：

- 这根竹子还在睡觉。——做笛子的人都这么说
- 声音太干了，像没下雨的河。——她对新音乐厅的评价
- 慢慢来，比较快。

下次去台北以前，要学会自己点菜，不要每次都吃到鸡爪。"),
    note("Languages/كلمات من سلمى", at(2022, 5, 8, 20, 0), "العربية", "كلمات تعلمتها في الرباط:

- الصبر مفتاح الفرج
- طين، فرن، أزرق، صحن
- «ساعة واحدة» تعني ساعتين عند سلمى

أريد أن أكتب لها رسالة كاملة بالعربية قبل نهاية السنة."),
    note("Languages/Frases de Lucía", at(2023, 9, 3, 20, 0), "español correr", "- Correr despacio es una habilidad.
- El muro no existe, existe el desayuno que no tomaste.
- La rodilla no miente, pero exagera.
- Si puedes hablar, vas bien. Si puedes cantar, vas de paseo."),
    note("Ideas/Passwords and papers, in case", at(2026, 7, 5, 11, 0), "important", "If something happens to me: the vault has two trusted contacts, Teo and Jonte. The emergency kit is in the
clock, Papa knows which. Will: with Beatriz. The cat goes to Dona Graça, who has already agreed, twice."),
    note("Ideas/Year in review 2025", at(2025, 12, 31, 16, 0), "review", "**Flat, job, country: all three in one summer. Do not recommend, would do again.**

Best sound: the key in our own door. Worst: the lead joint, though we did not know it yet.
People: Inês, Dona Graça, Kofi; fewer Sundays with Camille than promised.
Body: one marathon skipped, ferritin 63, knee quiet. 2026: marry Teo, run with Lucía, finish the bathroom."),
    note("Ideas/Year in review 2021", at(2021, 12, 31, 17, 0), "review", "A year in one kitchen. Motte grew, I did not. The hall on the canal is open and people cough in it, which means
it works. Learned in November that I was not lazy but made of too little iron. 2022: walk to the river, then run."),
    note("Ideas/Questions for the lawyer", at(2025, 4, 22, 9, 30), "lisbon flat paperwork", "For Beatriz, before the promissory contract:

1. Is the terrace ours or ours to use?
2. Roof repairs voted before we buy: who pays?
3. What happens to the deposit if the bank is late?
4. Tax numbers: do both of us need one on the deed?
5. Can the piano stool be in the contract? (Rui insists.)"),
    note("Running/Tierische Laufstrecken Berlin", at(2018, 6, 24, 9, 0), "laufen berlin", "Kanal bis zum Wehr und zurück: 7,4 km, Reiher. Friedhofsrunde: 5 km, Füchse. Tempelhof: 6,2 km, Lerchen und
Menschen mit Drachen. Dagny hat mich überholt, rückwärts, telefonierend."),
    note("Health/Dentist and other appointments", at(2026, 2, 2, 9, 0), "health list", "Dentist: every six months, next in August. Eyes: 2025 fine. Skin: yearly, ask Dr Telheiro. Blood: November,
with ferritin, before the marathon. Hearing test: **I keep postponing it. I know why.**"),
];

/// One line of a training diary, with slots.
pub(super) const RUNS: [&str; 10] = [
    "{km} km by the water, {pace} per km. Knee silent.",
    "{km} km before work, {pace}. Fog, gulls, one other runner who nodded.",
    "Hills: {km} km, {pace}. Lungs filed a complaint.",
    "{km} km, {pace}, with headphones off. Counted nine kinds of wind.",
    "Long one: {km} km at {pace}. Ate a banana like a professional.",
    "{km} km in the rain, {pace}. Happy for no reason.",
    "Tempo {km} km, {pace}. Lucía would say: too fast at the start. Lucía would be right.",
    "{km} km easy, {pace}. Talked to a heron.",
    "{km} km, {pace}, tired legs. Iron taken? Yes. Sleep? No.",
    "{km} km mit Dagnys Stimme im Kopf („langsamer“), {pace}.",
];

/// What a week at work was like, with a slot for the project.
pub(super) const WEEKS: [&str; 10] = [
    "Measured {project} twice; the second time the cleaner hummed along, exactly at the mode.",
    "{project}: drawings back from the architect with a balcony nobody had asked for.",
    "Quiet week. {project} waits for plaster, so do I.",
    "Listened to {project} from the worst seat. It is not the worst seat any more.",
    "{project}: client wants “warm but crisp”. Wrote both words on the wall, far apart.",
    "Two days of model work on {project}; smells of glue, sounds of nothing yet.",
    "{project}: found the hum. It was the ice machine. It is always the ice machine.",
    "Presented {project}. Three questions, all good, one from the porter.",
    "{project}: budget cut by a tenth, so the reflectors become felt. Felt may be better.",
    "Trained two new colleagues at {project}. They hear more than I do; I know where to stand.",
];
