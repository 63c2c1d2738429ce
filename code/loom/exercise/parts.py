"""From a directive and the cells below it to one exercise, every mistake told."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from loom.book.chapter import Cell, Chapter
from loom.errors import Place, Problem
from loom.exercise import rules
from loom.exercise.directives import REQUIRED, Directive
from loom.exercise.edits import Edits, catches
from loom.exercise.model import Code, Exercise
from loom.exercise.near import nearest
from loom.exercise.regions import take_apart

TAGS = ("ex-answer", "ex-cases", "ex-wrong", "ex-mutants", "ex-accept")
ONCE = ("ex-answer", "ex-cases")
ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LEVELS = {"1": "a warm-up", "2": "an ordinary one", "3": "a hard one", "4": "an evening"}
LONGEST = 600  # minutes


class Maker:
    """Makes one exercise; what is wrong with it ends up in ``problems``.

    Args:
        directive: the statement.
        more: the hints and solutions that follow it.
        cells: the cells that belong to it.
        chapter: the chapter that it belongs to.
        number: its place in the file, from 1.
        path: the file.
    """

    def __init__(self, directive: Directive, more: Sequence[Directive], cells: Sequence[Cell],
                 chapter: Chapter, number: int, path: Path) -> None:
        self.directive = directive
        self.more = more
        self.cells = cells
        self.chapter = chapter
        self.number = number
        self.path = path
        self.problems: list[Problem] = []

    def problem(self, line: int | None, what: str, remedy: str) -> None:
        self.problems.append(Problem(Place(self.path, line), what, remedy))

    def make(self) -> Exercise | None:
        """The exercise; None if it lacks a part without which there is none."""
        options = self._options()
        by_tag = self._sort_cells()
        hints = self._texts("exercise-hint")
        count = sum(one.name == "exercise-hint" for one in self.more)
        if count < 2:
            self.problem(self.directive.line, f"{count or 'no'} hint{'s' * (not count)}",
                         "write two or three `:::{exercise-hint}`: where to look, the idea, "
                         "almost the code")
        remarks = self._texts("exercise-solution")
        if not (by_tag["ex-answer"] and by_tag["ex-cases"]):
            self._parse_all(by_tag)
            return None
        answer, cases = by_tag["ex-answer"][0], by_tag["ex-cases"][0]
        parts, flaws = take_apart(answer.source)
        for flaw in flaws:
            self.problems.append(Problem(answer.place(flaw.line), flaw.what, flaw.remedy))
        tree = self._parse(answer.source, answer)
        stub = rules.parse(parts.stub, answer.place())
        if isinstance(stub, Problem) and tree is not None and not flaws:
            self.problem(answer.line + parts.regions[0][0] - 2, "without its solution the cell "
                         f"is no Python ({stub.what.removeprefix('a syntax error: ')})",
                         "enclose whole statements, at one margin")
        cases_tree = self._parse(cases.source, cases)
        if tree is None or cases_tree is None:
            self._parse_all(by_tag)
            return None
        self._imports(tree, answer, options)
        self.problems += rules.futures(tree, answer.place())
        asked = rules.asked(tree, parts.regions)
        if not isinstance(stub, Problem):  # what only the solution defines is its own affair
            asked = tuple(name for name in asked if name in rules.bound(stub)) or asked
        names = tuple(dict.fromkeys((*asked, *rules.defined(tree))))
        if not names:
            self.problem(answer.line, "the answer defines nothing public",
                         "define the function or class that the cases call")
        if not rules.has_example(tree):
            self.problem(answer.line, "no docstring of the answer cell shows an example",
                         "add a worked example to the docstring: `>>> call` and what it gives")
        known = rules.cases(cases_tree, cases.place(), names, self.problems)
        reader = Edits(parts.solution, known, self.problem)
        for cell in by_tag["ex-mutants"]:
            edits = self._parse(cell.source, cell)
            if edits is not None:
                reader.read(edits, cell.line)
        wrong = [code for cell in by_tag["ex-wrong"]
                 if (code := self._named(cell, asked, known, options, is_wrong=True))]
        accepted = [code for cell in by_tag["ex-accept"]
                    if (code := self._named(cell, asked, known, options, is_wrong=False))]
        wrong += reader.applied()
        self._twice(accepted, wrong)
        if not options:
            return None
        return Exercise(
            id=options["id"], title=self.directive.argument, chapter=self.chapter.name,
            chapter_number=self.chapter.number or 0, number=self.number,
            minutes=int(options["minutes"]), level=int(options["level"]),
            section=options.get("section", ""), libraries=_libraries(options),
            package=options.get("package"), statement=self.directive.text,
            statement_line=self.directive.text_line, stub=parts.stub, solution=parts.solution,
            answer_line=answer.line, names=names, asked=asked, hints=hints,
            cases=Code("cases", cases.source, cases.line), accepted=tuple(accepted),
            wrong=tuple(wrong), mutants=tuple(reader.mutants),
            equivalents=tuple(reader.equivalents),
            remarks="\n\n".join(remarks), path=self.path, line=self.directive.line)

    # -- the directive ------------------------------------------------------

    def _options(self) -> dict[str, str]:
        """The options' values; empty if one of them is wrong."""
        before = len(self.problems)
        found = {key: value for key, (value, _) in self.directive.options.items()}
        line = {key: at for key, (_, at) in self.directive.options.items()}
        at = self.directive.line
        if not self.directive.argument:
            self.problem(at, "an exercise without a title", "write it behind `{exercise}`")
        if not self.directive.text.strip():
            self.problem(at, "an exercise without a statement",
                         "say what is given, what to write, the shapes, what “done” means")
        own = self.path == self.chapter.path  # it belongs to no chapter of the book
        for key in REQUIRED:
            if own and key == "section" and key not in found:
                continue
            if not found.get(key):
                self.problem(line.get(key, at), f"`:{key}:` is missing" if key not in found
                             else f"`:{key}:` says nothing", f"add `:{key}: …` below the title")
        if found.get("id") and not ID.fullmatch(found["id"]):
            self.problem(line["id"], f"`{found['id']}` is not an id",
                         "small letters, digits and single hyphens, such as `masked-softmax`")
        if found.get("level") and found["level"] not in LEVELS:
            self.problem(line["level"], f"`:level: {found['level']}` is no level",
                         ", ".join(f"{n} ({what})" for n, what in LEVELS.items()))
        minutes = found.get("minutes", "")
        if minutes and not (re.fullmatch(r"[0-9]{1,3}", minutes) and 0 < int(minutes) <= LONGEST):
            self.problem(line["minutes"], f"`:minutes: {minutes}` is no time",
                         f"a whole number of minutes, from 1 to {LONGEST}")
        labels = [s.label for s in self.chapter.sections if s.label]
        if not own and found.get("section") and found["section"] not in labels:
            self.problem(line["section"], f"{self.chapter.name} has no section "
                         f"`{found['section']}`", nearest(found["section"], labels))
        for library in _words(found.get("libraries", "")):
            if library not in rules.LIBRARIES:
                self.problem(line["libraries"], f"`{library}` is not a library of the book",
                             f"the libraries are {', '.join(rules.LIBRARIES)}")
        return found if len(self.problems) == before else {}

    def _texts(self, name: str) -> tuple[str, ...]:
        found = []
        for directive in self.more:
            if directive.name != name:
                continue
            text = "\n\n".join(filter(None, [directive.argument, directive.text])).strip()
            if not text:
                self.problem(directive.line, f"an empty `{{{name}}}`", "write it, or remove it")
            else:
                found.append(text)
        return tuple(found)

    # -- the cells ----------------------------------------------------------

    def _sort_cells(self) -> dict[str, list[Cell]]:
        by_tag: dict[str, list[Cell]] = {tag: [] for tag in TAGS}
        for cell in self.cells:
            kinds = sorted(cell.tags & set(TAGS))
            unknown = [tag for tag in sorted(cell.tags)
                       if tag.startswith("ex-") and tag not in TAGS]
            for tag in unknown:
                self.problem(cell.fence, f"unknown tag `{tag}`", nearest(tag, TAGS))
            if len(kinds) != 1 and not unknown:
                what = f"a cell with the tags {' and '.join(kinds)}" if kinds \
                    else "a cell that does not say what it is"
                self.problem(cell.fence, what, f"give it one of the tags {', '.join(TAGS)}")
            elif kinds:
                by_tag[kinds[0]].append(cell)
            if cell.target:
                self.problem(cell.fence, "a cell of an exercise that is tangled",
                             "drop `:tangle:`: only chapters make the package")
        for tag in ONCE:
            if not by_tag[tag]:
                self.problem(self.directive.line, f"no cell with the tag `{tag}`",
                             "add it: the reference solution, with its marks"
                             if tag == "ex-answer" else "add it: the calls of `case(…)`")
            for cell in by_tag[tag][1:]:
                self.problem(cell.fence, f"a second cell with the tag `{tag}`",
                             f"join it to the first, at line {by_tag[tag][0].fence}")
        return by_tag

    def _parse(self, source: str, cell: Cell) -> ast.Module | None:
        found = rules.parse(source, cell.place())
        if isinstance(found, Problem):
            if found not in self.problems:
                self.problems.append(found)
            return None
        return found

    def _parse_all(self, by_tag: dict[str, list[Cell]]) -> None:
        """Syntax errors of the other cells, where the exercise cannot be made anyway."""
        for cells in by_tag.values():
            for cell in cells:
                self._parse(cell.source, cell)

    def _imports(self, tree: ast.Module, cell: Cell, options: dict[str, str]) -> None:
        if options:
            sees = bool(options.get("package")) or (self.chapter.number or 0) > 1
            self.problems += rules.imports(tree, cell.place(), _libraries(options), sees)

    def _named(self, cell: Cell, asked: tuple[str, ...], known: tuple[str, ...] | None,
               options: dict[str, str], is_wrong: bool) -> Code | None:
        """A wrong or an accepted answer: a whole text with its name on top."""
        kind = "wrong" if is_wrong else "accepted"
        lines = cell.source.split("\n")
        match = re.fullmatch(r"#\s*(?!caught by:)(\S.*)", lines[0].strip(), re.IGNORECASE)
        if match is None:
            self.problem(cell.line, f"a{'n' * (not is_wrong)} {kind} answer without a name",
                         "its first line is its name, as a comment: "
                         + ("`# the mistake`" if is_wrong else "`# how it does it`"))
        name = match[1].strip() if match else "?"
        caught = re.fullmatch(r"#\s*caught by:\s*(\S.*)", lines[1].strip(), re.IGNORECASE) \
            if len(lines) > 1 else None
        if is_wrong and caught is None and match is not None:
            self.problem(cell.line, f"no case is named that catches “{name}”",
                         "its second line is `# caught by: name of a case`")
        if caught:
            catches(cell.line + 1, caught[1].strip(), known, self.problem)
        tree = self._parse(cell.source, cell)
        if tree is None:
            return None
        missing = [n for n in asked if n not in rules.bound(tree)]
        if missing:
            self.problem(cell.line, f"the {kind} answer “{name}” does not define "
                         f"{', '.join(f'`{n}`' for n in missing)}",
                         "it is a whole answer: define every name that the stub asks for")
        self._imports(tree, cell, options)
        return Code(name, cell.source, cell.line, caught[1].strip() if caught else None)

    def _twice(self, accepted: Sequence[Code], wrong: Sequence[Code]) -> None:
        seen: dict[str, int] = {}
        for code in (*accepted, *wrong):
            if code.name in seen:
                self.problem(code.line, f"“{code.name}” is the name of the answer at line "
                             f"{seen[code.name]}, too", "give it a name of its own")
            seen.setdefault(code.name, code.line)


def _libraries(options: dict[str, str]) -> frozenset[str]:
    return frozenset(_words(options.get("libraries", ""))) - {"numpy"}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]
