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
)
from scratchlm.corpus.storyworld import Story, Stream, tell
from scratchlm.corpus.words import COLORS, NAMES, WORDS


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
    "short": "a teaser of one or two sentences",
    "long": "a log of many hundred lines",
    "boilerplate": "a policy, an error or a login, and no article",
    "empty": "no article at all",
    # the collection
    "exact-copy": "the words of another page",
    "edited-copy": "another page after an editor's work",
    "leaked": "holds a story of the benchmark, whole or in part",
    "leaked-part": "only some sentences; always together with leaked",
}
DROP = frozenset(  # pages with one of these have nothing worth keeping
    """wrong-language spam advertising nonsense repetition short long
    boilerplate empty leaked""".split())

CHROME: dict[str, Phrases] = {
    "en": phrases("""
        menu: Home | About us | Archive | Contact | Newsletter | Sign in |
            Search | Authors | Help | Shop | Gallery | Subscribe
        cookies: We use cookies to improve your visit. Accept all cookies? |
            This site uses cookies. By reading on you agree to our policy. |
            Your privacy matters to us and our partners. Manage cookies.
        rights: All rights reserved. | Printed with permission. |
            Terms of use apply. | Some rights reserved.
        share: Share this story | Tell a friend | Print this page
        more: You may also like | Popular today | More stories
        by: Posted by | Written by | From our editor
        says: Lovely! | I read it to my son. | First! | Thanks for this. |
            My cat liked it too. | More please. | Nice one | So sweet."""),
    "de": phrases("""
        menu: Startseite | Über uns | Archiv | Kontakt | Suche | Hilfe
        cookies: Diese Seite verwendet Cookies. Alle annehmen?
        rights: Alle Rechte vorbehalten.
        share: Diese Geschichte teilen
        more: Das könnte Ihnen auch gefallen
        by: Geschrieben von
        says: Sehr schön! | Danke dafür. | Das gefällt mir."""),
    "fr": phrases("""
        menu: Accueil | À propos | Archives | Contact | Recherche | Aide
        cookies: Ce site utilise des cookies. Tout accepter ?
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
        more: También te puede gustar
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
article p { max-width: 36em; line-height: 1.5; }
</style><script>
window.dataLayer = window.dataLayer || [];
function track(event) { if (a < b && window.fetch) dataLayer.push(event); }
</script></head>
<body class="post single"><header><a href="/">[name]</a>
<nav><ul>[menu]</ul></nav></header>
<div class="cookie" role="dialog">[cookies] <button>OK</button></div>
<!-- begin content: id=[number] -->
<main><article><h1>[title]</h1>
<p class="meta">[by] [author], [date]</p>
[body]
<div class="share">[share]: <a href="#">Mail</a> | <a href="#">Print</a></div>
</article>
<section id="comments">[comments]</section></main>
<aside><h2>[more]</h2><ul>[links]</ul></aside>
<footer><p>&copy; [year] [name]. [rights]</p></footer>
<script>track({page: "[number]"});</script></body></html>
""",
    "table": """<HTML><HEAD>[meta]<TITLE>[name] - [title]</TITLE></HEAD>
<BODY BGCOLOR="#FFFFCC" TEXT=black>
<CENTER><FONT SIZE="+2" COLOR=navy>[name]</FONT></CENTER><HR>
<TABLE BORDER=0 WIDTH=100%><TR><TD VALIGN=top WIDTH=150><UL>[menu]</UL>
<FONT SIZE=1>[cookies]</FONT></TD>
<TD VALIGN=top><H1>[title]</H1>
[body]
</TD></TR></TABLE><HR><FONT SIZE=1>[by] [author] &middot; [date]<BR>
[more]:<UL>[links]</UL>&copy; [year] [name]. [rights]</FONT>
</BODY></HTML>
""",
}

LAYOUTS |= {
    "portal": """<!doctype html><html lang=[lang]><head>[meta]
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
<div class="foot"><div>&#169; [year] [name]</div><div>[rights]</div></div>
<div class="overlay">[cookies]</div></div></body></html>
""",
    "forum": """<!DOCTYPE html><html><head>[meta]<title>[name]: [title]</title>
</head><body><div class=navbar>[menu]</div><h1>[title]</h1>
<div class="post" id="p1"><div class="user">[author]<br>[date]</div>
<div class="message">
[body]
</div><div class="sig">-- <br>[author], member of [name]</div></div>
[comments]
<form action="/reply"><textarea name=t></textarea><input type=submit></form>
<ul class="related">[links]</ul>
<div class="small">[cookies] [rights] &copy; [year]</div></body></html>
""",
}
FRAMES = {"blog": ("<p>", "</p>\n"), "table": ("<P>", "\n"),
          "portal": ('<div class="par"><span>', "</span></div>\n"),
          "forum": ("", "<br>\n<br>\n")}
COMMENT = '<div class="comment"><b>[author]</b><p>[says]</p></div>\n'

LANGUAGE_OF_SITES = ("en",) * 19 + ("de", "fr", "es", "ru", "ja")
CHARSETS = {"ru": ("utf-8", "windows-1251"), "ja": ("utf-8", "shift_jis"),
            "": ("utf-8", "utf-8", "utf-8", "windows-1252")}


@dataclass(frozen=True)
class Site:
    """A web site: what all of its pages share."""

    host: str
    name: str
    language: str
    charset: str
    declares: str        # "header", "meta", "nothing" or "wrong"
    curly: bool          # “quotes” and accents, where others have ASCII
    entities: bool       # &rdquo; and not the character
    frame: tuple[str, str]  # around a paragraph
    layout: str          # filled in, but for what differs between pages


def make_site(number: int, language: str, seed: int) -> Site:
    """The site with a number, of a crawl's seed."""
    stream = Stream(f"web site {seed} {number}")
    color = stream.pick(COLORS, "site")
    animal = stream.pick(WORDS["animal"], "site")
    charset = stream.pick(CHARSETS.get(language, CHARSETS[""]), "site")
    declares = stream.pick(
        ("header", "header", "meta", "nothing", "wrong"), "site")
    if language in ("ru", "ja"):
        declares = "header"
    name = f"{color} {animal} tales".title()
    kind = stream.pick(sorted(LAYOUTS), "site")
    layout, frame = LAYOUTS[kind], FRAMES[kind]
    chrome = CHROME[language]
    for key in ("cookies", "rights", "share", "more", "by"):
        layout = layout.replace(f"[{key}]", stream.pick(chrome[key], "site"))
    menu = list(dict.fromkeys(
        stream.pick(chrome["menu"], "site") for _ in range(9)))
    items = [f'<li><a href="/{i}/">{word}</a></li>'
             for i, word in enumerate(menu)]
    layout = layout.replace("[menu]", "\n".join(items))
    layout = layout.replace("[name]", name).replace("[lang]", language)
    host = f"{color}-{animal}-{number}.example"
    curly = stream.chance(0.4, "site") or language != "en"
    entities = stream.chance(0.25, "site")
    return Site(host, name, language, charset, declares, curly, entities,
                frame, layout)


# § sec-dirty-crawl
@dataclass
class Draft:
    """An article before it is put on a site."""

    title: str
    lines: list[str]                     # paragraphs, as meant
    keep: list[str]                      # those of them worth keeping
    defects: set[str] = field(default_factory=set)
    story: int | None = None
    test: int | None = None
    language: str = "en"
    pii: tuple[tuple[str, str], ...] = ()
    lookalikes: tuple[str, ...] = ()
    copy_of: str | None = None
    edited: float = 0.0


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


def test_stories(seed: int = 0, n: int = 100) -> list[Story]:
    """The benchmark: stories that no crawl of the training split has.

    None but those that leak, and these are what ``Truth.test`` counts.
    """
    return [tell(Stream(f"benchmark {seed} {i}"), "test")
            for i in range(n)]


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
            return [shuffled(line, stream) for line in lines]
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
        case "empty":
            return []
    raise ValueError(f"{kind!r} is no kind of junk")


def shuffled(line: str, stream: Stream) -> str:
    """The words of a line, in any order."""
    words, new = line.split(" "), []
    while words:
        new.append(words.pop(stream.pick(range(len(words)), "junk")))
    return " ".join(new)


SHARES = {  # of a thousand pages
    "story": 560, "exact-copy": 100, "edited-copy": 100, "leaked": 25,
    "wrong-language": 60, "spam": 25, "advertising": 25, "nonsense": 30,
    "repetition": 15, "short": 25, "long": 3, "boilerplate": 25, "empty": 7,
}
KINDS = tuple(kind for kind, n in SHARES.items() for _ in range(n))
FOREIGN = ("de", "fr", "es", "ru", "ja")


def story_title(story: Story) -> str:
    """Who it is about."""
    return " and ".join(list(story.cast)[:2])


def add_lines(draft: Draft, stream: Stream) -> None:
    """Some articles of the good kind get lines that are not so good."""
    if stream.chance(0.08, "mixed"):
        language = stream.pick(FOREIGN, "mixed")
        for line in foreign_text(language, stream)[:2]:
            at = stream.pick(range(len(draft.lines) + 1), "place")
            draft.lines.insert(at, line)
        draft.defects.add("mixed-language")
    kinds = []
    if stream.chance(0.1, "pii"):
        kinds += [stream.pick(("email", "phone", "ipv4", "email", "phone",
                               "ipv6"), "pii")
                  for _ in range(stream.pick((1, 1, 2, 3), "pii"))]
        draft.defects.add("pii")
    if stream.chance(0.07, "pii"):
        kinds.append("lookalike")
    for kind in kinds:
        line, value = plant(kind, stream)
        at = stream.pick(range(len(draft.lines)), "place")
        old = draft.lines[at]
        draft.lines[at] = new = f"{old} {line}"
        draft.keep = [new if kept == old else kept for kept in draft.keep]
        if kind == "lookalike":
            draft.lookalikes += (value,)
        else:
            draft.pii += ((kind, value),)


NAMED = {code: f"&{name};" for code, name in codepoint2name.items()
         if code > 127}


def markup(draft: Draft, lines: list[str], site: Site, stream: Stream,
           ) -> str:
    """The article in HTML."""
    body = []
    for line in lines:
        text = html.escape(line, quote=site.entities)
        words = text.split(" ")
        if stream.chance(0.5, "markup") and len(words) > 3:
            at = stream.pick(range(len(words)), "markup")
            tag = stream.pick(("b", "i", "em", "a", "span"), "markup")
            inner = f"<u>{words[at]}</u>" if at % 5 == 0 else words[at]
            words[at] = f"<{tag}>{inner}</{tag}>"
            if tag == "a":
                words[at] = f'<a href="/tag/{at}">{inner}</a>'
            text = " ".join(words)
        body.append(text.join(site.frame))
    return "".join(body)


OPTIONAL_TAG = re.compile(r"</(p|div|span|li|ul|b|i|em|td|u)>", re.I)


def break_markup(page: str, stream: Stream) -> str:
    """The same page with errors that a browser forgives."""
    def spoil(tag: re.Match[str]) -> str:
        how = stream.pick(("keep", "keep", "drop", "twice", "cross"), "html")
        return {"keep": tag[0], "drop": "", "twice": tag[0] * 2,
                "cross": f"</font>{tag[0]}</a>"}[how]

    page = OPTIONAL_TAG.sub(spoil, page)
    return re.sub(r'class="(\w+)"', r"class=\1", page)


MONTHS = ("January", "March", "May", "July", "September", "November")


def chrome(site: Site, draft: Draft, number: int, stream: Stream) -> str:
    """The site's layout, filled in with all but the article."""
    def name() -> str:
        return stream.pick(NAMES, "chrome")

    said = "".join(
        COMMENT.replace("[author]", name()).replace(
            "[says]", stream.pick(CHROME[site.language]["says"], "chrome"))
        for _ in range(stream.pick(range(5), "chrome")))
    links = "\n".join(
        f'<li><a href="/s/{stream.pick(range(1, 9999), "chrome")}">'
        f"{name()} &amp; {name()}</a></li>"
        for _ in range(stream.pick((3, 4, 5, 6), "chrome")))
    year = str(stream.pick(range(1999, 2025), "chrome"))
    date = (f"{stream.pick(range(1, 29), 'chrome')} "
            f"{stream.pick(MONTHS, 'chrome')} {year}")
    page = site.layout
    for key, value in (
            ("comments", said), ("links", links), ("author", name()),
            ("date", date), ("year", year), ("number", str(number)),
            ("title", html.escape(draft.title, quote=False))):
        page = page.replace(f"[{key}]", value)
    return page


def spoil_letters(draft: Draft, lines: list[str], utf8: bool,
                  stream: Stream) -> list[str]:
    """The paragraphs as they are printed: maybe with wrong characters."""
    text = "\n".join(lines)
    if utf8 and not text.isascii() and stream.chance(0.12, "letters"):
        layers = stream.pick((1, 1, 2), "letters")
        draft.defects |= {"mojibake", "mojibake-2"} if layers == 2 else {
            "mojibake"}
        text = mojibake(text, layers)
    elif utf8 and stream.chance(0.3, "letters"):
        apart = unicodedata.normalize("NFD", text)
        if apart != text:
            draft.defects.add("decomposed")
            text = apart
    elif stream.chance(0.05, "letters"):
        draft.defects.add("invisible")
        text = hide(text, stream)
    return text.split("\n") if text else []


def declare(site: Site, draft: Draft, number: int, page: str,
            ) -> tuple[bytes, str]:
    """The bytes of a page and its content type."""
    charset, header, meta = site.charset, "", ""
    if site.declares == "header":
        header = f"; charset={charset}"
    elif site.declares == "meta":
        meta = f'<meta charset="{charset}">'
    elif site.declares == "wrong" and number % 2:  # only every other page
        wrong = "utf-8" if charset != "utf-8" else "iso-8859-1"
        header = f"; charset={wrong}"
    raw = page.replace("[meta]", meta).encode(charset, "xmlcharrefreplace")
    if not raw.isascii():
        if "charset=" in header and charset not in header:
            draft.defects.add("misdeclared")
        elif charset == "windows-1252":
            draft.defects.add("latin-1" if header or meta else "undeclared")
    return raw, "text/html" + header


class Crawler:
    """Makes the pages of a crawl, one by one, in constant memory.

    Args:
        seed: another seed, other sites and other pages.
        split: of Storyworld, for the stories that nobody leaked.
    """

    def __init__(self, seed: int = 0, split: str = "train") -> None:
        self.seed, self.split = seed, split
        self.sites = [make_site(i, language, seed)
                      for i, language in enumerate(LANGUAGE_OF_SITES)]
        self.tests = test_stories(seed)
        self.recent: deque[tuple[Page, Draft]] = deque(maxlen=1000)

    def page(self, number: int) -> Page:
        """The next page."""
        stream = Stream(f"web {self.split} {self.seed} {number}")
        kind = stream.pick(KINDS, "kind")
        if kind in ("exact-copy", "edited-copy") and not self.recent:
            kind = "story"
        language = stream.pick(FOREIGN, "kind")
        if kind != "wrong-language":
            language = "en"
        site = stream.pick([site for site in self.sites
                            if site.language == language], "site")
        if kind == "exact-copy" and stream.chance(0.4, "copy"):
            page, draft = stream.pick(self.recent, "copy")
            url = f"{page.url}?from={number}"
            defects = page.truth.defects | {"exact-copy"}
            return replace(page, url=url, truth=replace(
                page.truth, defects=defects, copy_of=page.url))
        draft = self.draft(kind, site, number, stream)
        page = self.serve(draft, kind, site, number, stream)
        if kind == "story" and "truncated" not in draft.defects:
            self.recent.append((page, draft))
        return page

    def draft(self: Crawler, kind: str, site: Site, number: int, stream: Stream,
              ) -> Draft:
        """The article of a page of some kind."""
        if kind == "edited-copy":
            page, old = stream.pick(self.recent, "copy")
            share = stream.pick(range(1, 31), "copy") / 100
            lines = edit_text(old.keep, share, stream)
            pii, alike = ([value for value in values if value[-1] in joined]
                          for joined in ["\n".join(lines)]
                          for values in (old.pii, [(v, v) for v in
                                                   old.lookalikes]))
            return Draft(old.title, lines, list(lines), {kind}, old.story,
                         pii=tuple(pii), lookalikes=tuple(v for v, _ in alike),
                         copy_of=page.url, edited=share)
        if kind == "exact-copy":
            page, old = stream.pick(self.recent, "copy")
            return replace(old, copy_of=page.url, defects=old.defects & {
                "pii", "mixed-language"} | {kind})
        if kind == "wrong-language":
            title = say("title", LANGUAGES[site.language], stream)
            return Draft(title, foreign_text(site.language, stream), [], {kind},
                         language=site.language)
        story = tell(Stream(f"storyworld {self.split} {self.seed} {number}"),
                     self.split)
        test, leak = None, ""
        if kind == "leaked":
            test = stream.pick(range(len(self.tests)), "leak")
            leak = self.tests[test].text
        lines = paragraphs(story.text, stream)
        draft = Draft(story_title(story), lines, lines, story=number, test=test)
        if kind == "leaked" and stream.chance(0.4, "leak"):
            said = sentences(leak.replace("\n", " "))
            at = stream.pick(range(len(said) - 4), "leak")
            lines.insert(stream.pick(range(len(lines)), "leak"),
                         " ".join(said[at:at + 4]))
            draft.defects.add("leaked-part")
        elif kind == "leaked":
            draft.lines, draft.story = paragraphs(leak, stream), None
        if kind not in ("story", "leaked"):
            draft.lines = junk(kind, lines, stream)
            draft.story = number if kind in (
                "short", "repetition", "nonsense") else None
        if site.curly:
            draft.lines = [typeset(line) for line in draft.lines]
        draft.keep = list(draft.lines) if kind == "story" else []
        if kind == "story":
            add_lines(draft, stream)
        else:
            draft.defects.add(kind)
        return draft

    def serve(self: Crawler, draft: Draft, kind: str, site: Site, number: int,
              stream: Stream) -> Page:
        """An article on a page of a site, with all that goes wrong there."""
        draft = replace(draft, defects=set(draft.defects))
        lines, cut = draft.lines, "\0"
        if kind == "story" and stream.chance(0.05, "cut"):
            draft.defects.add("truncated")
            n = stream.pick(range(len(lines)), "cut")
            last = lines[n][:stream.pick(range(20, 60), "cut")]
            lines = [*lines[:n], last]
            keep = [line for line in lines[:n] if line in draft.keep]
            draft = replace(draft, lines=lines, keep=[
                *keep, *[last][:draft.lines[n] in draft.keep]])
        if kind in ("story", "exact-copy", "edited-copy", "leaked"):
            lines = spoil_letters(draft, lines, site.charset == "utf-8", stream)
        body = markup(draft, lines, site, stream)
        page = chrome(site, draft, number, stream)
        if site.entities:
            page = page.translate(NAMED)
            body = body.translate(NAMED)
        if "truncated" in draft.defects:
            page = page[:page.index("[body]")] + body.rstrip()
            page += stream.pick(("", "<", "</", "<a hre", "<p"), "cut")
        elif kind == "empty" and number % 2:
            page = ""
        else:
            page = page.replace("[body]", body)
            if stream.chance(0.08, "html"):
                page = break_markup(page, stream)
                draft.defects.add("broken-html")
        raw, content_type = declare(site, draft, number, page)
        url = f"https://{site.host}/{number // 50}/{slug(draft.title)}{number}"
        main, text = "\n".join(draft.lines), "\n".join(draft.keep)
        truth = Truth(text, frozenset(draft.defects), main, draft.title,
                      draft.story, draft.test, draft.language, draft.pii,
                      draft.lookalikes, draft.copy_of, draft.edited, site.charset)
        return Page(url, raw, content_type, truth)


def slug(title: str) -> str:
    """The part of a title that fits into a URL."""
    return "".join(f"{word}-" for word in re.findall(r"[a-z]+",
                                                     title.lower()))


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
        pages: what ``crawl`` yields; only one is in memory at a time.
        path: of the file, by convention ``*.warc.gz``.

    Returns:
        The number of pages. The same pages make the same bytes.
    """
    count = 0
    with open(path, "wb") as file:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        for page in pages:
            headers = [("Content-Type", page.content_type),
                       ("Content-Length", str(len(page.html)))]
            number = f"urn:uuid:{record_id(page.url)}"
            writer.write_record(writer.create_warc_record(
                page.url, "response", payload=io.BytesIO(page.html),
                http_headers=StatusAndHeaders("200 OK", headers,
                                              protocol="HTTP/1.1"),
                warc_headers_dict={"WARC-Date": CRAWLED,
                                   "WARC-Record-ID": f"<{number}>"}))
            count += 1
    return count


def record_id(url: str) -> uuid.UUID:
    """A name for a record that depends on its URL alone."""
    return uuid.uuid5(uuid.NAMESPACE_URL, url)
