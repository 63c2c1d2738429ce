"""Storyworld."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


# § sec-storyworld-templates
@dataclass(frozen=True)
class Slot:
    """A hole in a template: whose value, and in which form."""

    var: str
    form: str


Piece = str | Slot | tuple["Template", ...]
Template = tuple[Piece, ...]

PIECES = re.compile(r"([^\[{]+)|\[([^\]]*)\]|\{([^}]*)\}")


@cache
def parse_template(line: str) -> Template:
    """A sentence with {slots} and [one|or|another], as pieces."""
    pieces: list[Piece] = []
    for literal, options, slot in PIECES.findall(line):
        if literal:
            pieces.append(literal)
        elif slot:
            var, _, form = slot.replace(":", ".").partition(".")
            pieces.append(Slot(var, form))
        else:
            pieces.append(tuple(map(parse_template, options.split("|"))))
    return tuple(pieces)


@dataclass(frozen=True)
class Beat:
    """One thing that happens: its facts, and ways to tell it."""

    name: str
    facts: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    """Roles, variables with their declarations, and beats in order."""

    name: str
    roles: tuple[str, ...]
    variables: dict[str, tuple[str, tuple[str, ...]]]  # class, arguments
    beats: tuple[Beat, ...]


def parse_beats(text: str, name: str = "") -> tuple[Beat, ...]:
    """Beats from lines that start with ``>``, ``*``, ``/``, ``@`` or ``~``."""
    beats: list[Beat] = []
    facts: list[tuple[str, ...]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        mark, rest = line[0], line[1:].strip()
        if mark == ">":
            facts.append(tuple(rest.split()))
        elif mark == "*":
            beats.append(Beat(name, tuple(facts), (rest,)))
            facts = []
        elif mark == "/" and beats:
            old = beats.pop()
            lines = (*old.lines, rest)
            beats.append(Beat(old.name, old.facts, lines))
        elif mark in "@~":
            macro, *args = (rest or "aside").split()
            beats.append(shared(macro, *args))
        else:
            raise ValueError(f"{line!r} starts with none of > * / @ ~")
    return tuple(beats)


@cache
def shared(name: str, *args: str) -> Beat:
    """A beat of ``SHARED`` with its formal slots 1, 2 … replaced."""
    if name not in SHARED:
        raise ValueError(f"no shared beat {name!r}; there are {list(SHARED)}")
    text = SHARED[name]
    for number, arg in enumerate(args, start=1):
        text = re.sub(rf"(?<=[{{ ]){number}(?=[}}.: \n])", arg, text)
    (beat,) = parse_beats(text, name)
    return beat


DECLARATION = re.compile(r"(\w+): (\w+)(?:\(([\w,]+)\))?")


def parse_plots(text: str) -> dict[str, Plot]:
    """Plots by name, from blocks between empty lines.

    Raises:
        ValueError: a line that is no beat, or a variable that some telling
            of the plot would leave out.
    """
    plots = {}
    for block in text.strip().split("\n\n"):
        head, _, body = block.partition("\n")
        title, _, declared = head.partition("|")
        name, *roles = title.split()
        variables = {
            var: (kind, tuple(filter(None, args.split(","))))
            for var, kind, args in DECLARATION.findall(declared)
        }
        plots[name] = Plot(name, tuple(roles), variables, parse_beats(body))
        missing = {*roles, *variables} - always_told(plots[name])
        if missing:
            raise ValueError(f"plot {name}: {sorted(missing)} may stay untold")
    return plots


def surely(template: Template) -> set[str]:
    """Variables that every expansion of a template mentions."""
    told: set[str] = set()
    for piece in template:
        if isinstance(piece, Slot):
            told.add(piece.var)
            if piece.form in ("a", "full", "c"):
                told.add(piece.var + ".color")
        elif isinstance(piece, tuple):
            told |= set.intersection(*map(surely, piece))
    return told


def always_told(plot: Plot) -> set[str]:
    """Variables that reach the text whatever the telling."""
    told: set[str] = set()
    for beat in plot.beats:
        tellings = map(surely, map(parse_template, beat.lines))
        told |= set.intersection(*tellings)
    return told


SHARED = {
    "open": """
* [Once upon a time|Long ago|Once], there [was|lived] {1.intro}.
/ One {*weather} [morning|afternoon|day], {1.intro} [went outside|sat on the steps].
/ {1.intro} lived [in a small house|on a quiet street|next to a bakery].
/ This is [the|a] story about {1.intro}.
/ Everybody [on our street|in town] knew {1.intro}.
""",
    "meet": """
* {1} had a [good|dear|close] friend, {2.intro}.
/ {1:s} best friend was {2.intro}.
/ Next door lived {2.intro}.
/ {1} [often played with|liked to spend time with] {2.intro}.
/ That day, {1} met {2.intro}.
""",
    "has": """
> has 1 2
* {1} had {2.a}.
/ {1} owned {2.a} and [took it everywhere|was proud of it].
/ [Not long before|The day before], {1} had got {2.a} from an [aunt|uncle].
/ In a [bag|pocket|chest], {1} kept {2.a}.
/ What {1} liked [best|most] was {2.a}.
""",
    "still": """
> has 1 2
* {1} still had {2.full}.
/ {1} had brought {2.full} along.
/ Of course {1} had not forgotten {2.full}.
""",
}

SHARED["bridge"] = """
* The next [day|morning|afternoon], {1} was [up early|ready for more].
/ A [week|month|few days] later, {1} [had other plans|felt restless].
/ But that was not the end, for soon {1} was busy again.
"""
SHARED["end"] = """
* That [night|evening], {1} [fell asleep with a smile|slept well].
/ {1} went home feeling {*glad}.
/ It had been a [good|long|fine|happy] day for {1.n}.
/ And {1.n}, as {1.trait} as ever, [laughed|smiled|hummed a tune].
/ After that day, everyone knew how {1.trait} {1} was.
/ "What a day," {1:said}.
"""
SHARED["ends"] = SHARED["end"] + """
/ {1.n} and {2.n} [are friends to this day|walked home together].
/ {1.n} and {2.n} laughed about it for a long time.
"""
SHARED["aside"] = """
* Far away, a [bell|dog|train|rooster] could be heard.
/ {*vehicle.a} [rolled|went|came] past.
/ The sky was {*weather} [and wide|above the roofs].
/ Somebody was [singing|whistling|hammering] next door.
/ {*animal.an} ran across the road.
/ The {*job} waved from the other side of the street.
/ A [leaf|petal|feather] came floating down.
/ It smelled of [fresh bread|cut grass|wet leaves|smoke].
/ {*vehicle.a} stood in front of the {*job}'s house.
/ The church clock struck {*hour}.
/ {*animal.an} was asleep in the sun.
/ Two [bees|birds|butterflies] chased each other.
/ A [door|window|gate] banged in the wind.
/ The {*job} and the {*job} were talking about the {*weather} weather.
/ There was a {*landmark} with [moss|names|a heart] on it.
/ Nobody else was about.
/ A [small|thin|white] cloud hid the sun for a moment.
/ Behind a wall, children were counting to {*hour}.
"""

# § sec-storyworld-plots
PLOTS: dict[str, Plot] = parse_plots("""
lost A B | x: thing(A), p: place, s: spot
@has A x
> goes A p
* {A} took {x.the} to {p}.
/ [Soon|After breakfast|One morning], {A} [went|walked] to {p} with {x.the}.
/ {A} carried {x.the} all the way to {p}.
> loses A x
* But [on the way back|a little later], {x.the} was gone.
/ [Somewhere along the way|While playing], {A} lost {x.the}.
/ When {A} [reached for|looked for] {x.the}, it was [gone|not there].
* {A} felt {*sad} because {x.the} was lost.
/ Losing {x.the} made {A.n} [very|terribly] {*sad}.
/ "Oh no, [where is|I have lost] my {x.c}!" {A:cried}.
~
* {B} noticed and {*quickly} [offered to help|came to help].
/ "Don't worry, I will help you look for your {x}," {B:said}.
/ "[Where did you have it last|What are you looking for]?" {B:asked}.
* They looked [everywhere|high and low|until their feet hurt].
/ Together they [searched|looked all over] {p}.
> finds B x
* [At last|Finally|After a long search], {B} found {x.the} {s}.
/ {B} looked {s}, and there was {x.the}.
> gives B x A
* {B} gave {x.the} back to {A.n}.
/ {B} handed {x.the} to {A.n}, who [beamed|jumped for joy].
* {A} was {*glad} because {x.the} was found.
/ "Thank you for finding my {x}," {A:said}.

share A B | f: treat, n: number, m: fewer(n), r: difference(n,m)
> has A n f
* {A} had {n} {f.s}.
/ That day, {A} [baked|bought|brought] {n} {f.s}.
/ There were {n} {f.s} in {A:s} [bag|lunchbox|pocket].
* {B} [looked hungry|had nothing to eat|had not eaten all day].
/ "I forgot my [lunch|breakfast]," {B:said}.
~
> gives A m f B
* {A} [gave|handed|offered] {m} of the {f.s} to {B.n}.
/ "Take {m} of my {f.s}," {A:said}.
* Then {A} had {r} {f.s} left.
/ That left {A.n} with {r} {f.s}.
/ "{n} minus {m} is {r}," {A:said}.
* {B} was {*glad} because {A} had shared.
/ "Sharing is [better|nicer] than [eating alone|having more]," {B:said}.
""")

PLOTS |= parse_plots("""
mend A B | x: tool, t: tool(x)
> has A x
* {A} had {x.a} that {A.he} [loved|used every day|was proud of].
/ {x.a} [stood|lay] [outside|in front of] {A:s} house.
/ {A:s} {x.c} was [old but dear|almost new|the best in town].
> breaks x
* [One day|That morning|Suddenly], {x.the} broke.
/ But [a storm|a goat|a careless cousin|a clumsy visitor] broke {x.the}.
/ There was a loud crack, and {x.the} was broken.
* {A} was {*sad} because {x.the} was broken.
/ "My {x} is broken," {A:sighed}.
~
* {B} took a [close|long|good] look at {x.the}.
/ "[Let me see|I can help with that]," {B:said}.
> mends B x t
* {B} [fetched|got] the {t} and [mended|fixed|repaired] {x.the}.
/ With {B.his} {t}, {B} [mended|fixed|repaired] {x.the}.
/ Then {B.n} used the {t}, and [bit by bit|in no time] {x.the} was mended.
* Now {x.the} was as good as new.
/ "It works again!" {A:cried}.
* {A} was {*glad} because {x.the} was mended.
/ "Thank you for mending my {x}," {A:said}.

trade A B | x: thing(A), y: thing(B)
@has A x
@has B y
* {A} [admired|could not stop looking at] {y.the}.
/ "Your {y} is {*nice}," {A:said}.
* And {B} [had long wished for|liked the look of] {x.the}.
/ "I like your {x}, too," {B:said}.
* "[Shall we trade|Do you want to swap|How about a trade]?" {A:asked}.
~
> gives A x B
> gives B y A
* {A} gave {x.the} to {B.n} and got {y.the}.
/ So {A} took {y.the}, and {B.n} took {x.the}.
* Now {x.the} belonged to {B.n}.
/ Now {y.the} belonged to {A.n}.
* They were both {*glad} because the trade was fair.
/ It was a fair trade, and nobody [was sorry|complained|wanted it undone].
""")

PLOTS |= parse_plots("""
hide A B | x: thing(A), b: box, c: box
@has A x
> puts A x b
* {A} put {x.the} into the {b} and [went outside|went for a walk].
/ Before [lunch|supper|school], {A} hid {x.the} in the {b}.
> moves B x c
* While {A} was away, {B} moved {x.the} to the {c}.
/ {B} wanted to play a trick and {*softly} moved {x.the} to the {c}.
~
* Later, {A} looked in the {b} because {A.he} had left {x.the} there.
/ When {A} wanted {x.the}, {A.he} [opened|went to] the {b}.
* But the {b} was empty.
/ There was nothing in the {b}.
* {B} [laughed|giggled|grinned] and pointed at the {c}.
/ "Try the {c}," {B:said}.
> takes A x
* {A} opened the {c}, and there was {x.the}.
/ {A} looked in the {c} and [took out|found] {x.the}.
* "[What a trick|You fooled me]!" {A:laughed}.
/ {A} [shook {A.his} head|had to laugh] because it was only a trick.

collect A B | f: item, n: number, m: number(n), s: sum(n,m), p: place
* {A.n} and {B.n} went to {p} to look for {f.s}.
/ "Let's look for {f.s} at {p}," {A:said} to {B.n}.
> finds A n f
* {A} found {n} {f.s}.
/ {A} [picked up|gathered] {n} {f.s} and counted them [twice|aloud].
> finds B m f
* {B} found {m} {f.s} [beside a stream|in the grass|near a wall].
/ {B} [picked up|gathered] {m} more.
~
* "How many [is that|do we have] together?" {A:asked}.
/ They put all their {f.s} into one [pile|bag|bucket].
* Together they had {s} {f.s}.
/ "{n} and {m} make {s}," {B:said}.
* They were {*glad} because they had found so many {f.s}.
/ They took the {f.s} home and [washed|sorted] them.
""")

PLOTS |= parse_plots("""
skill A B | k: school, q: school(k)
* {A} wanted to learn to {k}.
/ More than anything, {A} wished to {k}.
/ "I want to {k}," {A:said} one day.
> goes A q
* So {A} went to the {q} and asked {B.n} for help.
/ {B} took {A.n} to the {q}.
* The first try [went wrong|was a disaster|ended with a bump].
/ At first, {A} [made every mistake there is|could not do it at all].
* {A} was {*sad} because it was so hard.
/ "I will never learn it," {A:sighed}.
~
* "[Try again|Don't give up|Take your time]," {B:said}.
/ {B} [showed {A.n} how to do it|was patient and explained it again].
> learns A k
* [After many tries|At the end of the week], {A} could {k}.
/ {A} went on practicing at the {q}, and at last {A.he} could {k}.
* {A} was proud because {A.he} had learned to {k}.
/ "Look, I can {k}!" {A:shouted}.

gift A B | x: thing, k: color(x)
* {B:s} birthday was [coming|near|only a day away].
/ The next day would be {B:s} birthday.
> likes B k
* {B:s} favorite color was {k}.
/ Everyone knew that {B} liked {k} best.
/ Of all colors, {B} liked {k} best.
~
* {A} went to the [shop|toy store|market] to find a present.
/ {A} [thought|wondered] for a long time about a present.
> has A x
* {A} bought {x.a} because {B} liked {k}.
/ In the end, {A} [chose|picked] {x.a}.
> gives A x B
* {A} gave {x.full} to {B.n}.
/ On the birthday, {B.n} unwrapped {x.full}.
* "{k} is my favorite color!" {B:cried}.
/ {B} was {*glad} because the {x} was {k}.
* {A} was {*glad}, too.
/ "Happy birthday!" {A:said}.
""")

PLOTS |= parse_plots("""
rain A B | p: place, l: landmark
> goes A p
* {A} was [on the way to|playing at|reading a book at] {p}.
/ {A} had gone to {p} without a coat.
* [Dark|Heavy|Black] clouds came up, and it began to rain.
/ "I felt a drop," {A:said}.
* {A} ran to [a|an old] {l} and tried to stay dry.
/ {A} [stood|waited] beside [a|the] {l}, but the rain came from all sides.
* {A} was {*sad} because {A.he} was getting wet.
/ {A:s} [shoes|sleeves|socks] were soon full of water.
~
* {B} came by with a big umbrella.
/ {B} [saw {A.n}|was passing] and opened a big umbrella.
* "[Come under here|There is room for two]," {B:said}.
/ {B} held it over {A.n}, too.
* Side by side they left the {l} and walked home from {p}.
/ Together they walked from the {l} to {p} and on through the rain.
* {A} was {*glad} because {B} had shared the umbrella.
/ "Rain is fun when you are dry," {A:said}.

lie A B | x: thing(B), z: animal
@has B x
> breaks x
* {A} played with {x.the} and broke it.
/ By accident, {A} [stepped on|sat on|dropped] {x.the}, and it broke.
* "Who broke my {x.c}?" {B:asked}.
/ {B} saw the pieces and asked who had broken {x.the}.
> lies A z
* "It was a {z}," {A:lied}.
/ {A} said that a {z} had done it.
* {A} felt {*sad} because {A.he} had told a lie.
/ All day, the lie [weighed on|troubled] {A.n}.
~
* At last, {A} [went to|came to] {B.n} and told the truth.
/ "There was no {z}, I broke your {x}," {A:said}.
* {A} said that {A.he} was sorry.
/ "I am sorry," {A:said}.
* {B} forgave {A.n} because {A.he} had told the truth.
/ "[Thank you for telling me|It was only a thing]," {B:said}.
""")

PLOTS |= parse_plots("""
stuck A B | x: light, p: place, t: landmark
@has A x
* {A} took {x.the} to {p}.
/ At {p}, {A} [played with|was showing off] {x.the}.
> loses A x
* [A gust of wind|The wind|A strong wind] carried {x.the} up into a tree.
/ The wind [took|grabbed] {x.the}, and it landed in a tree.
* {A} jumped, but the tree was too high.
/ {A} [shook|climbed] the tree, but {x.the} stayed where it was.
* {A} was {*sad} because {x.the} was stuck.
/ "My {x.c} is stuck up there," {A:sighed}.
~
* {B} found a ladder behind the {t}.
/ "There is a ladder behind the {t}," {B:said}.
> finds B x
* {B} climbed up and [got {x.the} down|reached for {x.the}].
/ {B} leaned the ladder against the tree and brought {x.the} down.
> gives B x A
* {B} gave {x.the} back to {A.n}.
/ "Hold on to your {x} this time," {B:said} with a wink.
* {A} was {*glad} because {x.the} was not stuck anymore.
/ "Thank you for getting my {x} down," {A:said}.

cook A B | d: ingredient, g: ingredient(d), j: job
* {A} [wanted|decided] to make {d} for the {j}.
/ "Let's make {d} for the {j}," {A:said}.
* But {A} had no {g}.
/ But in the whole kitchen there was no sign of {g}.
~
> brings B g
* {B} [went out|ran home] and came back with {g}.
/ "I have {g} at home," {B:said}.
> makes A d
* They washed their hands and made the {d} [together|step by step].
/ {A} stirred while {B} [read|sang] the recipe.
* Soon the kitchen smelled of {d}.
/ The {d} was [ready by noon|soon done].
* The {j} [tasted the {d} and asked for more|ate every bit of the {d}].
/ "This is the best {d} in the world," the {j} said.
""")
