"""The built book, once for all tests of this folder; a browser without a network."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.weave.build import build

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds that another loom command may take
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def book() -> Book:
    """The book's sources."""
    return read_book(ROOT)


@pytest.fixture(scope="session")
def woven() -> Callable[[str], Path]:
    """A function: ``html``, ``pdf`` or ``epub`` to the file that a reader opens.

    What is up to date in ``_build`` is taken as it is.
    """
    made: dict[str, Path] = {}

    def weave(kind: str) -> Path:
        if kind not in made:
            made[kind] = _patiently(kind)
        return made[kind]

    return weave


def _patiently(kind: str) -> Path:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return build(ROOT, kind)[0].path
        except LoomError as error:
            if "at work in this tree" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


@pytest.fixture(scope="session")
def html(woven: Callable[[str], Path]) -> Path:
    """The folder of the HTML book."""
    return woven("html").parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, through Playwright; the tests that need it are skipped without."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_api.sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except sync_api.Error:
            pytest.skip("no Chromium: install the package `chromium`, or "
                        "`playwright install chromium`")
        yield chromium
        chromium.close()
