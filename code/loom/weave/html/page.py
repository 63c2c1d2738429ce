"""The HTML page: offline mathematics and search, notebooks, figures at night.

Everything that the page loads lies beside it: it opens from disk with the
network cut.
"""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom import files
from loom.errors import fail

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx
    from sphinx.config import Config

MATHJAX = "sphinx-mathjax-offline"  # the package that carries MathJax's files
ENGINE = "tex-svg.js"  # draws paths: needs no font files, prints well


def setup(app: Sphinx) -> None:
    """Connect what follows to Sphinx's events."""
    from loom.weave.html.figures import TellFiguresApart

    app.connect("config-inited", _prepare_assets)
    app.add_post_transform(TellFiguresApart)
    app.connect("html-page-context", _offer_notebook, priority=510)
    app.connect("html-page-context", _describe_page, priority=520)
    app.connect("build-finished", _finish)


def _prepare_assets(app: Sphinx, config: Config) -> None:
    """Gather fonts and MathJax in one folder and let Sphinx copy it."""
    from loom.weave.html.fonts import write_fonts

    if "book/_static" not in config.html_static_path:
        return  # another form of the book, see press.FORMS
    folder = Path(app.srcdir) / files.BUILD / "weave" / "static"
    write_fonts(folder)
    _copy_mathjax(folder / "mathjax")
    if str(folder) not in config.html_static_path:
        config.html_static_path.append(str(folder))
    config.mathjax_path = f"mathjax/{ENGINE}"


def _copy_mathjax(folder: Path) -> None:
    """MathJax's engine and the TeX extensions that it may ask for."""
    spec = find_spec(MATHJAX)
    if spec is None or spec.origin is None:
        raise fail(f"the package {MATHJAX} is missing, and with it the mathematics of the HTML",
                   "install what requirements.lock lists")
    source = Path(spec.origin).parent / "static" / "mathjax"
    if (folder / ENGINE).is_file():
        return
    extensions = Path("input") / "tex" / "extensions"
    shutil.copytree(source / extensions, folder / extensions, dirs_exist_ok=True)
    shutil.copyfile(source / ENGINE, folder / ENGINE)


def _offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any],
                    doctree: document | None) -> None:
    """Put the notebook of a chapter, and who can open it, into the page's head."""
    if "kernelspec" not in app.env.metadata.get(page, {}):
        return
    name = f"{page.rpartition('/')[2]}.ipynb"
    buttons = [{
        "type": "link", "url": name, "text": "Notebook", "icon": "fa-solid fa-download",
        "tooltip": "Download this chapter as a notebook", "label": "notebook",
    }]
    buttons += _launches(app.config.html_theme_options, f"{page}.ipynb")
    context["header_buttons"] = buttons


def _launches(options: dict[str, Any], path: str) -> list[dict[str, str]]:
    """Links that open the published notebook, where a repository is configured."""
    where = (options.get("repository_url") or "").removesuffix("/")
    services = options.get("launch_buttons") or {}
    if not where.startswith("https://github.com/"):
        return []
    project = where.removeprefix("https://github.com/")
    branch = options.get("repository_branch") or "gh-pages"
    links = []
    if colab := (services.get("colab_url") or "").rstrip("/"):
        links.append(("Colab", f"{colab}/github/{project}/blob/{branch}/{path}"))
    if binder := (services.get("binderhub_url") or "").rstrip("/"):
        links.append(("Binder", f"{binder}/v2/gh/{project}/{branch}?urlpath=lab/tree/{path}"))
    return [{"type": "link", "url": url, "text": name, "icon": "fa-solid fa-rocket",
             "tooltip": f"Open this notebook in {name}", "label": name.lower()}
            for name, url in links]


def _describe_page(app: Sphinx, page: str, template: str, context: dict[str, Any],
                   doctree: document | None) -> None:
    """Say what the page is, for the style sheet and for search engines."""
    context["pageurl"] = None
    if doctree is not None:
        from docutils import nodes

        first = next(iter(doctree.findall(nodes.paragraph)), None)
        if first is not None:
            context["page_description"] = " ".join(first.astext().split())[:200]


def _finish(app: Sphinx, error: Exception | None) -> None:
    """Add the notebooks and the text for search; remove what no page uses."""
    if error is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    _write_notebooks(app, out)
    _write_exercises(app, out)
    for name in ("locales", "webpack-macros.html", "sbt-webpack-macros.html", "file.png",
                 "minus.png", "plus.png"):
        path = out / "_static" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for pattern in ("*.ttf", "*.map"):  # icons for browsers of 2012; for the theme's makers
        for path in (out / "_static").rglob(pattern):
            path.unlink()
    shutil.rmtree(out / "reports", ignore_errors=True)


def _write_notebooks(app: Sphinx, out: Path) -> None:
    """The chapters as notebooks, beside their pages."""
    from loom.book.toc import read_book
    from loom.run.store import notebook_for_reader

    book = read_book(Path(app.srcdir))
    for chapter in book.notebooks:
        target = (out / chapter.path.relative_to(book.root)).with_suffix(".ipynb")
        text = json.dumps(notebook_for_reader(book, chapter), indent=1, ensure_ascii=False)
        target.write_text(text + "\n", encoding="utf-8")


def _write_exercises(app: Sphinx, out: Path) -> None:
    """What learners work in, in a folder beside the chapters' pages."""
    from loom.exercise.derive import section_titles, student_file, student_name
    from loom.exercise.notebooks import student_notebook
    from loom.weave.practice import practice_of

    practice = practice_of(app)
    named = section_titles(practice.book)
    folder = out / "book" / "exercises"
    texts: dict[Path, str | bytes] = {}
    for name, exercises in practice.exercises.items():
        chapter = practice.book.chapter(name)
        texts |= {
            folder / student_name(name): student_file(chapter, exercises, named),
            folder / student_name(name, ".ipynb"): student_notebook(chapter, exercises, named)}
    files.write_all(texts, remove=tuple(path for path in folder.glob("*") if path not in texts))
