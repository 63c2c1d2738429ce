"""One run of Sphinx, with its warnings told as problems of the book.

Everything is a problem that Sphinx warns of: an unknown reference, citation
or image, a label given twice, a directive that does not exist.
"""

from __future__ import annotations

import io
import logging
import pickle
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom import files
from loom.errors import LoomError, Place, Problem, fail
from loom.weave.pages import Pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# What to do about a warning, by what it says.
REMEDIES = (
    (r"^no page shows this", "give a page of the back matter this directive"),
    (r"^the chapter has no (exercises|quiz)", "write the file, or drop the directive"),
    (r"^a (label|footnote) in a (hint|solution|answer)",
     "drop it, or move it into the statement: this part moves to the back of the book"),
    (r"undefined label|could not find bibtex key|cross-reference target not found|"
     r"unknown document|equation not found|term not in glossary",
     "mend the name, or add what it names"),
    (r"duplicate|multiple targets|overrides", "give one of the two another name"),
    (r"image file not readable|download file not readable",
     "add the file or mend its path, which is relative to the chapter"),
    (r"unknown directive|unknown interpreted text role|no role entry",
     "mend its name; the names in use are those of MyST and Jupyter Book"),
    (r"header level|heading", "let headings go down one level at a time"),
    (r"lexing literal_block|could not lex", "give the block the language that it is in, or `text`"),
    (r"No space left", "the disk is full: free some space and weave again"),
    (r"bibtex|citation", "see book/references.bib"),
    (r"file not found", "add the file or mend its path, which is relative to the chapter"),
    (r"", "mend the line; MyST's documentation shows the form"),
)

# Templates and static files are made for the theme of the HTML.
FORMS: dict[str, dict[str, Any]] = {
    "epub": {"templates_path": [], "html_static_path": ["book/_epub"], "html_css_files": [],
             "html_context": {}, "pygments_style": "bw",
             "epub_cover": ("_static/cover.png", "epub-cover.html")},
    "typst": {"templates_path": [], "html_static_path": []},
}


def press(root: Path, builder: str, work: Path, jobs: int = 1, keep: bool = False) -> None:
    """Run one Sphinx builder over the whole book.

    Args:
        root: the book's folder, which holds ``_config.yml``.
        builder: Sphinx's name of it.
        work: where it writes; the folder beside it keeps what was read.
        jobs: processes.
        keep: go on from a complete build in ``work``, writing only the pages
            that a change concerns.

    Raises:
        LoomError: the configuration is wrong, or Sphinx warned of anything.
    """
    from sphinx.errors import ExtensionError, SphinxError
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    config = _configuration(root)
    config |= FORMS.get(builder, {})
    early = io.StringIO()
    collector = _Collector()
    app: Sphinx | None = None
    try:
        with patch_docutils(str(root)), docutils_namespace():
            if not keep:
                shutil.rmtree(work, ignore_errors=True)
            pages = Pages(work.parent / f"{builder}.face")
            app = _application(root, builder, work, config, early, jobs)
            app.connect("env-get-updated", pages.choose, priority=900)  # numbers are known
            collector.listen()
            app.build(force_all=not keep)
    except ExtensionError as error:
        if isinstance(error.orig_exc, LoomError):
            raise error.orig_exc from None
        if isinstance(error.orig_exc, OSError):
            raise files.told(error.orig_exc, _file_of(error.orig_exc, work)) from None
        if error.orig_exc is not None:  # a bug of ours or of an extension
            raise
        raise _sphinx_failed(error, root) from None
    except SphinxError as error:
        raise _sphinx_failed(error, root) from None
    except OSError as error:
        raise files.told(error, _file_of(error, work)) from error
    problems = [*_early(early.getvalue()), *collector.problems]
    if problems:
        _read_again(app, [problem.place for problem in problems])
        raise LoomError(sorted(set(problems), key=_order))
    pages.complete()


def _application(root: Path, builder: str, work: Path, config: dict[str, Any],
                 warnings: io.StringIO, jobs: int) -> Sphinx:
    from sphinx.application import Sphinx
    from sphinx.util.console import nocolor

    nocolor()
    work.mkdir(parents=True, exist_ok=True)
    return Sphinx(
        srcdir=root, confdir=None, outdir=work, doctreedir=work.parent / "doctrees",
        buildername=builder, confoverrides=config, status=None, warning=warnings,
        parallel=jobs)


def _configuration(root: Path) -> dict[str, Any]:
    """Sphinx's configuration, from ``_config.yml`` as Jupyter Book reads it."""
    import yaml
    from jsonschema import ValidationError  # type: ignore[import-untyped]
    from jupyter_book.config import get_final_config  # type: ignore[import-untyped]

    path = root / "_config.yml"
    files.read_text(path)  # told if it cannot be
    try:
        config: dict[str, Any]
        config, _ = get_final_config(
            user_yaml=path, cli_config={"latex_individualpages": False},
            sourcedir=root, raise_on_invalid=True)
        config.pop("comments_config", None)  # of an extension that we do not load
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise fail(f"is not YAML: {getattr(error, 'problem', error)}", "mend the line",
                   path=path, line=mark.line + 1 if mark else None) from None
    except ValidationError as error:
        raise fail(f"is not a configuration of Jupyter Book: {error}",
                   "see the options that Jupyter Book 1.x knows", path=path) from None
    return config


class _Collector:
    """Gathers Sphinx's warnings as problems with a place."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def listen(self) -> None:
        """Take the place of the handler that writes warnings to a stream.

        Its filters stay: they drop what is suppressed and find the place.
        """
        from sphinx.util.logging import NAMESPACE, WarningStreamHandler

        for handler in logging.getLogger(NAMESPACE).handlers:
            if isinstance(handler, WarningStreamHandler):
                handler.emit = self._gather  # type: ignore[method-assign]

    def _gather(self, record: logging.LogRecord) -> None:
        location = str(getattr(record, "location", None) or "")
        self.problems.append(_problem(location, logging.LogRecord.getMessage(record)))


def _problem(location: str, message: str) -> Problem:
    match = re.match(r"(?P<path>.+?):(?P<line>\d+)?$", location)
    path = Path(match["path"] if match else location) if location else None
    line = int(match["line"]) if match and match["line"] else None
    what = re.sub(r"\s*\[[a-z_]+(\.[a-z_]+)?\]$", "", " ".join(message.split()))
    remedy = next((remedy for pattern, remedy in REMEDIES
                   if re.search(pattern, what, re.IGNORECASE)), "")
    return Problem(Place(path, line) if path else None, what, remedy)


def _early(text: str) -> list[Problem]:
    """Warnings from before anyone could listen: extensions, configuration."""
    found = re.findall(r"^(?:(.+?): )?WARNING: (.+)$", text, re.MULTILINE)
    return [_problem(location, message) for location, message in found]


def _order(problem: Problem) -> tuple[str, int, str]:
    place = problem.place
    return (str(place.path), place.line or 0, problem.what) if place else ("", 0, problem.what)


def _file_of(error: OSError, otherwise: Path) -> Path:
    return Path(str(error.filename2 or error.filename or otherwise))  # 2: where a copy goes


def _sphinx_failed(error: Exception, root: Path) -> LoomError:
    what = str(error).removeprefix("[etoc] ")
    path = root / ("_toc.yml" if str(error).startswith("[etoc]") else "_config.yml")
    return fail(f"Sphinx gave up: {what}", "mend this and weave again", path=path)


def _read_again(app: Sphinx | None, places: list[Place | None]) -> None:
    """Let the next build read the chapters with warnings again.

    Sphinx remembers a chapter that it has read, not what it warned of.
    """
    if app is None:
        return
    memory = Path(app.doctreedir) / "environment.pickle"
    docnames = {app.env.path2doc(str(place.path)) for place in places if place}
    if None in places or not docnames <= set(app.env.all_docs):
        memory.unlink(missing_ok=True)
        return
    for docname in docnames:
        app.env.all_docs[str(docname)] = 0
    with memory.open("wb") as file:
        pickle.dump(app.env, file, pickle.HIGHEST_PROTOCOL)
