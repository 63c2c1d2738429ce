"""Downloads from servers that break off, lie and refuse; the reader of TinyStories."""

from __future__ import annotations

import errno
import hashlib
import http.server
import os
import re
import shutil
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.corpus import download as downloads
from scratchlm.corpus.download import DownloadError, Remote, cache_folder, fetch
from scratchlm.corpus.tinystories import SEPARATOR, TINYSTORIES, download, read_stories

CONTENT = bytes(range(256)) * 2000  # half a megabyte
SHA = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next of the server's answers, then the last again."""

    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [good()]
        self.ranges: list[str | None] = []

    @property
    def remote(self) -> Remote:
        return Remote(f"http://127.0.0.1:{self.server_port}/stories.txt", len(CONTENT), SHA)


def good(content: bytes = CONTENT, *, stop: int | None = None, ranges: bool = True,
         kind: str = "text/plain", length: bool = True) -> Answer:
    """An answer of 200 or 206 that sends at most ``stop`` bytes, then hangs up."""

    def answer(h: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", h.headers.get("Range", ""))
        start = int(asked[1]) if asked and ranges else 0
        h.send_response(206 if asked and ranges else 200)
        if asked and ranges:
            h.send_header("Content-Range",
                          f"bytes {start}-{len(content) - 1}/{len(content)}")
        h.send_header("Content-Type", kind)
        if length:
            h.send_header("Content-Length", str(len(content) - start))
        h.end_headers()
        h.wfile.write(content[start:][:stop])

    return answer


def refuse(status: int) -> Answer:
    return lambda h: h.send_error(status)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: Server, folder: Path, **more: float) -> Path:
    return fetch(server.remote, folder, wait=0.001, **more)  # type: ignore[arg-type]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"stories.txt.lock"}


def test_a_file_arrives_once(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path / "not" / "there")
    assert path.read_bytes() == CONTENT
    assert get(server, path.parent) == path
    assert server.ranges == [None]
    assert left(path.parent) == {"stories.txt"}


@pytest.mark.parametrize("stop", [0, 1, 65_536, 300_000, len(CONTENT) - 1])
def test_a_download_that_breaks_off_goes_on(server: Server, tmp_path: Path, stop: int) -> None:
    server.answers = [good(stop=stop), good()]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={stop}-" if stop else None]


def test_the_next_run_goes_on_where_the_last_one_gave_up(server: Server, tmp_path: Path) -> None:
    server.answers = [good(stop=1000), refuse(503)]
    with pytest.raises(DownloadError, match=r"HTTP 503 .* 1000 of 512000 bytes are in"):
        get(server, tmp_path)
    assert left(tmp_path) == {"stories.txt.part"}
    server.answers, server.ranges = [good()], []
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_a_server_that_always_breaks_off_is_given_up(server: Server, tmp_path: Path) -> None:
    server.answers = [good(stop=10)]
    with pytest.raises(DownloadError, match="closed early; 40 of 512000 bytes are in"):
        get(server, tmp_path, tries=4)
    assert len(server.ranges) == 4


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.answers = [good(stop=1000), good(ranges=False)]
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_server_that_names_no_length(server: Server, tmp_path: Path) -> None:
    server.answers = [good(length=False, stop=7), good(length=False)]
    assert get(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [
    CONTENT[:-1] + b"!",
    b"<" + CONTENT[1:],
], ids=["last byte", "first byte"])
def test_wrong_bytes_are_removed(server: Server, tmp_path: Path, wrong: bytes) -> None:
    server.answers = [good(wrong)]
    with pytest.raises(DownloadError, match=f"sha256 {hashlib.sha256(wrong).hexdigest()}"):
        get(server, tmp_path)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("length", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_size_is_refused_before_it_is_sent(
        server: Server, tmp_path: Path, length: int) -> None:
    server.answers = [good((CONTENT + b"!")[:length])]
    with pytest.raises(DownloadError, match=f"has {length} bytes, the file we want has 512000"):
        get(server, tmp_path)
    assert left(tmp_path) == set()


def test_more_than_announced_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.answers = [good(b"?" * 600_000, length=False)]
    with pytest.raises(DownloadError, match="what came has 512000 bytes"):
        get(server, tmp_path)
    assert left(tmp_path) == set()


def test_a_range_that_was_not_asked_for(server: Server, tmp_path: Path) -> None:
    def shifted(h: Handler) -> None:
        h.send_response(206)
        h.send_header("Content-Range", "bytes 0-511999/512000")
        h.end_headers()

    server.answers = [good(stop=10), shifted]
    with pytest.raises(DownloadError, match="from 10 on, and it sends 'bytes 0-511999/512000'"):
        get(server, tmp_path)


def test_a_page_of_html_is_named_as_one(server: Server, tmp_path: Path) -> None:
    server.answers = [good(b"<html>Log in!</html>", kind="text/html; charset=utf-8")]
    with pytest.raises(DownloadError, match="a web page: a proxy's, or the login page"):
        get(server, tmp_path)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 416])
def test_a_refusal_is_not_asked_twice(server: Server, tmp_path: Path, status: int) -> None:
    server.answers = [refuse(status)]
    with pytest.raises(DownloadError, match=f"HTTP {status} "):
        get(server, tmp_path)
    assert len(server.ranges) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: Path, status: int) -> None:
    server.answers = [refuse(status), refuse(status), good()]
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_garbage_instead_of_http(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda h: h.wfile.write(b"220 mail ready\r\n") and None, good()]
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_redirect_is_followed_with_its_range(server: Server, tmp_path: Path) -> None:
    def elsewhere(h: Handler) -> None:
        h.send_response(302)
        h.send_header("Location", "/cdn/stories.txt")
        h.end_headers()

    server.answers = [good(stop=100), elsewhere, good()]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100-", "bytes=100-"]


def test_a_server_that_says_nothing(server: Server, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    silence = threading.Event()
    server.answers = [lambda h: silence.wait(20) and None]
    receive = downloads.receive
    monkeypatch.setattr(downloads, "receive", lambda *args: receive(*args, timeout=0.05))
    with pytest.raises(DownloadError, match="timed out; 0 of 512000 bytes are in"):
        get(server, tmp_path, tries=2)
    silence.set()


def test_no_network(server: Server, tmp_path: Path) -> None:
    nobody = Remote("http://127.0.0.1:1/stories.txt", 10, SHA)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:1/stories\.txt: .*refused"):
        fetch(nobody, tmp_path, wait=0.001)
    assert left(tmp_path) == set()


def test_a_file_brought_by_other_means_is_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "stories.txt.part").write_bytes(CONTENT)
    assert get(server, tmp_path).read_bytes() == CONTENT
    (tmp_path / "stories.txt").unlink()
    (tmp_path / "stories.txt.part").write_bytes(b"x" + CONTENT)
    with pytest.raises(DownloadError, match="512001 bytes"):
        get(server, tmp_path)
    assert server.ranges == []


def test_a_file_that_changed_is_not_used(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="has changed since it was checked"):
        get(server, tmp_path)


def test_no_room_is_said_before_anything_is_sent(
        server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(DownloadError, match=r"room for 0 MB.*1 MB are to come.*SCRATCHLM_CACHE"):
        get(server, tmp_path)
    assert server.ranges == []


def test_a_disk_that_fills_up_keeps_what_it_has(
        server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "stories.txt.part").write_bytes(CONTENT[:9])
    monkeypatch.setattr(downloads, "receive", full)
    with pytest.raises(OSError, match="No space left"):
        get(server, tmp_path)
    assert (tmp_path / "stories.txt.part").read_bytes() == CONTENT[:9]


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / "stories.txt.lock"), \
            pytest.raises(DownloadError, match="another process is fetching"):
        get(server, tmp_path)


def test_a_program_that_was_interrupted_leaves_its_part(
        server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ctrl_c(remote: Remote, part: Path, tell: object) -> None:
        part.write_bytes(CONTENT[:5])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(downloads, "receive", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            get(server, tmp_path)
    assert left(tmp_path) == {"stories.txt.part"}
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=5-"]




@pytest.mark.parametrize("given, expected", [
    ({"SCRATCHLM_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, "/a/b"),
    ({"XDG_CACHE_HOME": "/x"}, "/x/scratchlm"),
    ({"XDG_CACHE_HOME": ""}, "/home/me/.cache/scratchlm"),
    ({"SCRATCHLM_CACHE": "~/c"}, "/home/me/c"),
])
def test_where_downloads_live(given: dict[str, str], expected: str,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCRATCHLM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in {"HOME": "/home/me", **given}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def test_the_real_files_are_pinned() -> None:
    for remote in TINYSTORIES.values():
        assert re.fullmatch(r"[0-9a-f]{64}", remote.sha256)
        assert re.match(r"https://huggingface\.co/datasets/roneneldan/TinyStories/resolve/"
                        r"[0-9a-f]{40}/TinyStoriesV2-GPT4-(train|valid)\.txt$", remote.url)
    with pytest.raises(ValueError, match="'test' is none of train, valid"):
        download("test")


def test_download_takes_the_split_from_the_cache(
        server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TINYSTORIES, "valid", server.remote)
    monkeypatch.setenv("SCRATCHLM_CACHE", str(tmp_path))
    assert download("valid") == tmp_path / "corpora" / "stories.txt"


# The reader

def read(tmp_path: Path, raw: bytes, errors: str = "strict") -> list[str]:
    path = tmp_path / "raw.txt"
    path.write_bytes(raw)
    return list(read_stories(path, errors))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=6))
def test_stories_are_what_stands_between_separators(
        tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    whole = SEPARATOR.join(texts)
    path = tmp_path_factory.mktemp("stories")
    expected = [text.strip() for text in whole.split(SEPARATOR) if text.strip()]
    assert read(path, whole.encode()) == expected


def test_a_separator_needs_no_line_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, b"a<|endoftext|>b\r\nc<|endoftext|>\n<|endoftext|>d") == \
        ["a", "b\r\nc", "d"]


def test_files_without_stories(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == read(tmp_path, b" \n<|endoftext|>\n\n<|endoftext|>") == []


def test_a_file_that_ends_inside_a_story_gives_its_beginning(tmp_path: Path) -> None:
    assert read(tmp_path, b"One.\n<|endoftext|>\nOnce upon a ti") == ["One.", "Once upon a ti"]
    assert read(tmp_path, b"One.\n<|endoftext|>\nOnce.\n<|endofte") == \
        ["One.", "Once.\n<|endofte"]


def test_a_file_that_ends_inside_a_character(tmp_path: Path) -> None:
    raw = "One.\n<|endoftext|>\nÇa va € ".encode()[:-2]
    with pytest.raises(ValueError, match=f"at byte {len(raw) - 2}: it ends inside a character"):
        read(tmp_path, raw)
    assert read(tmp_path, raw, "replace") == ["One.", "Ça va \ufffd"]


def test_a_bad_byte_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"raw\.txt is not UTF-8 at byte 22: invalid start"):
        read(tmp_path, b"Long.<|endoftext|>ab\n\n\xff and more")


def test_the_real_format() -> None:
    folder = os.environ.get("SCRATCHLM_DATA")
    if not folder:
        pytest.skip("SCRATCHLM_DATA does not name the folder of test data")
    found = list(read_stories(Path(folder) / "tinystories_sample.txt"))
    assert len(found) == 5
    assert all(text[0].isupper() and text[-1] in ".!?\"”" for text in found)
    assert not any("<|" in text for text in found)
