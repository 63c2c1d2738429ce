"""A dirty web."""

from __future__ import annotations

import re

from scratchlm.corpus.storyworld import Stream
from scratchlm.corpus.words import COLORS, NAMES, WORDS

# § sec-dirty-pages
Phrases = dict[str, tuple[str, ...]]


def phrases(text: str) -> Phrases:
    """Lists of phrases, a line ``name: one | two | three`` each."""
    lists: Phrases = {}
    for line in text.strip().splitlines():
        name, found, rest = line.strip().partition(": ")
        if found:
            lists[name] = ()
        else:  # the line goes on
            name, rest = list(lists)[-1], line
        lists[name] += tuple(
            entry.strip() for entry in rest.split("|") if entry.strip())
    return lists


# § sec-dirty-defects
CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code)
          for code in range(0x80, 0xA0)}


def mojibake(text: str, layers: int = 1) -> str:
    """UTF-8 bytes read as Windows-1252, as often as there are layers.

    The five bytes that Windows-1252 leaves out stand for themselves, as
    browsers have it (WHATWG Encoding Standard, windows-1252).
    """
    for _ in range(layers):
        text = text.encode().decode("latin-1").translate(CP1252)
    return text


HIDDEN = (("\xad", "\xad", "\u200b", "", "", ""), ("\xa0", " ", " ", " "))


def hide(text: str, stream: Stream) -> str:
    """The same words with characters that cannot be seen, or not told."""
    def change(match: re.Match[str]) -> str:
        return stream.pick(HIDDEN[match[0] == " "], "place") + match[0][1:]

    return re.sub(r" (?=\w)|(?<=[a-z]{3})(?=[a-z]{4})", change, text)


ACCENTS = {"Zoe": "Zoë", "Theo": "Théo", "Leo": "Léo", "Felix": "Félix",
           "Ivan": "Iván", "Victor": "Víctor", "Adam": "Ádám", "Mia": "Mía",
           "Simon": "Simón", "Oscar": "Óscar", "Sara": "Sára"}


def typeset(text: str) -> str:
    """Curly quotes and accented names, as a careful site prints them."""
    text = re.sub(r'"([^"]*)"', "“\\1”", text).replace("'", "’")
    return re.sub(r"\b[A-Z]\w+", lambda w: ACCENTS.get(w[0], w[0]), text)


LANGUAGES: dict[str, Phrases] = {
    "de": phrases("""
        title: Ein Tag mit {who} | {who} und {friend} | Der stille Morgen
        line: {who} wohnte in {home}. | Eines Morgens ging {who} {to}. |
            Dort lag {what} im Gras. | Am nächsten Tag regnete es. |
            {who} nahm {it} mit nach Hause. | Für {it} war noch Platz. |
            Am Abend zeigte {who} der Großmutter {it}. |
            „Wie schön!“, rief {who}. | „Woher kommt das?“, fragte {who}. |
            {who} und {friend} lachten den ganzen Tag. |
            {who} wartete, bis die Sonne wieder schien. |
            Die Straße war still, und der Wind kam von Süden. |
            Niemand wusste, woher es kam. | Dann schlief {who} ruhig ein.
        who: Lena | Jürgen | Käthe | Björn | Sophie | Günther
        friend: Matthias | Jörg | Anja | Hannelore
        home: einem kleinen Haus | einer alten Mühle | einem hellen Zimmer |
            einer engen Gasse | einem Dorf am Wald
        to: an den Fluss | in die Stadt | auf den Markt | zum Bäcker
        what: ein roter Drachen | eine alte Trommel | ein kleines Boot |
            ein grüner Apfel | ein rostiger Schlüssel
        it: den roten Drachen | die alte Trommel | das kleine Boot |
            den grünen Apfel | den rostigen Schlüssel"""),
    "fr": phrases("""
        title: Un jour avec {friend} | {who} et {friend} | Le matin
        line: {who} habitait dans {home}. | Un matin, {who} alla {to}. |
            Il y avait {it} dans l’herbe. | Le lendemain, il pleuvait. |
            {who} emporta {it} à la maison. | « C’est joli », dit {who}. |
            {who} attendit le retour du soleil. |
            {who} et {friend} jouèrent jusqu’au soir. |
            Personne ne savait d’où cela venait. |
            La rue était calme et le vent venait du sud. |
            « À qui est-ce ? » demanda {who}. | {who} s’endormit enfin. |
            Le père de {friend} prépara une soupe.
        who: Élise | Gérard | Zoé | Benoît | Hélène
        friend: Camille | Jérôme | Nadège | Thérèse
        home: une petite maison | un vieux moulin | un grenier clair
        to: au marché | à la rivière | chez le boulanger | à l’école
        it: un cerf-volant bleu | un vieux tambour | une pomme verte |
            une clé rouillée | un petit bateau"""),
}

LANGUAGES |= {
    "es": phrases("""
        title: Un día con {friend} | {who} y {friend} | La mañana
        line: {who} vivía en {home}. | Una mañana, {who} fue {to}. |
            Había {it} en la hierba. | Al día siguiente llovió. |
            {who} llevó {it} a casa. | —¡Qué bonito! —dijo {who}. |
            {who} esperó a que saliera el sol. |
            {who} y {friend} jugaron hasta la noche. |
            Nadie sabía de dónde venía. | —¿De quién es? —preguntó {who}. |
            El pueblo estaba tranquilo y el viento venía del sur. |
            El padre de {friend} preparó una sopa. |
            Por fin, {who} se durmió sin ruido.
        who: Begoña | Andrés | Lucía | Martín | Inés
        friend: Ramón | Núria | Tomás | Belén
        home: una casa pequeña | un viejo molino | una habitación clara
        to: al mercado | al río | a la panadería | a la escuela
        it: una cometa roja | un viejo tambor | una manzana verde |
            una llave oxidada | un barco pequeño"""),
    "ru": phrases("""
        title: Один день | {who} и {friend} | Тихое утро
        line: {who} жила {home}. | Однажды утром {who} пошла {to}. |
            В траве лежал {it}. | На следующий день шёл дождь. |
            {who} взяла {it} домой. | «Как красиво!» — сказала {who}. |
            {who} ждала, пока выйдет солнце. |
            {who} и {friend} играли до вечера. |
            Никто не знал, откуда он взялся. | Дедушка сварил суп. |
            На улице было тихо, и ветер дул с юга. |
            «Чей это {it}?» — спросила {who}. | {who} тихо уснула.
        who: Маша | Аня | Катя | Оля | Таня
        friend: Иван | Пётр | Миша | Борис
        home: в маленьком доме | у старой мельницы | на краю леса
        to: на рынок | к реке | в школу | в булочную
        it: красный шар | старый барабан | зелёный мяч | новый ключ"""),
}

LANGUAGES["ja"] = phrases("""
    title: 静かな朝 | {who}と{friend} | {who}の一日
    line: {who}は{home}に住んでいました。 | 次の日は雨でした。 |
        ある朝、{who}は{to}へ行きました。 | 草の上に{it}がありました。 |
        {who}は{it}を家に持って帰りました。 |
        「とてもきれいだね」と{who}は言いました。 |
        {who}は太陽が出るのを待ちました。 |
        {who}と{friend}は夕方まで遊びました。 |
        それがどこから来たのか、だれも知りませんでした。 |
        通りは静かで、南から風が吹いていました。 |
        「これはだれのもの？」と{who}は聞きました。 |
        おじいさんはスープを作りました。 |
        やがて{who}は静かに眠りました。
    who: はな | けんた | ゆき | さくら | たろう
    friend: みほ | だいすけ | あきら | なおこ
    home: 小さな家 | 森のそば | 古い水車小屋
    to: 市場 | 川 | 学校 | パン屋
    it: 赤いたこ | 古いたいこ | 小さな船 | 青いりんご""")


def say(kind: str, lists: Phrases, stream: Stream) -> str:
    """One phrase of a kind; a slot ``{name}`` holds another phrase."""
    return re.sub(r"\{(\w+)\}", lambda slot: say(slot[1], lists, stream),
                  stream.pick(lists[kind], "phrase"))


def word_salad(line: str, stream: Stream) -> str:
    """The words of a line, in any order."""
    words = line.split(" ")
    return " ".join(words.pop(stream.pick(range(len(words)), "junk"))
                    for _ in line.split(" "))


def foreign_text(language: str, stream: Stream) -> list[str]:
    """Some paragraphs in "de", "fr", "es", "ru" or "ja"."""
    lists, glue = LANGUAGES[language], "" if language == "ja" else " "
    return [glue.join(say("line", lists, stream)
                      for _ in range(stream.pick((3, 4, 5), "phrase")))
            for _ in range(stream.pick((2, 3, 4), "phrase"))]


PII = phrases("""
    email: {login}@example.com | {login}@mail.example.org |
        {login}+{word}@example.net | {login}@{word}-{word}.example
    phone: +1 ({area}) 555-01{dd} | 555-01{dd} | {area}-555-01{dd} |
        +44 20 7946 0{ddd} | 020 7946 0{ddd} | +49 30 23125 {ddd}
    ipv4: 192.0.2.{octet} | 198.51.100.{octet} | 203.0.113.{octet}
    ipv6: 2001:db8::{hex} | 2001:db8:{hex}:{hex}::{hex} |
        2001:db8:0:{hex}:0:0:{hex}:1
    lookalike: version 2.{octet}.{d} | version 4.{d}.{d}.{dd} |
        section 1.12.{octet}.300 | 20{dd}-0{d}-1{d} | 1{d}.0{d}.20{dd} |
        at 1{d}:{min}:{min} | ISBN 978-0-306-{ddd}15-{d} | @{login} |
        $1,{ddd}.{dd} | {ddd}.{d} meters
    login: mia.fox | tom | lily_b | hugo-owl | j.doe{dd} | readers
    word: tales | post | garden | news
    area: 201 | 312 | 415
    octet: 1 | 7 | 19 | 42 | 88 | 113 | 200 | 254
    hex: 1 | a | 1f | 8a2e | 370 | 7334
    min: 05 | 17 | 30 | 59
    d: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
    dd: {d}{d}
    ddd: {d}{d}{d}""")
SAYS = {
    "email": "Write to {} if you like it. | My address is {}. | ({})",
    "phone": "Call me at {}. | My number is {}, ask for Mia. | Phone: {}",
    "ipv4": "Your address is {}. | Posted from {}.",
    "ipv6": "Your address is {}. | Posted from {}.",
    "lookalike": "Last change: {}. | It says {} on the back. | See {}.",
}


def plant(kind: str, stream: Stream) -> tuple[str, str]:
    """A sentence with an address or a number, and that alone.

    All of them are reserved for examples or fiction: RFC 2606 (domains),
    5737 and 3849 (IP), and the numbers that films may use.
    """
    value = say(kind, PII, stream)
    frame = stream.pick(SAYS[kind].split(" | "), "phrase")
    return frame.format(value), value


SWAPS = {word: words for words in (COLORS, NAMES, *WORDS.values())
         for word in words if " " not in word}
ADVERBS = ("really", "quite", "very", "then", "also", "indeed", "soon")
INTROS = ("I found this one in an old book.", "A reader sent us this.")


def edit_words(text: str, share: float, stream: Stream) -> str:
    """Change, add or delete about a share of the words."""
    words = []
    for word in text.split(" "):
        if not stream.chance(share, "place"):
            words.append(word)
        elif word in SWAPS:
            words.append(stream.pick(SWAPS[word], "word"))
        elif stream.chance(0.6, "word"):
            words += [stream.pick(ADVERBS, "word"), word]
    return " ".join(words)


def edit_text(paragraphs: list[str], share: float, stream: Stream,
              ) -> list[str]:
    """An editor's version: never the original.

    Args:
        paragraphs: of the original.
        share: of the words that change, from 0 to 1.
    """
    new = [edit_words(line, share, stream) for line in paragraphs]
    how = stream.pick(("words", "words", "drop", "order", "intro"), "edit")
    if how == "drop" and len(new) > 1:
        new.pop(stream.pick(range(len(new)), "place"))
    elif how == "order" and len(new) > 1:
        at = stream.pick(range(len(new) - 1), "place")
        new[at:at + 2] = new[at + 1], new[at]
    if how == "intro" or new == paragraphs:
        new.insert(0, stream.pick(INTROS, "word"))
    return [line for line in new if line]


JUNK = phrases("""
    spam: Best {noun} prices 20{dd} | Cheap {noun} online
    advertising: The {noun} of the year | Why you need a {noun}
    boilerplate: Privacy policy | Terms of use | Error | Sign in
    long: Log of server {dd} | Raw data {dd}
    empty: Untitled | New page
    binary: A picture of a {noun}
    keyword: cheap {noun} | buy {noun} online | best {noun} 20{dd} |
        {noun} sale | {noun} {noun} | free {noun} shipping | #{noun} |
        {noun} near me | top 10 {noun} | $$$ {noun} $$$
    ad: Our new {noun} comes in six colors. | Order before {dd} May. |
        Every {noun} is tested by our experts. | Click here to save. |
        Customers who bought a {noun} also liked our {noun}. |
        Pay in three easy parts, with no risk for you. |
        Nobody else sells a {noun} at this price. | Do not miss it. |
        The {noun} that everybody talks about is back in our shop. |
        Enter your code at the checkout and we pay for the postage.
    lorem: lorem | ipsum | dolor | sit | amet | consectetur | adipiscing |
        elit | sed | do | eiusmod | tempor | incididunt | ut | labore
    policy: We may change these terms of use at any time. |
        This privacy policy explains which data we collect, and why. |
        You can turn off cookies in the settings of your browser. |
        We are not liable for the content of other web sites. |
        Your data are kept for {dd} days and are then deleted. |
        By using this service you agree to be bound by these terms. |
        Questions about this policy are answered within {dd} days.
    error: 404 Not Found | The page that you asked for is not here. |
        Please sign in to read on. | This page is under construction. |
        Your search matched no documents. | Session expired. |
        Please enable JavaScript to view this page. | Access denied.
    tail: Read more ... | Continue reading ... | (more after the break) ...
    log: INFO request done in 0.{dd}s | WARN retry {d} of 5 | temp={dd}.1 |
        GET /img/{dd}{dd}.png 200 | {d}{d}{d}{d} bytes sent | heartbeat ok
    d: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
    dd: 1{d} | 2{d} | 3{d}
    noun: kite | lantern | drum | backpack | umbrella | guitar | teapot""")
