"""A dirty web."""

from __future__ import annotations

import html
import io
import re
import unicodedata
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html.entities import codepoint2name
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from scratchlm.corpus.checks import sentences
from scratchlm.corpus.defects import (
    JUNK,
    LANGUAGES,
    Phrases,
    edit_text,
    foreign_text,
    hide,
    mojibake,
    phrases,
    plant,
    say,
    typeset,
    word_salad,
)
from scratchlm.corpus.storyworld import Story, Stream, tell
from scratchlm.corpus.words import COLORS, NAMES, WORDS, entries


# § sec-dirty-pages
@dataclass(frozen=True)
class Truth:
    """What is known about a page, since we made it.

    Texts have one paragraph per line, in NFC, and read as the author meant
    them: a repaired page should say this, not a page as it was served.
    """

    text: str                      # worth keeping; "" if nothing is
    defects: frozenset[str]        # names from DEFECTS
    main: str = ""                 # the whole article, whatever its worth
    title: str = ""                # of the page; not a part of main
    story: int | None = None       # the number of its story
    test: int | None = None        # the benchmark's story that leaked
    language: str = "en"           # of most of it
    pii: tuple[tuple[str, str], ...] = ()   # (kind, as written) in main
    lookalikes: tuple[str, ...] = ()        # what only looks like it
    copy_of: str | None = None     # the URL of the page that was copied
    edited: float = 0.0            # share of words that an editor touched
    charset: str = "utf-8"         # that the bytes are really in


@dataclass(frozen=True)
class Page:
    """An answer of a web server, and the truth about it."""

    url: str
    html: bytes                    # as served
    content_type: str              # as the server says
    truth: Truth


DEFECTS = {
    # the characters
    "latin-1": "bytes in Windows-1252, and the page says so",
    "undeclared": "bytes in Windows-1252, and nothing says so",
    "misdeclared": "the server names a wrong encoding",
    "mojibake": "UTF-8 read as Windows-1252, then saved, once or twice",
    "mojibake-2": "the same, twice; always together with mojibake",
    "decomposed": "letters and accents apart (NFD)",
    "invisible": "soft hyphens, zero-width and no-break spaces",
    # the markup
    "broken-html": "tags left open, closed twice or crossed",
    "truncated": "the transfer ended in the middle of the article",
    # the words
    "wrong-language": "an article in another language",
    "mixed-language": "some lines are in another language",
    "pii": "holds e-mail addresses, phone numbers or IP addresses",
    "spam": "lists of keywords",
    "advertising": "sentences, but they sell something",
    "nonsense": "words in no order, or lorem ipsum",
    "repetition": "the same few lines again and again",
    "short": "fewer than fifty words, a teaser or a remnant",
    "long": "a log of many hundred lines",
    "boilerplate": "a policy, an error or a login, and no article",
    "empty": "no article at all",
    "binary": "no page but a picture",
    # the collection
    "exact-copy": "the words of another page",
    "edited-copy": "another page after an editor's work",
    "leaked": "holds a story of the benchmark, whole or in part",
    "leaked-part": "only some sentences; always together with leaked",
}
DROP = frozenset(entries(  # with one of these, nothing is worth keeping
    """wrong-language spam advertising nonsense repetition short long
    boilerplate empty binary leaked"""))

CHROME: dict[str, Phrases] = {
    "en": phrases("""
        menu: Home | About us | Archive | Contact | Newsletter | Sign in |
            Search | Authors | Help | Shop | Gallery | Subscribe | Jobs |
            Most read | Podcast | Events | For schools | Advertise
        cookies: We use cookies to improve your visit. Accept all cookies? |
            This site uses cookies. By reading on you agree to our policy. |
            Your privacy matters to us and our partners. Manage cookies.
        rights: All rights reserved. Our terms of use apply. |
            Printed with permission; the editors are not liable for links. |
            Some rights reserved. Read our privacy policy for details.
        share: Share this story | Tell a friend | Print this page
        more: You may also like | Popular today | More stories
        by: Posted by | Written by | From our editor
        says: Lovely! | I read it to my son. | First! | Thanks for this. |
            My cat liked it too. | More please. | Nice one | So sweet."""),
    "de": phrases("""
        menu: Startseite | Über uns | Sammlung | Kontakt | Suche | Hilfe
        cookies: Diese Seite verwendet Cookies. Einverstanden?
        rights: Nachdruck verboten.
        share: Diese Geschichte teilen
        more: Das könnte Ihnen auch gefallen
        by: Geschrieben von
        says: Sehr schön! | Danke dafür. | Das gefällt mir."""),
    "fr": phrases("""
        menu: Accueil | À propos | Archives | Contact | Recherche | Aide
        cookies: Ce site se sert de cookies. Tout accepter ?
        rights: Tous droits réservés.
        share: Partager cette histoire
        more: À lire aussi
        by: Écrit par
        says: Très joli ! | Merci beaucoup. | J’adore cette histoire."""),
}

CHROME |= {
    "es": phrases("""
        menu: Inicio | Quiénes somos | Archivo | Contacto | Buscar | Ayuda
        cookies: Esta página usa cookies. ¿Aceptar todas?
        rights: Todos los derechos reservados.
        share: Compartir esta historia
        more: Lea también
        by: Escrito por
        says: ¡Qué bonito! | Muchas gracias. | Me encanta."""),
    "ru": phrases("""
        menu: Главная | О нас | Архив | Контакты | Поиск | Помощь
        cookies: Этот сайт использует файлы cookie. Принять все?
        rights: Все права защищены.
        share: Поделиться рассказом
        more: Читайте также
        by: Автор:
        says: Очень красиво! | Спасибо! | Мне понравилось."""),
    "ja": phrases("""
        menu: ホーム | 私たちについて | 過去の記事 | お問い合わせ | 検索
        cookies: このサイトはクッキーを使用しています。同意しますか。
        rights: 無断転載を禁じます。
        share: この話を共有する
        more: おすすめの記事
        by: 作者：
        says: とてもいいですね。 | ありがとうございます。 | 大好きです。"""),
}

LAYOUTS = {
    "blog": """<!DOCTYPE html>
<html lang="[lang]"><head>[meta]<title>[title] | [name]</title>
<link rel="stylesheet" href="/style.css"><style>
nav li { display: inline; } .cookie { position: fixed; bottom: 0; }
</style><script type="application/ld+json">
{"@type": "Article", "headline": "[title]", "datePublished": "[date]"}
</script><script>window.dataLayer = window.dataLayer || [];
function track(e) { if (a < b && window.fetch) dataLayer.push(e); }
</script></head>
<body class="post single"><header><a href="/">[name]</a>
<nav><ul>[menu]</ul></nav></header>
<div class="cookie" role="dialog">[cookies] <button>OK</button></div>
<!-- begin content: id=[number] -->
<main><article><h1>[title]</h1>
<p class="meta">[by] [author], [date]</p>
[body]
<div class="share">[share]: <a href="#">Mail</a></div>
</article>
<section id="comments">[comments]</section></main>
<aside><h2>[more]</h2><ul>[links]</ul></aside>
<footer><p>&copy; [year] [name]. [rights]</p><p>[friends]</p></footer>
<script>track({page: "[number]"});</script></body></html>
""",
    "table": """<HTML><HEAD>[meta]
<META NAME=Generator CONTENT="Page Maker 4.2.1.7">
<TITLE>[name] - [title]</TITLE></HEAD>
<BODY BGCOLOR="#FFFFCC" TEXT=black>
<CENTER><FONT SIZE="+2" COLOR=navy>[name]</FONT></CENTER><HR>
<TABLE BORDER=0 WIDTH=100%><TR><TD VALIGN=top WIDTH=150><UL>[menu]</UL>
<FONT SIZE=1>[cookies]</FONT></TD>
<TD VALIGN=top><H1>[title]</H1>
[body]
</TD></TR></TABLE><HR><FONT SIZE=1>[by] [author] &middot; [date]<BR>
[more]:<UL>[links]</UL>&copy; [year] [name]. [rights]<BR>
[friends]</FONT>
</BODY></HTML>
""",
}

LAYOUTS |= {
    "portal": """<!doctype html><html lang=[lang]><head>[meta]
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>[title]</title><noscript>Please enable JavaScript.</noscript></head>
<body><div id="wrap"><div class="top"><div class="logo">[name]</div>
<div class="nav"><ul>[menu]</ul></div></div>
<div class="ad"><script>/* <p>not text</p> */ var slot = {id: [number]};
document.write("<img src='/ad?s=" + slot.id + "'>");</script>
<span>Advertisement</span></div>
<div class="col-left"><div class="box"><div class="head">[more]</div>
<ul>[links]</ul></div></div>
<div class="col-main"><div class="title"><h1>[title]</h1></div>
<div class="byline"><span>[by]</span> <b>[author]</b> <i>[date]</i></div>
<div class="content">
[body]
</div><div class="tools">[share]</div>
<div class="talk">[comments]</div></div>
<div class="foot"><div>&#169; [year] [name]</div><div>[rights]</div>
<div>[friends]</div></div>
<div class="overlay">[cookies]</div></div></body></html>
""",
    "forum": """<!DOCTYPE html><html><head>[meta]
<title>[name]: [title]</title></head>
<body><div class=navbar>[menu]</div><h1>[title]</h1>
<div class="post" id="p1"><div class="user">[author]<br>[date]</div>
<div class="message">
[body]
</div><div class="sig">-- <br>[author], member of [name]</div></div>
[comments]
<form action="/reply"><textarea name=t></textarea></form>
<ul class="related">[links]</ul><p>[friends]</p>
<div class="small">[cookies] [rights] &copy; [year]</div></body></html>
""",
}
FRAMES = {"blog": ("<p>", "</p>\n"), "table": ("<P>", "\n"),
          "portal": ('<div class="par"><span>', "</span></div>\n"),
          "forum": ("", "<br>\n<br>\n")}
COMMENT = """<div class="comment"><b class="author">[author]</b>
<p>[says]</p><a href="#" class="tool" onclick="reply(this)">+1</a></div>
"""

FOREIGN = ("de", "fr", "es", "ru", "ja")
LANGUAGE_OF_SITES = ("en",) * 19 + FOREIGN
DECLARED = entries("""header meta HEADER header NOTHING header meta wrong
    header META header nothing meta WRONG header""")
CHARSETS = {"ru": "windows-1251", "ja": "shift_jis"}


@dataclass(frozen=True)
class Site:
    """What all pages of a web site share."""

    host: str
    language: str
    charset: str            # of its bytes
    declares: str           # it in the "header", "meta", "nothing", "wrong"
    curly: bool             # “quotes” and accents, where others have ASCII
    entities: bool          # &rdquo; instead of the character
    frame: tuple[str, str]  # around a paragraph
    layout: str             # filled in, but for what differs among pages


def make_site(number: int, language: str, seed: int) -> Site:
    """One of the sites of a crawl."""
    stream = Stream(f"web site {seed} {number}")
    words = COLORS, WORDS["animal"]
    host = [stream.pick(options, "site") for options in words]
    declares = DECLARED[(number + seed) % len(DECLARED)]
    charset = "utf-8" if declares.islower() else "windows-1252"
    if language in CHARSETS:
        charset, declares = CHARSETS[language], "header"
    modern = charset == "utf-8" and declares != "wrong"
    kind = stream.pick(sorted(LAYOUTS), "site")
    return Site(
        f"{'-'.join(host)}-{number}.example", language, charset,
        declares.lower(), not modern or stream.chance(0.35, "site"),
        modern and stream.chance(0.3, "site"), FRAMES[kind],
        site_layout(kind, language, " ".join(host), stream))


def site_layout(kind: str, language: str, name: str, stream: Stream) -> str:
    """A layout with all that a site repeats on each of its pages."""
    layout, lists = LAYOUTS[kind], CHROME[language]
    for key in ("cookies", "rights", "share", "more", "by"):
        layout = layout.replace(f"[{key}]", stream.pick(lists[key], "site"))
    friends = [stream.pick(NAMES, "site") for _ in range(8)]
    layout = layout.replace("[friends]", " | ".join(
        f'<a href="https://{friend}.example/" rel="friend">{friend}</a>'
        for friend in friends))
    menu = {stream.pick(lists["menu"], "site"): 0 for _ in range(14)}
    items = "\n".join(
        f'<li class="item" id="item-{i}"><a href="/go/{i}/">{word}</a></li>'
        for i, word in enumerate(menu))
    layout = layout.replace("[menu]", items).replace("[lang]", language)
    return layout.replace("[name]", f"{name} tales".title())


def fill_layout(site: Site, title: str, number: int, stream: Stream) -> str:
    """A page of a site that only lacks its article and its charset."""
    def name() -> str:
        return stream.pick(NAMES, "chrome")

    says = CHROME[site.language]["says"]
    comments = "".join(
        COMMENT.replace("[author]", name())
        .replace("[says]", stream.pick(says, "chrome"))
        for _ in range(stream.pick(range(5), "chrome")))
    links = "\n".join(
        f'<li><a href="/s/{stream.pick(range(1, 9999), "chrome")}" '
        f'class="teaser">{name()} &amp; {name()}</a></li>'
        for _ in range(stream.pick((3, 4, 5, 6), "chrome")))
    year = stream.pick(range(1999, 2025), "chrome")
    date = f"{year}-0{number % 9 + 1}-{number % 19 + 10}"
    page = site.layout
    for key, value in (
            ("comments", comments), ("links", links), ("author", name()),
            ("date", date), ("year", str(year)), ("number", str(number)),
            ("title", title)):
        page = page.replace(f"[{key}]", value)
    return page


# § sec-dirty-defects
def junk(kind: str, lines: list[str], stream: Stream) -> list[str]:
    """The paragraphs of a page that is worth nothing.

    Args:
        kind: a name from ``DEFECTS``.
        lines: those of a story, for kinds that make something of it.
        stream: where choices come from.
    """
    def many(what: str, low: int, high: int) -> list[str]:
        return [say(what, JUNK, stream)
                for _ in range(stream.pick(range(low, high), "junk"))]

    match kind:
        case "spam":
            glue = stream.pick((", ", " | ", "\n"), "junk")
            return glue.join(many("keyword", 30, 120)).split("\n")
        case "advertising":
            return [" ".join(many("ad", 4, 9)) for _ in range(3)]
        case "nonsense" if stream.chance(0.4, "junk"):
            return [" ".join(many("lorem", 20, 60)).capitalize() + "."
                    for _ in range(3)]
        case "nonsense":
            return [word_salad(line, stream) for line in lines]
        case "repetition":
            said = sentences(lines[0])[:2]
            return said * stream.pick(range(8, 20), "junk")
        case "short":
            return [sentences(lines[0])[0], say("tail", JUNK, stream)]
        case "long":
            return many("log", 300, 900)
        case "boilerplate" if stream.chance(0.6, "junk"):
            return [" ".join(many("policy", 3, 8)) for _ in range(2)]
        case "boilerplate":
            return many("error", 1, 3)
    return []


# § sec-dirty-crawl
@dataclass
class Draft:
    """An article before it is put on a site."""

    title: str
    lines: list[str]                     # paragraphs, as meant
    defects: set[str]
    keep: list[str] = field(default_factory=list)  # lines worth keeping
    story: int | None = None
    test: int | None = None
    language: str = "en"
    pii: tuple[tuple[str, str], ...] = ()
    lookalikes: tuple[str, ...] = ()
    copy_of: str | None = None
    edited: float = 0.0


def settle(draft: Draft, lines: list[str], keep: list[str]) -> Draft:
    """A draft with other lines, and no word on what they do not hold."""
    main, gone = "\n".join(lines), set()
    pii = tuple(entry for entry in draft.pii if entry[1] in main)
    if not pii:
        gone.add("pii")
    if lines == keep:
        gone.add("mixed-language")
    return replace(draft, lines=lines, keep=keep, pii=pii,
                   lookalikes=tuple(value for value in draft.lookalikes
                                    if value in main),
                   defects=draft.defects - gone)


def paragraphs(text: str, stream: Stream) -> list[str]:
    """A story in paragraphs of two to five sentences."""
    lines = []
    for episode in text.split("\n"):
        said = sentences(episode)
        while said:
            n = stream.pick((2, 3, 4, 5), "place")
            lines.append(" ".join(said[:n]))
            said = said[n:]
    return lines


def add_lines(draft: Draft, stream: Stream) -> None:
    """Put foreign lines, personal data and lookalikes into an article."""
    kinds = []
    if stream.chance(0.1, "pii"):
        kinds = [stream.pick(("email", "email", "phone", "phone", "ipv4",
                              "ipv6"), "pii")
                 for _ in range(stream.pick((1, 1, 2, 3), "pii"))]
        draft.defects.add("pii")
    if stream.chance(0.1, "pii"):
        kinds.append("lookalike")
    for kind in kinds:
        line, value = plant(kind, stream)
        draft.lines[stream.pick(range(len(draft.lines)), "place")] += (
            f" {line}")
        if kind == "lookalike":
            draft.lookalikes += (value,)
        else:
            draft.pii += ((kind, value),)
    draft.keep = list(draft.lines)
    if stream.chance(0.08, "mixed"):
        language = stream.pick(FOREIGN, "mixed")
        for line in foreign_text(language, stream)[:2]:
            at = stream.pick(range(len(draft.lines) + 1), "place")
            draft.lines.insert(at, line)
        draft.defects.add("mixed-language")


def test_stories(seed: int = 0, n: int = 100) -> list[Story]:
    """The benchmark: stories whose pairs the training split never has.

    Some leak into the crawl with the same seed. ``Truth.test`` is a place
    in this list (of a hundred).
    """
    return [tell(Stream(f"benchmark {seed} {i}"), "test")
            for i in range(n)]


def leak(story: Story, draft: Draft, stream: Stream) -> None:
    """Let a story of the benchmark take an article's place, or a part."""
    if stream.chance(0.4, "leak"):
        said = sentences(story.text.replace("\n", " "))
        at = stream.pick(range(max(1, len(said) - 4)), "leak")
        draft.lines.insert(stream.pick(range(len(draft.lines)), "leak"),
                           " ".join(said[at:at + 4]))
        draft.defects.add("leaked-part")
    else:
        draft.title, draft.story = story_title(story), None
        draft.lines = paragraphs(story.text, stream)


def story_title(story: Story) -> str:
    """Who it is about."""
    return " and ".join(list(story.cast)[:2])


NAMED = {code: f"&{name};" for code, name in codepoint2name.items()
         if code > 127}


def markup(lines: list[str], site: Site, stream: Stream) -> str:
    """Paragraphs in HTML."""
    body = []
    for line in lines:
        words = html.escape(line, quote=site.entities).split(" ")
        if stream.chance(0.5, "markup") and len(words) > 3:
            at = stream.pick(range(len(words)), "markup")
            inner = f"<u>{words[at]}</u>" if at % 5 == 0 else words[at]
            tag = stream.pick(("b", "i", "em", "a", "span"), "markup")
            start = f'a href="/tag/{at}"' if tag == "a" else tag
            words[at] = f"<{start}>{inner}</{tag}>"
        body.append(" ".join(words).join(site.frame))
    return "".join(body)


OPTIONAL_TAG = re.compile(r"</(p|div|span|li|ul|b|i|em|td|u)>", re.I)


def break_markup(page: str, stream: Stream) -> str:
    """The same page with errors that a browser forgives."""
    def spoil(tag: re.Match[str]) -> str:
        how = stream.pick(("keep", "drop", "keep", "twice", "cross"), "tag")
        return {"keep": tag[0], "drop": "", "twice": tag[0] * 2,
                "cross": f"</font>{tag[0]}</a>"}[how]

    page = OPTIONAL_TAG.sub(spoil, page)
    return re.sub(r'class="(\w+)"', r"class=\1", page)


def spoil_letters(draft: Draft, site: Site, stream: Stream) -> list[str]:
    """The paragraphs as they are printed: maybe in wrong characters."""
    text = "\n".join(draft.lines)
    unicode = site.charset == "utf-8"
    if unicode and not text.isascii() and stream.chance(0.12, "letters"):
        layers = stream.pick((1, 1, 2), "letters")
        draft.defects |= {"mojibake", *["mojibake-2"][:layers - 1]}
        text = mojibake(text, layers)
    elif unicode and stream.chance(0.3, "letters"):
        apart = unicodedata.normalize("NFD", text)
        if apart != text:
            draft.defects.add("decomposed")
            text = apart
    elif stream.chance(0.05, "letters"):
        draft.defects.add("invisible")
        text = hide(text, stream)
    return text.split("\n") if text else []


def encode(site: Site, draft: Draft, number: int, page: str,
           ) -> tuple[bytes, str]:
    """The bytes of a page, and its content type."""
    charset, header, meta = site.charset, "", ""
    if site.declares == "header":
        header = f"; charset={charset}"
    elif site.declares == "meta":
        meta = f'<meta charset="{charset}">'
    elif site.declares == "wrong" and number % 2:  # every other page is
        wrong = "utf-8" if charset != "utf-8" else "iso-8859-1"
        header = f"; charset={wrong}"
    raw = page.replace("[meta]", meta).encode(charset, "xmlcharrefreplace")
    if not raw.isascii():  # else nobody can tell
        if "charset=" in header and charset not in header:
            draft.defects.add("misdeclared")
        elif charset == "windows-1252":
            draft.defects.add("latin-1" if header or meta else "undeclared")
    return raw, "text/html" + header


SHARES = {  # of a thousand pages
    "story": 555, "exact-copy": 100, "edited-copy": 100, "leaked": 25,
    "wrong-language": 60, "spam": 25, "advertising": 25, "nonsense": 30,
    "repetition": 15, "short": 25, "long": 3, "boilerplate": 25, "empty": 7,
    "binary": 5,
}
KINDS = tuple(kind for kind, n in SHARES.items() for _ in range(n))


def cut_off(draft: Draft, stream: Stream) -> Draft:
    """The draft up to the middle of a paragraph."""
    n = stream.pick(range(len(draft.lines)), "cut")
    last = draft.lines[n][:stream.pick(range(20, 60), "cut")].rstrip()
    keep = [line for line in draft.lines[:n] if line in draft.keep]
    keep += [last][:draft.lines[n] in draft.keep]
    new = settle(draft, [*draft.lines[:n], last], keep)
    new.defects.add("truncated")
    return new


class Crawler:
    """Makes the pages of a crawl, one by one, in constant memory.

    Args:
        seed: another seed, other sites and other pages.
        split: "train" or "test" of Storyworld.
    """

    def __init__(self, seed: int = 0, split: str = "train") -> None:
        self.seed, self.split = seed, split
        self.sites: dict[str, list[Site]] = {}
        for i, language in enumerate(LANGUAGE_OF_SITES):
            site = make_site(i, language, seed)
            self.sites.setdefault(language, []).append(site)
        self.tests = test_stories(seed)
        self.recent: deque[tuple[Page, Draft]] = deque(maxlen=1000)

    def write(self: Crawler, kind: str, number: int, language: str,
              curly: bool, stream: Stream) -> Draft:
        """The article of a page, if it is no copy."""
        if kind == "wrong-language":
            title = say("title", LANGUAGES[language], stream)
            return Draft(title, foreign_text(language, stream), {kind},
                         language=language)
        if kind in JUNK:  # where it has a title of its own
            title = say(kind, JUNK, stream)
            return Draft(title, junk(kind, [], stream), {kind})
        story = tell(Stream(f"storyworld {self.split} {self.seed} {number}"),
                     self.split)
        lines = paragraphs(story.text, stream)
        draft = Draft(story_title(story), lines, {kind}, story=number)
        if kind == "leaked":
            draft.test = stream.pick(range(len(self.tests)), "leak")
            leak(self.tests[draft.test], draft, stream)
        elif kind != "story":
            draft.lines = junk(kind, lines, stream)
        if curly:
            draft.lines = [typeset(line) for line in draft.lines]
        if kind == "story":
            draft.defects.clear()
            add_lines(draft, stream)
        return draft

    def copy(self: Crawler, kind: str, stream: Stream) -> Draft:
        """A page's article, word for word or after an editor's work."""
        page, old = stream.pick(self.recent, "copy")
        draft = replace(old, copy_of=page.url, defects=old.defects | {kind})
        if kind == "exact-copy":
            return draft
        draft.edited = 0.2 * (stream.pick(range(1, 31), "copy") / 30)**2
        lines = edit_text(old.keep, draft.edited, stream)
        return settle(draft, lines, list(lines))

    def serve(self: Crawler, draft: Draft, kind: str, site: Site, number: int,
              stream: Stream) -> Page:
        """An article on a page of a site, with all that goes wrong there."""
        draft = replace(draft, defects=set(draft.defects))
        if kind == "story" and stream.chance(0.05, "cut"):
            draft = cut_off(draft, stream)
        if 0 < sum(len(line.split()) for line in draft.keep) < 50:
            draft.defects.add("short")
            draft.keep = []
        good = kind in ("story", "exact-copy", "edited-copy", "leaked")
        lines = spoil_letters(draft, site, stream) if good else draft.lines
        title = html.escape(draft.title, quote=False)
        page = fill_layout(site, title, number, stream)
        head, _, tail = page.partition("[body]")
        body = markup(lines, site, stream)
        if "truncated" in draft.defects:
            body = body.removesuffix(site.frame[1])
            tail = stream.pick(("", "<", "</", "<a hre", "<p"), "cut")
        page = "" if kind == "empty" and number % 2 else head + body + tail
        if page and "truncated" not in draft.defects and (
                stream.chance(0.08, "html")):
            page = break_markup(page, stream)
            draft.defects.add("broken-html")
        if site.entities:
            page = page.translate(NAMED)
        raw, content_type = encode(site, draft, number, page)
        words = "".join(f"{w}-" for w in re.findall("[a-z]+", title.lower()))
        url = f"https://{site.host}/{number // 50}/{words}{number}"
        text, main = "\n".join(draft.keep), "\n".join(draft.lines)
        return Page(url, raw, content_type, Truth(
            text, frozenset(draft.defects), main, draft.title, draft.story,
            draft.test, draft.language, draft.pii, draft.lookalikes,
            draft.copy_of, draft.edited, site.charset))

    def page(self: Crawler, number: int) -> Page:
        """The next page, whose number is the number of pages before it."""
        stream = Stream(f"web {self.split} {self.seed} {number}")
        kind = stream.pick(KINDS, "kind")
        if "copy" in kind and not self.recent:
            kind = "story"
        if kind == "exact-copy" and stream.chance(0.4, "copy"):
            page, _ = stream.pick(self.recent, "copy")  # byte for byte
            return replace(page, url=f"{page.url}?from={number}", truth=replace(
                page.truth, defects=page.truth.defects | {kind},
                copy_of=page.url))
        language = "en"
        if kind == "wrong-language":
            language = stream.pick(FOREIGN, "kind")
        site = stream.pick(self.sites[language], "site")
        draft = (self.copy(kind, stream) if "copy" in kind else
                 self.write(kind, number, language, site.curly, stream))
        page = self.serve(draft, kind, site, number, stream)
        if kind == "binary":
            noise = bytes(stream.pick(range(256), "junk") for _ in range(400))
            return Page(page.url, b"\x89PNG\r\n\x1a\n" + noise, "image/png",
                        Truth("", frozenset({kind}), charset=""))
        if kind == "story" and "truncated" not in page.truth.defects:
            self.recent.append((page, draft))
        return page


def crawl(n_bytes: int, seed: int = 0, split: str = "train",
          ) -> Iterator[Page]:
    """Pages until their HTML fills n_bytes; the last may exceed it.

    Args:
        n_bytes: size of the dump before compression, in bytes.
        seed: another seed, other sites and other pages.
        split: "train", or "test" (also "heldout") of Storyworld.

    Yields:
        The pages. Page number i depends only on seed, split and i: a longer
        crawl begins with the shorter one.

    Raises:
        ValueError: a size below zero, or a split that does not exist.
    """
    if n_bytes < 0:
        raise ValueError(f"n_bytes={n_bytes} is negative")
    if split not in ("train", "test", "heldout"):
        raise ValueError(f"split={split!r} is none of train, test, heldout")
    crawler = Crawler(seed, "train" if split == "train" else "test")
    size = number = 0
    while size < n_bytes:
        page = crawler.page(number)
        size += len(page.html)
        number += 1
        yield page


# § sec-dirty-warc
CRAWLED = "2024-06-01T12:00:00Z"  # every page: no clock in the file


def write_warc(pages: Iterable[Page], path: str | Path) -> int:
    """Write a crawl as a web archive: WARC/1.1, one gzip member a record.

    Args:
        pages: one at a time is in memory; truths are not written.
        path: of the file, by convention ``*.warc.gz``.

    Returns:
        The number of pages. The same pages make the same records; their
        compressed bytes depend on the machine's zlib.
    """
    count = 0
    with open(path, "wb") as file:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        writer.write_record(writer.create_warc_record(
            "", "warcinfo", payload=io.BytesIO(b"software: scratchlm\r\n"),
            warc_content_type="application/warc-fields",
            warc_headers_dict=record_headers("warcinfo")))
        for page in pages:
            headers = [("Content-Type", page.content_type),
                       ("Content-Length", str(len(page.html)))]
            writer.write_record(writer.create_warc_record(
                page.url, "response", payload=io.BytesIO(page.html),
                http_headers=StatusAndHeaders("200 OK", headers,
                                              protocol="HTTP/1.1"),
                warc_headers_dict=record_headers(page.url)))
            count += 1
    return count


def record_headers(name: str) -> dict[str, str]:
    """Time and identity of a record, which depend on its URL alone."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, name)
    return {"WARC-Date": CRAWLED,
            "WARC-Record-ID": f"<urn:uuid:{identity}>"}
