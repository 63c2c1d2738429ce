"""Storyworld."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from scratchlm.corpus.words import COLORED


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
    """Beats from lines that start with one of > * / @ ~."""
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
        raise ValueError(f"{name!r} is none of {list(SHARED)}")
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
        colors = {f"{var}.color" for var, (kind, args) in variables.items()
                  if kind == "thing" or (kind in COLORED and not args)}
        missing = {*roles, *variables, *colors} - always_told(plots[name])
        if missing:
            raise ValueError(
                f"plot {name}: {sorted(missing)} may stay untold")
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
/ One {*weather} [morning|afternoon|day], {1.intro} [went out|sat outside].
/ {1.intro} lived [in a small house|on a quiet street|next to a bakery].
/ This is [the story of|a story about] {1.intro}.
/ Everybody [on our street|in town] knew {1.intro}.
/ There was once {1.intro} who [loved stories|liked to sing].
/ Do you know the [story|tale] of {1.intro}?
""",
    "meet": """
* {1} had a [good|dear|close] friend, {2.intro}.
/ {1:s} best friend was {2.intro}.
/ Next door lived {2.intro}.
/ {1} [often played with|liked to spend time with] {2.intro}.
/ That day, {1} met {2.intro}.
""",
    "join": """
* {1} had another friend, {2.intro}.
/ With them was {2.intro}.
/ Soon {2.intro} [came along|joined them].
""",
    "has": """
> has 1 2
* {1} had {2.a}.
/ {1} owned {2.a} and [took it everywhere|was proud of it].
/ [Not long before|The day before], {1} had got {2.a} from an [aunt|uncle].
/ In a [chest|box|corner] at home, {1} kept {2.a}.
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
/ Not long after, {1} was [busy again|out and about again].
/ But the story of {1.n} goes on.
/ The week had hardly begun when {1} was up to something new.
/ [After lunch|Two days later], {1} was [looking for something to do|bored].
"""
SHARED["end"] = """
* That [night|evening], {1} [fell asleep with a smile|slept well].
/ When the day was over, {1} felt {*glad}.
/ It had been a [good|long|fine|happy] day for {1.n}.
/ And {1.n}, as {1.trait} as ever, [laughed|smiled|hummed a tune].
/ After that day, everyone knew how {1.trait} {1} was.
/ "What a day," {1:said}.
/ Before bed, {1} drew a picture of it all.
/ {1} could not wait to tell everybody at home.
/ When the moon came up, {1} was [already|fast] asleep.
"""
SHARED["ends"] = SHARED["end"] + """
/ {1.n} and {2.n} [are friends to this day|walked home together].
/ {1.n} and {2.n} laughed about it for a long time.
"""

SHARED["aside"] = """
* Far away, a [bell|dog|train|rooster] could be heard.
/ {*vehicle.a} [moved|went|came] past.
/ It was a {*weather} day [from start to end|for the time of year].
/ Somebody was [singing|whistling|hammering] next door.
/ {*animal.an} ran across the road.
/ The {*job} waved from the other side of the street.
/ A [leaf|petal|feather] came floating down.
/ It smelled of [fresh bread|cut grass|wet leaves|smoke].
/ The {*job} was busy cleaning {*vehicle.a}.
/ The church clock struck {*hour}.
/ {*animal.an} was asleep in the sun.
/ Two [bees|birds|butterflies] chased each other.
/ A [door|window|gate] banged in the wind.
/ The {*job} and the {*job} were talking about the {*weather} weather.
/ There was {*landmark.an} [to the left|to the right|straight ahead].
/ Nobody else was about.
/ A [small|thin|white] cloud hid the sun for a moment.
/ Behind a wall, children sang about the number {*hour}.
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
* [At last|Finally|After a long search], {B} found {x.the} {s.at}.
/ {B} looked {s.at}, and there was {x.the}.
> gives B x A
* {B} gave {x.the} back to {A.n}.
/ {B} handed {x.the} to {A.n}, who [beamed|jumped for joy].
* {A} was {*glad} because {x.the} was found.
/ "Thank you for finding my {x}," {A:said}.
""")

PLOTS |= parse_plots("""
share A B | f: treat, n: number, m: fewer(n), r: difference(n,m)
> has A n f
* {A} had {n} {f.s}.
/ {A} had [got|bought|brought] {n} {f.s} that morning.
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
/ {A:s} [mother|father] had given {A.him} {x.a} [in spring|a year before].
/ {A:s} {x.c} was [old but dear|almost new|the best in town].
> breaks x
* [One day|That morning|Suddenly], {x.the} needed mending.
/ But [a storm|a goat|a careless cousin|a clumsy visitor] damaged {x.the}.
/ Nobody knew how, but {x.the} was damaged.
* {A} was {*sad} because {x.the} was damaged.
/ "My poor {x}," {A:sighed}.
~
* {B} took a [close|long|good] look at {x.the}.
/ "[Let me see|I can help with that]," {B:said}.
> mends B x t
* {B} [fetched|got] the {t} and [mended|fixed|repaired] {x.the}.
/ With {B.his} {t}, {B} [mended|fixed|repaired] {x.the}.
/ Then {B.n} used the {t}, and [bit by bit|in no time] {x.the} was mended.
* Now {x.the} was as good as new.
/ "It looks like new!" {A:cried}.
* {A} was {*glad} because {x.the} was mended.
/ "Thank you for mending my {x}," {A:said}.
""")

PLOTS |= parse_plots("""
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
/ From then on, {A} [played with|took good care of] {y.the}.
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

collect A B | f: item, n: number, m: number(n), s: sum(n,m), p: outdoors
* {A.n} and {B.n} went to {p} to look for {f.s}.
/ "Let's look for {f.s} {p.at}," {A:said} to {B.n}.
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
""")

PLOTS |= parse_plots("""
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
* {A} was {*glad} because {B} liked the present.
/ "Happy birthday!" {A:said}.
""")

PLOTS |= parse_plots("""
rain A B | p: place, l: shelter
> goes A p
* {A} was [on the way to {p}|playing {p.at}|reading a book {p.at}].
/ {A} had gone to {p} without a coat.
* [Dark|Heavy|Black] clouds came up, and it began to rain.
/ "I felt a drop," {A:said}.
* {A} ran to [an old|the nearest] {l} and tried to stay dry.
/ {A} [stood|waited] close to the {l}, but rain came from all sides.
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
""")

PLOTS |= parse_plots("""
lie A B | x: thing(B), z: animal
@has B x
> breaks x
* {A} played with {x.the} and ruined it.
/ By accident, {A} [stepped on|sat on|spilled paint on] {x.the}.
* "Who ruined my {x.c}?" {B:asked}.
/ {B} saw the damage and asked who had ruined {x.the}.
> lies A z
* "It was {z.an}," {A:lied}.
/ {A} said that {z.an} had done it.
* {A} felt {*sad} because {A.he} had told a lie.
/ All day, the lie [weighed on|troubled] {A.n}.
~
* At last, {A} [went to|came to] {B.n} and told the truth.
/ "There was no {z}, I ruined your {x}," {A:said}.
* {A} said that {A.he} was sorry.
/ "I am sorry," {A:said}.
* {B} forgave {A.n} because {A.he} had told the truth.
/ "[Thank you for telling me|It was only a thing]," {B:said}.
""")

PLOTS |= parse_plots("""
stuck A B | x: light, p: outdoors, t: landmark
@has A x
* {A} took {x.the} to {p}.
/ {p.at}, {A} [played with|was showing off] {x.the}.
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
""")

PLOTS |= parse_plots("""
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
* The {j} [tasted the {d} and asked for more|finished all of the {d}].
/ "This is the best {d} in the world," the {j} said.
""")

PLOTS |= parse_plots("""
noise A | n: noise, c: culprit
* That night, {A} heard [strange|soft|loud] {n}.
/ In the middle of the night, {n} woke {A.n} up.
* {A} was {*afraid} because of the {n}.
/ "Is [somebody|a ghost|a robber] there?" {A:whispered}.
~
* {A} took a [lamp|broom|candle] and [tiptoed down the stairs|crept closer].
/ In the end, {A} got out of bed to look.
> hears A c
* It was only {c.an}.
/ Behind the door there was nothing but {c.an}.
* {A} was {*glad} because the {n} was only {c.an}.
/ "All that {n}, and it was only you," {A:said} to the {c}.

race A B | l: landmark, z: prize, p: place
* {A.n} and {B.n} ran a race {p.at}.
/ "I bet I am faster than you," {A:said} to {B.n} {p.at}.
* They would race to the {l}, and there was {z.an} to win.
/ The first to touch the {l} would get {z.an}.
* {A} [was soon|took the lead and was] far ahead.
/ {A} [laughed|bragged] and ran as fast as the wind.
* Then {A} [stopped for a rest|tripped over a root|stopped to wave].
/ But halfway, {A} got a stone in one shoe.
~
> wins B z
* {B} kept running and touched the {l} first.
/ {B} overtook {A.n} and was first at the {l}.
* So {B} won the race and got the {z}.
/ Everybody clapped as {B} was given the {z}.
* {A} was {*sad} because {B} had won.
/ "Well run," {A:said} and shook {B:s} hand.
""")

PLOTS |= parse_plots("""
guess A B | z: sense, w: sense(z), y: sense
* {A.n} and {B.n} played a guessing game.
/ "Let's play a guessing game," {A:said} to {B.n}.
* "I am thinking of an animal that can {w}," {A:said}.
/ "My animal can {w}," {A:said}, "so what is it?"
* "Is it {y.an}?" {B:asked}.
/ {B} thought hard and guessed {y.an}.
* "No, {y.s} don't {w}," {A:laughed}.
/ {A} [shook {A.his} head|giggled], for it was not {y.an}.
~
> guesses B z
* "Then it must be {z.an}," {B:said}.
/ "It is {z.an}!" {B:cried}.
* "[Right|Correct|Yes]!" {A:said}.
/ {A} nodded because only {z.an} can {w}.

plant A | s: seed, p: outdoors
* {A} [planted|found and planted] {s.an} seed {p.at}.
/ One spring day, {A} put {s.an} seed into the ground {p.at}.
* {A} watered it every [day|morning|evening].
/ Every day, {A} gave it some water.
* But nothing [happened|came up], and {A} was {*sad}.
/ A whole week went by, and nothing could be seen.
* "[Be patient|Give it time]," the {*job} told {A.n}.
/ {A} almost gave up hope.
~
> grows s
* Then [one morning|after a warm rain] a green tip came out of the ground.
/ At last two small leaves [appeared|opened].
* By summer there was a [tall|fine|strong] {s} plant {p.at}.
/ The {s} grew and grew until all who came to {p} stopped to look.
* {A} was proud because the {s} had grown.
/ "[Waiting|Patience] was worth it," {A:said}.
""")

PLOTS |= parse_plots("""
promise A B | h: hour, l: landmark
> promises A h
* {A} promised to meet {B.n} at the {l} at {h} o'clock.
/ "I will be at the {l} at {h} o'clock, {B.n}," {A:promised}.
* But then {A} [began to read|fell asleep|played] and forgot the time.
/ All afternoon, {A} was busy and did not look at the clock.
~
* Suddenly {A} remembered the promise.
/ "Oh dear, my promise!" {A:cried}.
* {A} ran [all the way|without stopping] to the {l}.
/ {A} jumped up and raced to the {l}.
> keeps A h
* The clock struck {h} just as {A} [arrived|got there].
/ At {h} o'clock exactly, {A} was there.
* {B} was {*glad} because {A} had kept the promise.
/ "I knew you would come," {B:said}.

map A B | l: landmark, m: landmark, b: coffer, x: thing
* {A} found an old map in [a book|a bottle|the attic].
/ In the [attic|cellar|shed], {A} came across an old map.
* A [red cross|small arrow|big X] on the map showed the {l}.
/ "It leads to the {l}," {A:said}.
* {A} asked {B.n} to come along, and off they went to the {l}.
/ At the {l}, {A} met {B.n}, who wanted to help.
* Under [a stone|the moss] there was a note that said: "Go to the {m}."
/ There {B} found a note that said only "{m}."
~
* So they went on to the {m} and dug a hole.
/ They ran to the {m} and began to dig.
> digs A b
* Deep down there was {b.an}.
/ Their spade hit something hard, and it was {b.an}.
> has A x
* In the {b} there was {x.a}.
/ {A} opened the {b} and found {x.a}.
* {A} was {*glad} because the map had told the truth.
/ "A real treasure!" {B:cried}.
""")

PLOTS |= parse_plots("""
borrow A B | x: thing(B), p: place
@has B x
* "May I borrow your {x}?" {A:asked}.
/ {A} asked to borrow {x.the} for a day.
> gives B x A
* {B} lent {x.the} to {A.n}.
/ "Yes, but please be careful with it," {B:said} and handed over {x.the}.
> goes A p
* {A} [played with|used] {x.the} {p.at} all day.
/ {A} took {x.the} to {p} and was very careful.
~
> gives A x B
* In the evening, {A} brought {x.the} back to {B.n}.
/ {A} cleaned {x.the} and returned it to {B.n}.
* "You can borrow it [again|any time]," {B:said}.
/ {B} was {*glad} because {A} had been careful with {x.the}.

wander A | p: place, j: job, l: landmark
* {A} went for a walk and did not look where {A.he} was going.
/ {A} followed a [butterfly|rabbit|dragonfly] and forgot the way.
* Soon {A} [was lost|did not know the way home].
/ All the [paths|streets] looked the same to {A.n}.
* {A} was {*afraid} because nobody was there.
/ "Hello, is anybody here?" {A:called}.
~
> meets A j
* Then a {j} came along the path.
/ Luckily, {A} met a {j}.
* "[Turn left|Go straight on] at the {l} to get to {p}," said the {j}.
/ "From the {l} it is not far to {p}," the {j} told {A.n}.
> goes A p
* {A} thanked the {j} and found the {l}.
/ Indeed, there was the {l}, just as the {j} had said.
* From {p}, {A} knew the way home.
/ {A} was {*glad} because {A.he} could see {p} again.
""")

PLOTS |= parse_plots("""
rules A B | r: rule, s: rule
* {A.n} and {B.n} [quarreled|argued] about a game.
/ Every game of {A.n} and {B.n} ended in a fight.
* "We need rules," {A:said}.
/ {A} fetched a pencil and a big sheet of paper.
> rules A r
* "The first rule is: {r}," {A:said}.
/ {A} wrote down the first rule: {r}.
> rules B s
* "And the second one is: {s}," {B:said}.
/ {B} added another rule: {s}.
~
* They [hung the paper on the wall|read the rules aloud].
/ They both promised to keep the rules.
* When {B} forgot a rule, {A} [pointed at the paper|repeated: {r}].
/ Once {A} almost forgot the second rule, but {B} whispered: {s}.
* After that, they were {*glad} because nobody had to quarrel.
/ Now they could play for hours without a quarrel.

lift A B C | h: heavy, p: place
* {A} wanted to move {h.an} {p.at}.
/ There was {h.an} in {A:s} way {p.at}.
* {A} pushed and pulled, but the {h} did not move.
/ The {h} was [much too|far too] heavy for {A.n}.
* {B} came and pushed, too, but it was not enough.
/ "Let me help," {B:said}, but the {h} stayed where it was.
~
* Then {C.n} [joined in|took hold of it as well].
/ "You need a third pair of hands," {C:said}.
> shifts A h p
* "One, two, three," they counted, and the {h} began to move.
/ With three of them, the {h} was as light as a feather.
* {A} thanked {B.n} and {C.n} because they had helped.
/ "Together we are strong," {A:said} to {B.n} and {C.n}.
""")

PLOTS |= parse_plots("""
train A B | h: hour, p: place
* {A.n} and {B.n} wanted to take the train to {p}.
/ "Let's take the train to {p}," {A:said} to {B.n}.
* It would leave at {h} o'clock.
/ "When does it leave?" {A:asked}, and the sign said {h} o'clock.
* "Is it [late|time to go]?" {B:asked}.
/ {B} could not read the clock yet.
~
* "The small hand is not at {h} yet," {A:said}.
/ {A} showed {B.n} how to tell the time by the two hands.
> leaves B h
* When the small hand was at {h}, the train [came|rolled in].
/ At {h} o'clock they heard [a whistle|the train], and they got in.
* Now {B} could tell the time.
/ {B} was proud because {B.he} could read the clock.
""")

PLOTS |= parse_plots("""
buy A | x: thing, j: job, n: number, m: fewer(n), r: difference(n,m)
> has A n
* {A} had saved {n} coins.
/ There were {n} coins in {A:s} [purse|money box|pocket].
* In the shop of the {j}, {A} saw {x.a}.
/ The {j} had {x.a} in the window, and {A} [wanted|loved] it.
* "It costs {m} coins," said the {j}.
/ {x.the} cost {m} coins.
~
> has A x
* {A} counted out {m} coins and got {x.the}.
/ {A} paid {m} coins for {x.the}.
* {A} walked out of the shop with {r} coins left.
/ "Now I have {r} coins left," {A:said}.
* {A} thanked the {j} and carried {x.the} home.
/ {A} was {*glad} because {x.the} was not too expensive.

dream A | d: dream, z: animal, c: noise
* {A} went to bed early and had a dream.
/ That afternoon, {A} took a nap under a tree and began to dream.
* In the dream, {A.he} was flying on a {d}.
/ In the dream, there was a {d} as big as a house.
* {z.an} [sat|slept] on the {d} and sang a song.
/ On the {d} lived {z.an} who could talk.
~
* "[Welcome|Come in|Good morning]," said the {z}.
/ The {z} [offered {A.n} some tea|told {A.n} a joke].
* Suddenly there was {c}, and the {d} was gone.
/ Then {A} heard {c} and woke up.
* {A} was {*sad} because the {d} was only a dream.
/ "What a strange dream," {A:said}.
""")
