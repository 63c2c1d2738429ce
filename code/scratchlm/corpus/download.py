"""A real corpus."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import sys
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError

import filelock

from scratchlm.corpus.files import Tell, progress_bar


# § sec-tinystories
@dataclass(frozen=True)
class Remote:
    """A file on a server, and how to know it when it has arrived."""

    url: str
    size: int  # bytes
    sha256: str  # in hexadecimal


def cache_folder() -> Path:
    """Where downloads live: SCRATCHLM_CACHE, or the system's place."""
    if said := os.environ.get("SCRATCHLM_CACHE"):
        return Path(said).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "scratchlm"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "scratchlm"


class DownloadError(OSError):
    """A file that could not be had: why, and what to do about it."""


def check_answer(answer: HTTPResponse, remote: Remote, have: int) -> int:
    """What an answer claims to be, before a byte of it is believed.

    Args:
        answer: status and headers of a GET, with a Range if ``have`` > 0.
        remote: the file that we want.
        have: bytes of it that we have.

    Returns:
        The position in the file at which the body starts: ``have``, or 0
        if the server knows no ranges (RFC 9110, section 14).

    Raises:
        DownloadError: it is a page of HTML, or a file of another size.
    """
    if answer.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{remote.url} answers with a web page: a proxy's, or the "
            "login page of this network? Open the address in a browser")
    start, size = 0, answer.headers.get("Content-Length")
    if answer.status == 206:
        said = answer.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", said)
        if found is None or int(found[1]) != have:
            raise DownloadError(f"asked {remote.url} for the bytes from "
                                f"{have} on, and it sends {said!r}")
        start, size = have, found[2]
    if size not in (None, "*", str(remote.size)):
        raise DownloadError(f"{remote.url} has {size} bytes, the file we "
                            f"want has {remote.size}: it is another file")
    return start


def receive(remote: Remote, part: Path, tell: Tell,
            timeout: float = 30.0) -> None:
    """One connection: append what comes to ``part``, until it ends.

    A server that sends less than the file ends it quietly: look at the
    size of ``part``.

    Args:
        remote: the file.
        part: where its first bytes are, and the next ones go.
        tell: is called with the bytes that are there.
        timeout: seconds of silence after which the line counts as dead.

    Raises:
        DownloadError: what comes is not the file.
        OSError, http.client.HTTPException: the connection failed.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "scratchlm", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(remote.url, headers=headers)
    local = request.host.startswith(("127.0.0.1", "localhost"))
    proxies = urllib.request.ProxyHandler({} if local else None)
    opener = urllib.request.build_opener(proxies)
    with opener.open(request, timeout=timeout) as answer:
        done = check_answer(answer, remote, have)
        with part.open("ab" if done else "wb") as file:
            while done < remote.size and (block := answer.read1(1 << 16)):
                file.write(block[:remote.size - done])
                done += len(block)
                tell(done)


def persist(remote: Remote, part: Path, tries: int, wait: float) -> None:
    """Connect again and again, until ``part`` is as long as the file.

    Args:
        remote: the file.
        part: its beginning, kept between connections and between runs.
        tries: connections in a row that may bring less than a megabyte.
        wait: seconds before the next one; doubled after each failure.

    Raises:
        DownloadError: no connection, a refusal, or ``tries`` failures.
    """
    failures, had = 0, part.stat().st_size if part.exists() else 0
    with progress_bar(part.stem, remote.size, "bytes") as tell:
        while had < remote.size:
            why = "the connection closed early"
            try:
                receive(remote, part, tell)
            except HTTPError as error:
                why = f"HTTP {error.code} {error.reason}"
                if error.code < 500 and error.code not in (408, 429):
                    raise DownloadError(f"{remote.url}: {why}") from error
            except (URLError, HTTPException, ConnectionError, TimeoutError,
                    ssl.SSLError) as error:
                why = str(getattr(error, "reason", error)) or repr(error)
            now = part.stat().st_size if part.exists() else 0
            failures = 0 if now - had > 1e6 else failures + 1
            if now < remote.size and failures >= tries:
                raise DownloadError(
                    f"{remote.url}: {why}; {now} of {remote.size} bytes "
                    f"are in {part}, and the next call goes on from there")
            if now < remote.size:
                time.sleep(wait * 2 ** failures)
            had = now


def fetch(remote: Remote, folder: Path | None = None, *, tries: int = 4,
          wait: float = 0.5) -> Path:
    """The path of a file on this machine, downloaded if it is not there.

    What has its final name has been checked. Until then it is ``*.part``,
    which the next call continues; a file that came by other means, put
    there under that name, is checked like a download.

    Args:
        remote: the file.
        folder: where it belongs; the cache if None.
        tries, wait: see ``persist``.

    Raises:
        DownloadError: it cannot be had, or is not what it should be.
    """
    folder = folder or cache_folder() / "corpora"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / remote.url.rpartition("/")[2]
    part = path.with_name(f"{path.name}.part")
    try:
        with filelock.FileLock(f"{path}.lock", timeout=0):
            if not path.exists():
                make_room(remote, part)
                persist(remote, part, tries, wait)
                verify(remote, part)
                os.replace(part, path)
    except filelock.Timeout:
        raise DownloadError(f"another process is fetching {path}") from None
    if path.stat().st_size != remote.size:
        raise DownloadError(f"{path} has changed since it was checked: "
                            "remove it")
    return path


def make_room(remote: Remote, part: Path) -> None:
    """Check, before anything is sent, that the file will fit.

    Raises:
        DownloadError: the disk has less room than the file still needs.
    """
    had = part.stat().st_size if part.exists() else 0
    need, free = remote.size - had, shutil.disk_usage(part.parent).free
    if need > free:
        raise DownloadError(
            f"{part.parent} has room for {free / 1e6:.0f} MB, and "
            f"{need / 1e6:.0f} MB are to come; set SCRATCHLM_CACHE to a "
            "folder on a larger disk")


def verify(remote: Remote, part: Path) -> None:
    """Compare a file with the size and the hash that it must have.

    Raises:
        DownloadError: it is another file; it has been removed.
    """
    size = part.stat().st_size
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if size != remote.size or found != remote.sha256:
        part.unlink()
        raise DownloadError(
            f"{remote.url}: what came has {size} bytes and sha256 {found}, "
            f"the file has {remote.size} and {remote.sha256}. It has been "
            "removed: try again, or find out who answers")
