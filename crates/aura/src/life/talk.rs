// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was talked about with assistants: each row is a conversation, question and answer in turn.

use super::date::{At, at};

/// Title, start, and the messages: the person's first, then the assistant's, in turn.
pub(super) type Talk = (&'static str, At, &'static [&'static str]);

pub(super) const CHATGPT: &[Talk] = &[
    (
        "Comparing three Lisbon flats",
        at(2025, 4, 1, 20, 0),
        &[
            "Help me compare three flats in Lisbon: Graça 318 500 €, no lift, 29 dB at night; Alvalade 305 000 €, aircraft; Campo de Ourique 380 000 €.",
            "Put the things you cannot change in one column: noise from outside, light, stairs, price. Kitchens and bathrooms can be changed. On that list Graça loses only the stairs.",
            "And what would a sceptical friend ask about the Lisbon flat in Graça?",
            "Who pays for the roof, whether the terrace is yours or only yours to use, and how you will carry a piano up sixty-one steps.",
        ],
    ),
    (
        "Reverberation of an empty room",
        at(2025, 6, 19, 9, 0),
        &[
            "Living room 5.2 × 4.1 × 3.3 m, plaster, wooden floor, T60 measured 1.9 s. How many square metres of books to reach 0.6?",
            "By Sabine’s formula you have about 6 m² of absorption and need about 19. Filled shelves absorb roughly a third of their face, so about 38 m²; a rug and curtains bring it down to 25.",
            "So a normal amount of books, for us.",
            "For two people who own a plan cabinet, yes.",
        ],
    ),
    (
        "Marathon taper",
        at(2023, 9, 20, 7, 0),
        &[
            "Two and a half weeks before my first marathon, knee slightly annoyed. What now?",
            "Less of everything except sleep. Keep one short quick session so that the legs remember. Nothing you do now makes you faster; plenty can make you slower.",
            "My friend in Valencia says: correr despacio es una habilidad.",
            "She is right, and it is the hardest one to practise when you feel rested.",
        ],
    ),
    (
        "Iron tablets and coffee",
        at(2021, 11, 27, 8, 0),
        &[
            "Ferritin 9. Why every second day and why no coffee?",
            "After a dose the body lowers iron uptake for about a day, so alternate days can work as well with fewer side effects. Coffee binds iron in the gut; an hour or two apart is enough. Your doctor’s plan comes first.",
        ],
    ),
    (
        "Wedding speech in four languages",
        at(2026, 5, 30, 22, 0),
        &[
            "One sentence of welcome in German, Portuguese, French and English, for a terrace, not a ballroom.",
            "Schön, dass ihr die Treppe geschafft habt. Que bom que vieram todos. Merci d’être montés jusqu’ici. Thank you for climbing all this way.",
        ],
    ),
    (
        "Brief an die Versicherung",
        at(2026, 2, 16, 9, 0),
        &[
            "Schreib der Versicherung: Wasserschaden am 15. Februar 2026, Bleiverbindung, Decke im zweiten Stock nass, Klempner 184 €.",
            "Sehr geehrte Damen und Herren, am 15. Februar 2026 gegen 7:40 Uhr trat Wasser aus einer alten Bleiverbindung hinter der Badewanne aus. Betroffen ist die Küchendecke der Wohnung darunter. Die Reparatur (184 €) ist belegt. Bitte teilen Sie mir das weitere Vorgehen mit.",
            "Etwas weniger steif, bitte.",
            "Guten Tag, am Sonntagmorgen ist bei uns eine Leitung undicht geworden, die Nachbarin unter uns hat es in der Küche gemerkt. Der Klempner war sofort da. Was brauchen Sie noch von uns?",
        ],
    ),
    (
        "A letter in Arabic",
        at(2022, 12, 18, 20, 0),
        &[
            "How do I say in Arabic: the blue bowls are on the table every day?",
            "الصحون الزرقاء على الطاولة كل يوم. Salma will notice that you used the plural.",
        ],
    ),
    (
        "京都の天気",
        at(2026, 2, 12, 9, 0),
        &[
            "十年ぶりに京都へ行くなら、雨の日に何を聴けばいい？",
            "朝の南禅寺の屋根、鴨川の石、そして古い廊下のうぐいす張りです。雨は音を近くします。",
        ],
    ),
    (
        "Planting a terrace",
        at(2026, 3, 20, 18, 0),
        &[
            "South terrace in Lisbon, wind, forgetful owners. What survives?",
            "Lemon in a big pot, rosemary, bougainvillea on the wall. Water early and rarely but deeply. Ask the neighbour who gardens; she knows the wind.",
        ],
    ),
    (
        "Résilier un contrat d’électricité",
        at(2025, 6, 10, 12, 0),
        &[
            "Je quitte Paris le 1er juillet. Une phrase pour résilier chez Voltige Énergie ?",
            "« Je quitte mon logement le 1er juillet 2025 et vous prie de clôturer mon contrat à cette date ; le relevé du compteur est joint. »",
        ],
    ),
];

pub(super) const CLAUDE: &[Talk] = &[
    (
        "What did I decide about the flat?",
        at(2025, 4, 13, 8, 30),
        &[
            "I wrote down last night why we take the Lisbon flat in Graça. Read it as someone who loves us and doubts everything.",
            "You give quiet as the first reason and light as the second, and neither will change. The doubts you name, stairs, bathroom, roof, all cost money and not peace. I would ask only one thing: is 15 000 € enough for a bathroom from 1974?",
            "João will say what he wants in the end. Let us call it 15.",
            "Then call it 15 and be pleased with whatever is left.",
        ],
    ),
    (
        "Harbour theatre, row R",
        at(2026, 4, 21, 18, 0),
        &[
            "Row R cannot hear the violas. Under the balcony, ceiling 2.6 m, late energy missing between 200 and 800 Hz. Ideas that cost nothing?",
            "First check whether row R hears too much of something else: a loud early reflection from the back wall masks violas well. Your felt behind the third panel is worth one rehearsal. If it helps, you have learned where the energy goes; if not, you have lost an afternoon.",
            "And if the violas simply play softly?",
            "Then move the violas before you move the wall.",
        ],
    ),
    (
        "Rede für Papa, Entwurf",
        at(2026, 8, 14, 22, 0),
        &[
            "Papa wird siebzig, Uhrmacher, mag keine Reden. Wie lang?",
            "So lange, wie ein Pendel braucht, um von selbst stehen zu bleiben: drei Minuten. Eine Erinnerung, ein Dank, kein Rat.",
            "Ich durfte einmal das Pendel anhalten.",
            "Dann ist das Ihre Rede. Erzählen Sie die Stille danach.",
        ],
    ),
    (
        "A method for the map of quiet",
        at(2026, 5, 25, 7, 0),
        &[
            "Twelve points in Graça, seven minutes each, three Sundays at five in the morning. Is that enough to draw?",
            "For a map, yes; for a standard, no. Report the median of the three Sundays and draw the range as the thickness of the line. Then the drawing shows honestly where the city was undecided.",
        ],
    ),
    (
        "Português: por ou para",
        at(2025, 10, 1, 19, 0),
        &[
            "Explica-me por e para com exemplos da minha rua.",
            "Passas pela rua, mas vais para casa. Dás o bolo à Dona Graça por amizade e para ela não reclamar do barulho.",
        ],
    ),
    (
        "How to say no to a client",
        at(2024, 3, 5, 17, 0),
        &[
            "A client wants a number for reverberation before the plaster is dry. Polite refusal, two sentences.",
            "The room is still changing and so would the number. I will measure when it has stopped, and then you can rely on it.",
        ],
    ),
    (
        "Training for Valencia",
        at(2026, 8, 29, 20, 0),
        &[
            "14 weeks to Valencia, goal just under four hours, hills outside my door, history: ferritin 9 in 2021, 63 last year.",
            "Your hills are your strength sessions; keep Sunday long and slow. Test ferritin five weeks before, so that there is time to act on it with your doctor. And agree with Lucía who decides on the day.",
            "She decides. She always decides.",
            "Then the plan is complete.",
        ],
    ),
    (
        "竹笛的声音",
        at(2024, 2, 22, 21, 0),
        &[
            "怎么用一句中文谢谢雨禾带我去听新音乐厅？",
            "「谢谢你带我去听，一个人听见的是声音，两个人听见的是房间。」",
        ],
    ),
    (
        "Naming the cat’s diseases",
        at(2025, 1, 7, 21, 0),
        &[
            "Motte sneezes when I practise the cello. Allergy or criticism?",
            "If it happens only above the fourth position, criticism. If it goes on for more than a day, please ask the vet.",
        ],
    ),
];
