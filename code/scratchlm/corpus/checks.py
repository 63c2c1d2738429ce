"""Storyworld."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from scratchlm.corpus.plots import (
    PLOTS,
    SHARED,
    Plot,
    Slot,
    Template,
    parse_template,
    shared,
)
from scratchlm.corpus.storyworld import CLASSES, Story, World, plural
from scratchlm.corpus.words import (
    COLORS,
    HER,
    NAMES,
    NUMBERS,
    PRONOUNS,
    TABLES,
    WORDS,
)

# § sec-storyworld-checker
WORD = r"[a-z][a-z'-]*"
NOUN = rf"{WORD}(?: {WORD}){{0,3}}?"
NAME = r"(?-i:[A-Z][a-z]+)"
COLOR = "|".join(COLORS)
NUMBER = "|".join(sorted(NUMBERS, key=len, reverse=True))
WHERE = "|".join(WORDS["place"] + WORDS["outdoors"] + WORDS["spot"])
AMOUNTS = ("number", "fewer", "sum", "difference")
ROLES = ("A", "B", "C")


def slot_pattern(slot: Slot, kind: str) -> str:
    """What may stand in a slot; whether it is right is asked later."""
    if slot.var in ROLES:
        match slot.form:
            case "intro":
                return rf"an? {WORD} {WORD} named {NAME}"
            case "trait":
                return WORD
            case "n":
                return NAME
            case "s":
                return rf"{NAME}'s"
            case "":
                return rf"she|he|{NAME}"
        if slot.form in PRONOUNS:
            return "|".join(PRONOUNS[slot.form])
        return rf"{slot.form} {NAME}|(?:she|he|{NAME}) {slot.form}"
    if slot.var.startswith("*"):
        words = "|".join(sorted(CLASSES[slot.var[1:]], key=len)[::-1])
        start = {"a": rf"an? (?:{COLOR}) ", "an": "an? "}.get(slot.form, "")
        return f"{start}(?:{words})"
    if kind in AMOUNTS:
        return NUMBER
    if kind == "color":
        return COLOR
    return {
        "a": rf"an? (?:(?:{COLOR}) )?{NOUN}", "an": rf"an? {NOUN}",
        "c": rf"(?:{COLOR}) {NOUN}", "full": rf"the (?:{COLOR}) {NOUN}",
        "the": rf"the (?:(?:{COLOR}) )?{NOUN}", "at": WHERE,
    }.get(slot.form, NOUN)


def pattern(template: Template, kinds: dict[str, str], slots: list[Slot],
            ) -> str:
    """A template as a regular expression, one group per slot.

    Args:
        template: its pieces.
        kinds: the class of every variable.
        slots: grows by the slots, in the order of their groups.
    """
    parts = []
    for piece in template:
        if isinstance(piece, str):
            parts.append(re.escape(piece))
        elif isinstance(piece, Slot):
            slots.append(piece)
            kind = kinds.get(piece.var, "")
            parts.append(f"({slot_pattern(piece, kind)})")
        else:
            options = [pattern(option, kinds, slots) for option in piece]
            parts.append(f"(?:{'|'.join(options)})")
    return "".join(parts)


def required(template: Template) -> set[str]:
    """Words that every expansion of a template contains."""
    literal = "".join(p if isinstance(p, str) else "|" for p in template)
    return {word.lower() for word in re.findall(
        r"(?<![\w|])[A-Za-z]+(?![\w|])", literal)}


@dataclass(frozen=True)
class Line:
    """A template, ready to be recognized."""

    plot: str       # or "frame", for what stands around plots
    beat: int       # its place in the plot, or -1
    name: str       # of the shared beat it comes from, or ""
    regex: re.Pattern[str]
    slots: tuple[Slot, ...]
    key: str        # a word without which it cannot match


FRAMES = {"open": "A", "meet": "AB", "join": "AB", "bridge": "A",
          "end": "A", "ends": "AB"}


def compile_lines(plots: dict[str, Plot]) -> dict[str, list[Line]]:
    """Every template of a world, under one word that it requires."""
    found: list[tuple[str, int, str, str, dict[str, str]]] = []
    for name, roles in FRAMES.items():
        for line in shared(name, *roles).lines:
            found.append(("frame", -1, name, line, {}))
    for line in shared("aside").lines:
        found.append(("frame", -1, "aside", line, {}))
    for plot in plots.values():
        kinds = {var: kind for var, (kind, _) in plot.variables.items()}
        for number, beat in enumerate(plot.beats):
            lines = beat.lines
            if beat.name == "has":
                lines += shared("still", *beat.facts[0][1:]).lines
            for line in lines if beat.name != "aside" else ():
                found.append((plot.name, number, beat.name, line, kinds))
    rarity = Counter(word for *_, line, _ in found
                     for word in required(parse_template(line)))
    index: defaultdict[str, list[Line]] = defaultdict(list)
    for name, number, macro, line, kinds in found:
        slots: list[Slot] = []
        template = parse_template(line)
        regex = re.compile(pattern(template, kinds, slots), re.IGNORECASE)
        key = min(required(template), default="",
                  key=lambda word: (rarity[word], word))
        index[key].append(
            Line(name, number, macro, regex, tuple(slots), key))
    return dict(index)


NOUNS = {word for words in CLASSES.values() for word in words} | {
    word for pairs in TABLES.values() for word in pairs.values()}
SINGULAR = {plural(word): word for word in NOUNS}
PLACES = {place[place.index("the "):]: place
          for place in WORDS["outdoors"] + WORDS["place"]}
HE = {form: index for forms in PRONOUNS.values()
      for index, form in enumerate(forms)}  # 0 for a girl, 1 for a boy


@dataclass(frozen=True)
class Mention:
    """What one slot of one sentence says."""

    var: str
    form: str
    value: str            # a name, a pronoun, a noun, a number
    color: str = ""
    kind: str = ""        # of a character that is introduced
    trait: str = ""


def understand(slot: Slot, phrase: str) -> Mention | None:
    """The words in a slot, taken apart; None if no noun is among them."""
    words = phrase.split()
    if slot.var in ROLES:
        if slot.form == "intro":
            return Mention(slot.var, "intro", words[4], "", words[2],
                           words[1])
        if slot.form == "trait":
            return Mention(slot.var, "trait", "", trait=phrase)
        if slot.form not in ("", "n", "s", *PRONOUNS):
            words = [word for word in words if word.lower() != slot.form]
        who = words[0].removesuffix("'s")
        return Mention(slot.var, slot.form,
                       who.lower() if who.lower() in HE else who)
    text = phrase.lower()
    if slot.form in ("a", "an", "the", "full"):
        text = text.partition(" ")[2]
    color, _, rest = text.partition(" ")
    if color not in COLORS or not rest:
        color, rest = "", text
    if slot.form == "s":
        rest = SINGULAR.get(rest, "")
    rest = PLACES.get(rest, rest)
    known = rest in NOUNS or rest in NUMBERS + COLORS
    return Mention(slot.var, slot.form, rest, color) if known else None


@dataclass(frozen=True)
class Step:
    """One way to read one sentence."""

    sentence: str
    line: Line
    mentions: tuple[Mention, ...]


INDEX = compile_lines(PLOTS)
FORMS = {slot.form for lines in INDEX.values() for line in lines
         for slot in line.slots if slot.var in ROLES}
SPEECH = sorted(FORMS - {"", "n", "s", "intro", "trait", *PRONOUNS})
BREAK = re.compile(
    r'(?:(?<=[.!?])|(?<=[.!?]"))\s+(?=["A-Z])'
    rf'(?![A-Z]\w+ (?:{"|".join(SPEECH)})[.,])')


def sentences(text: str) -> list[str]:
    """The sentences of a story; speech and its speaker stay together."""
    found, start = [], 0
    for match in BREAK.finditer(text):
        if text.count('"', start, match.start()) % 2 == 0:
            found.append(text[start:match.start()].strip())
            start = match.end()
    return [s for s in (*found, text[start:].strip()) if s]


def read(sentence: str, index: dict[str, list[Line]] = INDEX) -> list[Step]:
    """All ways to read a sentence as a template of the world."""
    keys = dict.fromkeys(["", *re.findall(r"[a-z]+", sentence.lower())])
    steps = []
    for line in (line for key in keys for line in index.get(key, ())):
        match = line.regex.fullmatch(sentence)
        if match is None:
            continue
        pairs = zip(line.slots, match.groups(), strict=True)
        said = [understand(slot, text) for slot, text in pairs if text]
        if None not in said:
            steps.append(Step(sentence, line, tuple(filter(None, said))))
    return steps


@dataclass
class Episode:
    """What is read of one plot."""

    plot: Plot
    steps: list[Step] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)

    def value(self, var: str) -> str:
        """What a variable was when it was first mentioned, or ""."""
        return self.values.get(var, [""])[0]


@dataclass
class Reading:
    """A text, read as a story of this world as far as it goes."""

    text: str
    sentences: list[str]
    steps: list[Step | None]     # per sentence; None if it is unknown
    episodes: list[Episode]
    strays: list[str]            # sentences of a plot that is not told here
    cast: dict[str, Mention]     # who is introduced, by name
    confusion: str = ""          # the first pronoun that is not clear


def choose(candidates: list[Step], plot: str, beat: int) -> Step | None:
    """The reading that fits a plot best after its beat number ``beat``."""
    fitting = [s for s in candidates if s.line.plot in (plot, "frame")]
    later = [s for s in fitting if s.line.beat in (-1, beat + 1)]
    return next(iter([*later, *fitting]), None)


def split_episodes(read_all: list[list[Step]]) -> list[tuple[int, int]]:
    """Sentence ranges: a new episode begins at every bridge."""
    starts = [0] + [i for i, steps in enumerate(read_all)
                    if any(s.line.name == "bridge" for s in steps)]
    return list(zip(starts, [*starts[1:], len(read_all)], strict=True))


def understand_story(text: str, plots: dict[str, Plot] = PLOTS,
                     index: dict[str, list[Line]] = INDEX) -> Reading:
    """Read a text back into plots, beats and values.

    Args:
        text: any text at all.
        plots, index: the world, and its templates from ``compile_lines``.
    """
    lines = sentences(text)
    candidates = [read(sentence, index) for sentence in lines]
    story = Reading(text, lines, [], [], [], {})
    for start, end in split_episodes(candidates):
        votes = Counter(name for steps in candidates[start:end] for name in
                        sorted({s.line.plot for s in steps} - {"frame"}))
        name = max(votes, key=lambda name: votes[name], default="")
        beat = -1
        episode = Episode(plots[name]) if name else None
        for sentence, found in zip(lines[start:end], candidates[start:end],
                                   strict=True):
            step = choose(found, name, beat)
            story.steps.append(step)
            if found and step is None:
                story.strays.append(sentence)
            if step and episode and step.line.plot == name:
                beat = step.line.beat
                episode.steps.append(step)
        if episode:
            story.episodes.append(episode)
    for step in filter(None, story.steps):
        for mention in step.mentions:
            if mention.form == "intro":
                story.cast.setdefault(mention.value, mention)
    for episode in story.episodes:
        for step in episode.steps:
            for mention in step.mentions:
                if mention.value not in HE and mention.var[0] != "*":
                    episode.values.setdefault(mention.var, []).append(
                        mention.value)
    story.confusion = follow_pronouns(story)
    return story


def follow_pronouns(story: Reading) -> str:
    """Find out whom pronouns mean; returns the first that is not clear.

    A role that is never named gets the name that its pronoun stands for.
    """
    before: list[str] = []
    episode_of = {id(step): episode for episode in story.episodes
                  for step in episode.steps}
    for step in filter(None, story.steps):
        episode = episode_of.get(id(step))
        now: list[str] = []
        for m in step.mentions:
            if m.var not in ROLES or m.form == "trait":
                continue
            who = episode.value(m.var) if episode else ""
            likely = [name for name in before
                      if (name not in HER) == HE.get(m.value)]
            if m.value not in HE:
                who = m.value
            elif m.form not in PRONOUNS:  # could have been the name
                if len(likely) != 1 or who not in ("", likely[0]) or now:
                    return f"who is {m.value}? {step.sentence}"
                who = likely[0]
            elif who and (who not in HER) != HE[m.value]:
                return f"{who} is not {m.value}: {step.sentence}"
            if episode and who:
                episode.values.setdefault(m.var, [who])
            if who and who not in now:
                now.append(who)
        before = now
    return ""


TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


def words_of(plots: dict[str, Plot]) -> set[str]:
    """All words that a story of these plots can contain."""
    lines = [re.sub(r"\{[^}]*\}", " ", text) for text in SHARED.values()]
    lines += [re.sub(r"\{[^}]*\}", " ", line) for plot in plots.values()
              for beat in plot.beats for line in beat.lines]
    lines += [*NOUNS, *SINGULAR, *NUMBERS, *COLORS, *HE, *SPEECH]
    lines += ["a an named girl boy"]
    lower = {word for line in lines for word in TOKEN.findall(line)}
    return {*lower, *map(str.capitalize, lower), *NAMES}


VOCABULARY = words_of(PLOTS)

Rule = Callable[[Reading], str]  # what is wrong, or ""


def ending(story: Reading) -> str:
    """The last sentence ends a story."""
    last = story.steps[-1] if story.steps else None
    if last is None or last.line.name not in ("end", "ends"):
        return "the story does not end"
    return ""


def opening(story: Reading) -> str:
    """The first sentence opens a story, and no other one does."""
    places = [i for i, step in enumerate(story.steps)
              if step and step.line.name == "open"]
    return "" if places == [0] else f"openings at sentences {places}"


def quotes(story: Reading) -> str:
    """Quotation marks come in pairs."""
    odd = [s for s in story.sentences if s.count('"') % 2]
    return f"an odd number of quotation marks: {odd[0]}" if odd else ""


def vocabulary(story: Reading) -> str:
    """Every word is one of the world's words."""
    unknown = [word for word in TOKEN.findall(story.text)
               if word.removesuffix("'s") not in VOCABULARY]
    return f"no word of this world: {unknown[0]}" if unknown else ""


def repetition(story: Reading) -> str:
    """No sentence is said twice."""
    (line, times), = Counter(story.sentences).most_common(1) or [("", 0)]
    return f"{times} times: {line}" if times > 1 else ""


def known(story: Reading) -> str:
    """Every sentence says something that can happen in this world."""
    pairs = zip(story.sentences, story.steps, strict=True)
    lost = [s for s, step in pairs
            if step is None and s not in story.strays]
    return f"cannot be read: {lost[0]}" if lost else ""


def plot(story: Reading) -> str:
    """Sentences belong to the plot that is told, cause to effect."""
    if story.strays:
        return f"from another plot: {story.strays[0]}"
    return "" if story.episodes else "no plot"


def order(story: Reading) -> str:
    """Each beat of a plot is told once, in order."""
    for episode in story.episodes:
        told = [step.line.beat for step in episode.steps]
        due = [number for number, beat in enumerate(episode.plot.beats)
               if beat.name != "aside"]
        if told != due:
            return f"{episode.plot.name}: beats {told}, not {due}"
    return ""


def names(story: Reading) -> str:
    """Everybody is introduced once, before all else is said of them."""
    known: list[str] = []
    for step in filter(None, story.steps):
        for mention in step.mentions:
            if mention.form == "intro":
                if mention.value in known:
                    return f"{mention.value} is introduced twice"
                if mention.value not in NAMES:
                    return f"nobody is called {mention.value}"
                known.append(mention.value)
            elif mention.var in ROLES and mention.form != "trait" and (
                    mention.value not in (*HE, *known)):
                return f"{mention.value} was not introduced"
    return ""


def roles(story: Reading) -> str:
    """A role is one character, and two roles are two characters."""
    for step in filter(None, story.steps):
        if step.line.name in ("meet", "join", "ends"):
            both = [m.value for m in step.mentions]
            if len(set(both)) < len(both):
                return f"twice the same: {step.sentence}"
    for episode in story.episodes:
        who = {role: set(episode.values.get(role, ()))
               for role in episode.plot.roles}
        for role, players in who.items():
            if len(players) > 1:
                return f"{role} is {' and '.join(sorted(players))}"
        all_players = [name for names in who.values() for name in names]
        if len(set(all_players)) < len(all_players):
            return f"one character in two roles: {', '.join(all_players)}"
    return ""


def pronouns(story: Reading) -> str:
    """A pronoun agrees with its role and can mean nobody else."""
    return story.confusion


def kinds(story: Reading) -> str:
    """Girls and boys have names of girls and boys; traits do not change."""
    for name, intro in story.cast.items():
        if (intro.kind in ("girl", "boy")
                and (intro.kind == "girl") != (name in HER)):
            return f"a {intro.kind} named {name}"
        if intro.kind not in ("girl", "boy", *WORDS["animal"]) or (
                intro.trait not in WORDS["trait"]):
            return f"a {intro.trait} {intro.kind}?"
    last = story.steps[-1] if story.steps else None
    told = [m for m in last.mentions if m.trait] if last else []
    hero = [m.value for m in last.mentions if m.value] if last else []
    for m in told:
        if hero and hero[0] in story.cast and (
                story.cast[hero[0]].trait != m.trait):
            return f"{hero[0]} is not {m.trait}"
    return ""


def colors(story: Reading) -> str:
    """A thing has one color from the beginning to the end."""
    first: dict[str, str] = {}
    for step in filter(None, story.steps):
        for m in step.mentions:
            if m.color and first.setdefault(m.value, m.color) != m.color:
                return f"the {m.value} is {first[m.value]} and {m.color}"
    return ""


def values(story: Reading, among: Callable[[str], bool]) -> str:
    """Whether variables of some classes are constant and of their class."""
    for episode in story.episodes:
        for var, (kind, args) in episode.plot.variables.items():
            if not among(kind):
                continue
            found = episode.values.get(var, [])
            if len(set(found)) > 1:
                return f"{var} is {' and '.join(sorted(set(found)))}"
            allowed = CLASSES.get(kind, NUMBERS + COLORS)
            if kind in TABLES and args:
                allowed = tuple(TABLES[kind].values())
            if found and found[0] not in allowed:
                return f"{found[0]} is no {kind}"
            same = [v for v, (other, _) in episode.plot.variables.items()
                    if other == kind and v != var and kind not in AMOUNTS]
            if found and found[0] in map(episode.value, same):
                return f"{found[0]} is {var}, and something else"
    return ""


SITES = ("place", "outdoors", "spot", "box", "coffer", "landmark",
         "shelter", "school")


def places(story: Reading) -> str:
    """What is somewhere is there when it is looked for."""
    return values(story, lambda kind: kind in SITES)


def numbers(story: Reading) -> str:
    """Amounts do not change unless something happens to them."""
    return values(story, lambda kind: kind in (*AMOUNTS, "hour"))


def things(story: Reading) -> str:
    """Things stay what they are, and are what they must."""
    others = (*SITES, *AMOUNTS, "hour")
    return values(story, lambda kind: kind not in others)


def sums(story: Reading) -> str:
    """Sums and differences are right."""
    for episode in story.episodes:
        for var, (kind, args) in episode.plot.variables.items():
            amounts = [episode.value(v) for v in (*args, var)]
            if kind in ("sum", "difference") and all(amounts):
                n, m, result = map(NUMBERS.index, amounts)
                if result != (n + m if kind == "sum" else n - m):
                    return f"{kind} of {n} and {m} is not {result}"
    return ""


def knowledge(story: Reading) -> str:
    """The right tool, ingredient, school; the favorite color."""
    color = {m.value: m.color for step in filter(None, story.steps)
             for m in step.mentions if m.color}
    for episode in story.episodes:
        for var, (kind, args) in episode.plot.variables.items():
            told = episode.value(var)
            key = episode.value(args[0]) if args else ""
            if not (told and key):
                continue
            due = color.get(key, told) if kind == "color" else (
                TABLES.get(kind, {}).get(key, told))
            if kind in TABLES | {"color": {}} and told != due:
                return f"the {kind} of {key} is {due}, not {told}"
    return ""


def holders(story: Reading) -> str:
    """Played again, every event is possible: givers hold what they give."""
    world = World()
    for episode in story.episodes:
        for step in episode.steps:
            beat = episode.plot.beats[step.line.beat]
            for relation, *args in beat.facts:
                try:
                    world.apply((relation, *map(episode.value, args)))
                except ValueError as error:
                    return str(error)
    return ""


@dataclass(frozen=True)
class RuleResult:
    """What one rule says about one text."""

    rule: str
    ok: bool
    detail: str


RULES: list[Rule] = [
    opening, ending, quotes, vocabulary, repetition, known, plot, order,
    names, roles, pronouns, kinds, colors, things, places, numbers, sums,
    knowledge, holders,
]


def check_story(text: str) -> list[RuleResult]:
    """Hold a text against every rule.

    Args:
        text: any text, a model's for example.

    Returns:
        One result per rule; ``detail`` says what is wrong, if anything is.
    """
    story = understand_story(text)
    results = [(rule.__name__, rule(story)) for rule in RULES]
    return [RuleResult(name, not said, said) for name, said in results]


def coherence_report(stories: Iterable[str | Story],
                     ) -> dict[str, float]:
    """Share of texts that keep each rule, and "all" of them.

    Args:
        stories: texts, or stories of the generator.

    Raises:
        ValueError: there are no texts.
    """
    checked = [check_story(story if isinstance(story, str) else story.text)
               for story in stories]
    if not checked:
        raise ValueError("a report needs at least one story, got none")
    kept = Counter(r.rule for results in checked for r in results if r.ok)
    kept["all"] = sum(all(r.ok for r in results) for results in checked)
    names = [*(rule.__name__ for rule in RULES), "all"]
    return {name: kept[name] / len(checked) for name in names}
