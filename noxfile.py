"""Every command of the book. All sessions share one environment, ``.venv``.

    nox -s book     HTML and PDF, with everything they need
    nox -s tests    the package, the tool, every cell, the built book
    nox --list      the rest

Installing is skipped while ``requirements.lock`` stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nox

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
BUILD = ROOT / "_build"
STAMP = VENV / "installed.sha256"

nox.options.default_venv_backend = "none"
nox.options.sessions = ["book"]
nox.options.error_on_missing_interpreters = True


def ready(session: nox.Session) -> None:
    """Make ``.venv`` and install what is locked, if that is not done yet."""
    if sys.version_info < (3, 11):  # noqa: UP036 (nox itself may run on an older one)
        session.error(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. "
                      "Install one, then: python3.11 -m venv .venv")
    os.environ.pop("PYTHONPATH", None)  # a stray one would shadow the package
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    os.environ["VIRTUAL_ENV"] = str(VENV)
    wanted = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        wanted.update((ROOT / name).read_bytes())
    wanted.update(str(ROOT).encode())  # a moved tree must install itself again
    if STAMP.is_file() and STAMP.read_text() == wanted.hexdigest():
        return
    if not (BIN / "python").exists():
        session.log("making .venv")
        session.run(sys.executable, "-m", "venv", str(VENV), external=True)
    python = str(BIN / "python")
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
        session.run(python, "-m", "ensurepip", "--upgrade", external=True)
    session.log("installing the locked versions into .venv: once, a few minutes")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run(*pip, "-r", str(ROOT / "requirements.lock"), external=True)
    session.run(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT), external=True)
    STAMP.write_text(wanted.hexdigest())


def loom(session: nox.Session, *arguments: str) -> None:
    session.run(str(BIN / "loom"), *arguments, external=True)


def woven(session: nox.Session, *kinds: str) -> None:
    """Check the package, run what is out of date, build these forms of the book."""
    ready(session)
    loom(session, "tangle", "--check")
    loom(session, "run")
    loom(session, "weave", *kinds)


@nox.session
def book(session: nox.Session) -> None:
    """The HTML and the PDF of the whole book."""
    woven(session, "html", "pdf")


@nox.session
def html(session: nox.Session) -> None:
    """The HTML book."""
    woven(session, "html")


@nox.session
def pdf(session: nox.Session) -> None:
    """The PDF book."""
    woven(session, "pdf")


@nox.session
def epub(session: nox.Session) -> None:
    """The EPUB book."""
    woven(session, "epub")


@nox.session
def cells(session: nox.Session) -> None:
    """Every cell whose stored output is out of date (`-- --force`: all)."""
    ready(session)
    loom(session, "run", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, drift, the chapters' rules, spelling, links, citations."""
    ready(session)
    session.run(str(BIN / "ruff"), "check", ".", external=True)
    session.run(str(BIN / "mypy"), external=True)
    loom(session, "tangle", "--check")
    loom(session, "lint")
    session.run(str(BIN / "codespell"), external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything: lint, every cell, the package, the tool, the built book, the exercises."""
    started = time.monotonic()
    lint(session)
    loom(session, "run")
    loom(session, "test")  # on the package as of each chapter; below, on the whole of it
    report = BUILD / "tests.xml"
    report.unlink(missing_ok=True)
    session.run(str(BIN / "python"), "-m", "pytest", "-n", "2", "--dist", "loadfile",
                f"--junitxml={report}", *session.posargs, external=True,
                success_codes=range(256))
    passed, failed, skipped = _counts(report)
    proof = subprocess.run([str(BIN / "loom"), "prove", "--skip", "7"], check=False)
    passed, failed = passed + (not proof.returncode), failed + bool(proof.returncode)
    minutes = (time.monotonic() - started) / 60
    print(f"Everything above took {minutes:.1f} minutes; the report is {report}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if failed or not passed:
        session.error("tests failed")


@nox.session
def prove(session: nox.Session) -> None:
    """The eleven proofs of the graders (`-- --all`: the whole book, and its exports)."""
    ready(session)
    loom(session, "prove", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Times, memory and safety beside the field's tools (`-- press`, `-- data`: one part)."""
    ready(session)
    for part in session.posargs or ("press", "graders", "grading", "tokens", "data", "attention"):
        session.run(str(BIN / "python"), f"bench/{part}.py", external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve the versions again, for every platform, after a change of pyproject.toml."""
    ready(session)
    python = str(BIN / "python")
    session.run(python, "-m", "pip", "install", "--quiet", "uv", external=True)
    versions = ROOT / "requirements.lock"
    session.run(python, "-m", "uv", "pip", "compile", "--quiet", "--universal",
                "--python-version", "3.11", "--all-extras", "--no-header", "--no-annotate",
                *session.posargs, "pyproject.toml", "-o", str(versions), external=True)
    lines = versions.read_text().splitlines(keepends=True)
    # What PyTorch's CUDA build wants, pip finds by itself where that build is installed.
    versions.write_text("".join(line for line in lines
                                if not line.startswith(("nvidia-", "cuda-", "triton"))))


@nox.session
def clean(session: nox.Session) -> None:
    """Remove what can be made again (`-- all`: the environment, too)."""
    doomed = [BUILD, *ROOT.glob(".*_cache"), ROOT / ".hypothesis"]
    if "all" in session.posargs:
        doomed.append(VENV)
    for folder in doomed:
        if folder.exists():
            session.log(f"removing {folder.relative_to(ROOT)}")
            shutil.rmtree(folder)


def _counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a JUnit report."""
    if not report.is_file():
        return 0, 1, 0
    passed = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        idle = int(suite.get("skipped", 0))
        failed += bad
        skipped += idle
        passed += int(suite.get("tests", 0)) - bad - idle
    return passed, failed, skipped
