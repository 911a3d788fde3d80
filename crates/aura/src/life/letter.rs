// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hand-written mails, the flat, the moves, the family and friends, in the order of threads.

use super::charset::Charset::{self, Arabic, Kana, Latin1, Latin9, Utf8, Windows1252};
use super::date::{At, at};

/// A hand-written mail. A subject that starts with `Re:` answers the mail before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter {
    /// Keys of the writer and the reader, see `people`.
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) at: At,
    pub(super) charset: Charset,
    pub(super) subject: &'static str,
    pub(super) body: &'static str,
}

type Way = (&'static str, &'static str);

const fn l(
    way: Way,
    at: At,
    charset: Charset,
    subject: &'static str,
    body: &'static str,
) -> Letter {
    Letter { from: way.0, to: way.1, at, charset, subject, body }
}

/// Names of files that go with a mail of this subject.
pub(super) const ENCLOSED: [(&str, &str); 6] = [
    ("Lisbon flat: three visits on Friday", "visits.csv"),
    ("Lisbon flat: draft contract", "contract-draft.pdf"),
    ("Rechnung Umzug Paris–Lissabon", "Rechnung-2025-0744.pdf"),
    ("Fenja hat gemalt", "wal.png"),
    ("Résultats", "resultats.pdf"),
    ("Orçamento da casa de banho", "orcamento.pdf"),
];

pub(super) const LETTERS: &[Letter] = &[
    l(("ines", "nora"), at(2025, 3, 24, 9, 12), Utf8, "Lisbon flat: three visits on Friday", "Dear Nora,

I have three places for you and Teo on Friday 28 March: Graça at ten, Alvalade at noon, Campo de
Ourique at three. The list is enclosed. Wear shoes for stairs.

Please bring your famous microphone. No client has ever asked me for a quiet bedroom in decibels.

Inês Carvalhal, Casas Andorinha"),
    l(("nora", "ines"), at(2025, 3, 24, 18, 40), Utf8, "Re: Lisbon flat: three visits on Friday", "Dear Inês,

Friday is perfect. We land on Thursday night. May I come back to each flat at eleven in the evening
for ten minutes, alone? I promise not to touch anything but the windows.

Nora"),
    l(("ines", "nora"), at(2025, 3, 25, 8, 5), Utf8, "Re: Lisbon flat: three visits on Friday", "At eleven in the evening I will come with you, otherwise the neighbours call the police, and in Graça
the neighbours ARE the police: her name is Dona Graça and she sees everything. :)"),
    l(("teo", "nora"), at(2025, 4, 9, 22, 30), Utf8, "The Lisbon flat, honestly", "You are asleep next door, so I write.

I drew all three floor plans from memory tonight. Of Alvalade I had forgotten a room. Of Campo de
Ourique I remembered the price. Of Graça I drew the light on the kitchen floor without noticing.

I think the Lisbon flat is decided. You may bring numbers.

T."),
    l(("nora", "teo"), at(2025, 4, 10, 6, 50), Utf8, "Re: The Lisbon flat, honestly", "29 dB at night. 318 500 €. No lift, 61 steps, I counted. We could pay the mortgage from my four days and
half of your maps.

Crisps on the kitchen floor on Saturday, then we decide properly. I will bring the numbers AND the light."),
    l(("nora", "ines"), at(2025, 4, 14, 9, 2), Utf8, "Lisbon flat: our answer is yes", "Dear Inês,

we decided: we take the Graça flat, at 318 500 €, with the terrace rights written into the contract and
the gas certificate before the deed.

Please tell Mr Patamar that the piano stool may stay where it lives.

Nora and Teo"),
    l(("ines", "nora"), at(2025, 4, 14, 9, 20), Utf8, "Re: Lisbon flat: our answer is yes", "PARABÉNS! 🎉🏠

Rui says yes, with one condition: you will invite him once, in June, for sardines on the terrace. I put
it in the contract. (I did not. But do it.)"),
    l(("beatriz", "nora"), at(2025, 4, 28, 15, 0), Utf8, "Lisbon flat: draft contract", "Dear Nora,

enclosed the draft of the promissory contract. To your five questions: the terrace is for your exclusive
use, not your property; roof works voted before the deed are the seller’s; if the bank is late the deposit
is safe for thirty days; yes, both tax numbers; and no, I will not put a piano stool into a contract.

Beatriz Salgueira"),
    l(("nora", "beatriz"), at(2025, 4, 28, 17, 31), Utf8, "Re: Lisbon flat: draft contract", "Dear Beatriz, thank you, all clear. One change: clause 7 says “third floor right”. We fell in love with the
left one. Otherwise we sign on 6 May at four. Nora"),
    l(("rui", "nora"), at(2025, 6, 20, 19, 45), Latin1, "A casa", "Cara Nora,

esqueci-me de lhe dizer: a janela da cozinha abre melhor se a levantar um pouco, e o vizinho do lado
toca acordeão às quintas. A minha mãe dizia que a casa gosta de gente que canta.

Tratem-na bem.
Rui Patamar"),
    l(("nora", "rui"), at(2025, 6, 21, 8, 30), Latin1, "Re: A casa", "Caro Rui,

já levantámos a janela. Não cantamos bem, mas cantamos. As sardinhas são no dia 28, às oito; traga as
histórias, nós temos o pão.

Nora e Teo"),
    l(("oskar", "nora"), at(2025, 7, 8, 10, 0), Latin9, "Rechnung Umzug Paris–Lissabon", "Guten Tag Frau Velbrück,

anbei die Rechnung 2025-0744 für den Umzug am 1. bis 3. Juli: 4.280 € laut Angebot, dazu 120 € für die
Treppe, von der im Angebot nur zwei Stockwerke standen. Das Klavier hat gestimmt, als wir ankamen,
das hatten wir noch nie.

Oskar Rehwinkel"),
    l(("nora", "oskar"), at(2025, 7, 9, 8, 15), Windows1252, "Re: Rechnung Umzug", "Guten Tag Herr Rehwinkel,

61 Stufen, 120 €, das ist fair. Heute überwiesen: 4.400 €. Ein Karton „Teo, nicht anfassen“ steht bei
uns zweimal, einer gehört vermutlich jemandem in Lyon.

Nora Velbrück"),
    l(("oskar", "nora"), at(2019, 9, 6, 9, 0), Latin9, "Rechnung Umzug nach Paris", "Guten Tag Frau Velbrück, für den Umzug Berlin nach Paris am 2. September berechnen wir 2.150 €. Die Monstera
haben wir bei Ihrer Kollegin abgegeben, sie (die Pflanze) hat nur ein Blatt verloren."),
    l(("graca", "nora"), at(2026, 2, 15, 7, 52), Latin1, "água!!!", "Menina Nora, está a chover na minha cozinha e lá fora faz sol. Liguei ao João Bicas, que é primo da minha
afilhada, vem já. Ponham um balde. Não se preocupe com o tecto, preocupe-se com o bolo, que era para si."),
    l(("joao", "nora"), at(2026, 2, 19, 12, 0), Windows1252, "Orçamento da casa de banho", "Boa tarde,

segue o orçamento: demolição, canos novos, azulejo à escolha: 11 900 €. Três semanas, em Setembro. O
chumbo velho levo eu – já tem idade para reforma.

João Bicas"),
    l(("ilse", "nora"), at(2025, 7, 6, 17, 0), Latin1, "Und, wie ist es?", "Mein liebes Kind,

wie ist die erste Nacht gewesen? Was man in der ersten Nacht träumt, geht in Erfüllung, also überlege Dir
gut, was Du mir schreibst. Papa fragt, ob die Wand für die Uhr trägt. Er hat schon gepackt.

Deine Mama"),
    l(("nora", "ilse"), at(2025, 7, 6, 20, 10), Latin1, "Re: Und, wie ist es?", "Liebe Mama,

geträumt habe ich vom Schlüsselbund, und dass alle Türen klingen. Die Wand ist sechzig Zentimeter dick,
sie trägt Papa und alle seine Uhren. Kommt im September, wenn die Hitze vorbei ist.

Nora"),
    l(("hinrich", "nora"), at(2018, 12, 12, 9, 0), Latin1, "Befund", "Liebe Nora, die zwei Stents laufen wie geölt (ich habe gefragt, womit). Reha bis Januar. Die Schwester auf
Station 5 hat jetzt eine Uhr, die geht. Mach Dir keine Sorgen, und wenn, dann pünktlich. Papa"),
    l(("nora", "hinrich"), at(2018, 12, 12, 19, 0), Latin1, "Re: Befund", "Lieber Papa, Dr. Amsel hat auch bei mir gemessen, alles gut. Ich komme zu Weihnachten erst nach Triest und dann
zu Euch. Ich bringe jemanden mit, der Dir widersprechen wird. Nora"),
    l(("jonte", "nora"), at(2019, 2, 14, 5, 2), Utf8, "FENJA!!!", "04:12. 3410 Gramm. Marit schläft. Ich nicht, nie wieder. Sie hat deine Ohren, das wird laut. 🐋❤️"),
    l(("marit", "nora"), at(2024, 5, 12, 15, 0), Latin1, "Fenja hat gemalt", "Liebe Nora, anbei ein Wal. Oder Du. Fenja sagt, das sei dasselbe. Sie möchte wissen, ob man in Paris tauchen kann
und ob Motte schwimmt. Bitte antworte ihr direkt, sie kann jetzt lesen, wenn es langsam ist."),
    l(("nora", "fenja"), at(2026, 3, 1, 9, 0), Kana, "kujira", "ふぇんじゃへ。

くじらは おおきい。もっては ちいさい。なつに うみへ いこう！

おばさんの のーら より"),
    l(("fenja", "nora"), at(2026, 3, 2, 16, 0), Utf8, "Re: kujira", "LIEBE NORA ICH KANN DAS NICHT LESEN ABER PAPA SAGT DA STEHT WAL. ICH HAB NOCH EINEN GEMALT. KOMMT MOTTE AUCH ANS MEER 🐋🐈"),
    l(("camille", "nora"), at(2019, 7, 3, 10, 0), Latin1, "Bienvenue", "Chère Nora,

tout le monde ici attend septembre. Bastien a déjà rangé la moitié de son établi, ce qui n'était jamais arrivé.
Ton bureau est sous la verrière ; il y fait froid en hiver et beau toujours.

Camille"),
    l(("nora", "camille"), at(2024, 11, 24, 20, 0), Latin9, "Il faut que je te parle", "Chère Camille,

on m'a proposé un poste, et je crois que je vais dire oui. Ce n'est pas contre l'atelier. C'est Lisbonne,
depuis ce marathon, tu sais bien. J'aurais voulu te le dire en face avant que tu le devines.

Nora"),
    l(("camille", "nora"), at(2024, 11, 25, 7, 45), Latin9, "Re: Il faut que je te parle", "Je le sais depuis jeudi : tu as rangé ton tiroir. Il y a du gâteau à une heure. Tu pars avec ma bénédiction, à
condition de rendre le roman, et d'avoir une chambre d'amis.

C."),
    l(("bastien", "nora"), at(2021, 6, 17, 9, 30), Latin1, "quarante centimètres", "Le chef a dit « voilà ». J'ai encadré la cale de quarante centimètres. Elle est au mur, à côté de la licence.
Prochaine fois on le fait du premier coup, d'accord ? (On ne le fera pas.)"),
    l(("solene", "nora"), at(2021, 11, 25, 16, 0), Latin1, "Résultats", "Chère Madame,

vos résultats sont arrivés : la ferritine est à 9 µg/L, l'hémoglobine à 11,2 g/dL. Ce n'est pas de la paresse,
c'est un manque de fer. Ordonnance en pièce jointe, contrôle dans trois mois.

Dre Solène Marchais"),
    l(("vasco", "nora"), at(2025, 11, 18, 14, 0), Utf8, "Análises e joelho", "Cara Nora, ferritina 63, hemoglobina 13,4: muito bem. O joelho esquerdo está inteiro, só teimoso, como a dona.
Pode treinar para Valência; reforce a anca e durma. Repetimos em Novembro de 2026. Dr. Vasco Telheiro"),
    l(("amsel", "nora"), at(2019, 1, 16, 11, 0), Latin1, "Ihr Blutdruck-Protokoll", "Sehr geehrte Frau Velbrück, Ihre 28 Messwerte liegen im Mittel bei 118/76. Das ist ein schönes Ergebnis und
eine sehr schöne Tabelle. Eine Wiederholung in zwei Jahren genügt. Ihr Dr. Amsel"),
    l(("lucia", "nora"), at(2023, 5, 23, 13, 0), Latin1, "¿Y esa rodilla?", "Nora, ya sé que mediste el ángulo. Hielo no, fuerza sí: plancha lateral tres por cuarenta y cinco, y dos semanas
sin correr. En octubre quiero verte en Lisboa con el dorsal y sin excusas. ¡Despacio!

Lucía"),
    l(("nora", "lucia"), at(2023, 10, 9, 10, 0), Latin1, "Re: ¿Y esa rodilla?", "4:11:37. La rodilla habló a partir del 35, pero con educación. Lloré en el 38 por culpa de una charanga. Te debo
un maratón entero, al lado, hasta la meta. ¿Valencia? Nora"),
    l(("lucia", "nora"), at(2026, 6, 28, 21, 0), Utf8, "Valencia, 6 de diciembre", "Recién casada y ya inscrita: tienes el dorsal al lado del mío. Bajamos de cuatro horas o nos quedamos a vivir
en el kilómetro cuarenta. Manda análisis de hierro antes de noviembre. 🏃‍♀️🍊"),
    l(("haruko", "nora"), at(2016, 11, 3, 2, 0), Utf8, "京都より", "ノラさん

先日はありがとうございました。あなたが床の音を二回録音したこと、うちの館長が今も話しています。
雨の南禅寺の写真を見るたび、静けさにも音があると思い出します。
次はコンサートホールの木の反射板を一緒に聴きましょう。

水無月春子"),
    l(("nora", "haruko"), at(2016, 11, 6, 19, 0), Utf8, "Re: 京都より", "春子さん

お手紙、辞書と一緒に三回読みました。京都の朝の音を、まだ耳が覚えています。
ベルリンのホールにも静けさを少し持って帰りたいです。

ノラ"),
    l(("haruko", "nora"), at(2026, 5, 10, 3, 0), Utf8, "結婚おめでとう", "ノラさん、テオさん

六月二十日、リスボンへ行きます。詩を一つ読んでもいいですか。誰にも分からなくても大丈夫です。
響きだけ、持って帰ってください。

春子"),
    l(("yuhe", "nora"), at(2024, 1, 8, 4, 0), Utf8, "台北等你", "诺拉：

客房收拾好了，窗外就是河。新音乐厅二月开放，我想先听听你怎么说，再听别人怎么夸。
竹子已经放了三年，可以动刀了，你来选一根吧。

雨禾"),
    l(("nora", "yuhe"), at(2024, 1, 9, 21, 0), Utf8, "Re: 台北等你", "雨禾：

太好了！我二月十日到。我只会说“不要辣”，其他都靠你。竹子我听着选，不看着选。

诺拉"),
    l(("salma", "nora"), at(2022, 3, 30, 12, 0), Arabic, "rabat", "عزيزتي نورا،

الغرفة جاهزة والفرن جديد. تعالي في الربيع، قبل أن يصبح الطين أسرع مني. سأكون في المحطة، ساعة واحدة فقط.

سلمى"),
    l(("nora", "salma"), at(2022, 12, 20, 18, 0), Arabic, "Re: rabat", "عزيزتي سلمى،

هذه أول رسالة أكتبها كلها بالعربية. الصحون الزرقاء على الطاولة كل يوم، ولم ينكسر شيء بعد. الصبر مفتاح الفرج.

نورا"),
    l(("salma", "nora"), at(2025, 8, 30, 9, 0), Utf8, "صحون للبيت الجديد", "نورا، سمعت أن عندكم شرفة في لشبونة! أرسلت ستة صحون زرقاء، واحد زيادة للجمارك هذه المرة. 💙"),
    l(("kofi", "nora"), at(2024, 11, 19, 10, 0), Windows1252, "A question about listening", "Dear Nora,

I heard you on Priya’s programme last year – “silence is what we allow to stay” – and I have not built a
room the same way since. Would you lead listening at Tidewater? Four days a week, from wherever your ears
are happiest.

Kofi"),
    l(("nora", "kofi"), at(2024, 11, 26, 8, 0), Windows1252, "Re: A question about listening", "Dear Kofi,

yes. From May, and from Lisbon if the city agrees. Two conditions: we sit in the worst seat first, and nobody
calls me head of anything before I have met the cleaner.

Nora"),
    l(("wanda", "nora"), at(2026, 4, 22, 9, 15), Utf8, "Harbour theatre: rattle at 63 Hz", "Stage crew found a loose chain in the flies. It rattles at, and I quote the intern, “sixty-three-ish”. Removed.
You can keep the felt budget. The 300 school children are confirmed for 22 October; so are 300 raincoats."),
    l(("nora", "wanda"), at(2026, 4, 22, 9, 40), Utf8, "Re: Harbour theatre: rattle at 63 Hz", "Promote the intern. Keep the raincoats on for the first half: I want both curves. And felt stays, row R still
cannot hear the violas."),
    l(("priya", "nora"), at(2023, 2, 6, 11, 0), Utf8, "Twenty minutes on silence", "Hello Nora, I make a radio programme about things that are not there. Would you talk to me about silence for twenty
minutes? We would record in your quietest room, and then in your loudest, and cut it so that nobody knows which."),
    l(("detlef", "nora"), at(2019, 8, 30, 15, 0), Latin1, "Zum Abschied", "Liebe Nora, fünf Jahre, elf Säle, ein einziger Rechenfehler (meiner). Das Buch von 2014 behalten Sie bitte doch. Messen
Sie in Paris alles zweimal, die Franzosen hören nur einmal. Ihr Detlef Krumbholz"),
    l(("aylin", "nora"), at(2020, 5, 2, 20, 0), Utf8, "Die Monstera lebt", "Sieben neue Blätter! 🌿 Sauna ist zu, Büro ist zu, ich sitze auf dem Balkon und höre zum ersten Mal seit Jahren die Glocken
von Weißensee. Mess das mal: eine Stadt ohne Autos. So leise wird es nie wieder."),
    l(("nora", "aylin"), at(2020, 5, 3, 9, 0), Utf8, "Re: Die Monstera lebt", "Habe ich gemessen. Elf Dezibel leiser als im Februar, und ein Zaunkönig auf dem Dach, lauter als der Bus. Wir haben uns
eine Katze bestellt, also, sie sich uns. Komm, sobald man darf."),
    l(("matteo", "teo"), at(2019, 1, 4, 10, 0), Utf8, "The German", "Your mother and I like her. She listened to the bora as if it were a quartet and told me my chess opponent is
probably dead. I answered his move anyway. (Teo, forward this to her, I have not got her address.)"),
    l(("birgit", "nora"), at(2025, 10, 12, 9, 0), Utf8, "Rye, again", "The starter is in the post. Feed it when it arrives, it will be angry. In the warm kitchen go down to four hours, you are
baking in Africa nearly. Kys til Teo."),
    l(("teo", "nora"), at(2023, 10, 8, 20, 15), Utf8, "silver foil", "You fell asleep in the tram with the medal on. I said yes to Lisbon and I want it in writing that I said it first.

From the window it looked like a map somebody had crumpled and then loved."),
    l(("dagny", "nora"), at(2026, 9, 1, 6, 0), Utf8, "Dein Plan", "Langsamer."),
    l(("nora", "teo"), at(2026, 6, 27, 7, 0), Utf8, "a week married", "From the archive of husband and wife, first entry: you snore in 3/4. I checked.

From now on all post to both of us. Dona Graça has already changed the bell plate."),
];
