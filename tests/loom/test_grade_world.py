"""Where answers run: what they see, what they may take, what is left of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loom.grade.judge import Verdict, judge
from loom.grade.sandbox import Sandbox, sandbox_available
from loom.grade.warm import KEPT, Warm
from loom.grade.watch import below
from loom.grade.worker.filter import MACHINES, PRETENDED, REFUSED, program


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _beside("exercises_made").made
WAYS = ["own", "bare", "bubblewrap"]


class Bare(Warm):
    """As on a system without namespaces."""

    namespaces = False


@pytest.fixture(scope="module", params=WAYS)
def warm(request: pytest.FixtureRequest) -> Iterator[Warm]:
    if request.param == "bare":
        made_warm: Warm = Bare()
    elif request.param == "own":
        made_warm = Warm()
    elif not Sandbox().program:
        pytest.skip("there is no bubblewrap")
    else:
        made_warm = Warm(sandbox=Sandbox())
    with made_warm as process:
        process.ready()
        if request.param == "own" and not process.caged:
            pytest.skip(f"no namespaces: {process.lacks}")
        yield process


@pytest.fixture
def apart(warm: Warm) -> bool:
    """Whether the warm process's workers have a world of their own."""
    return warm.caged or warm.sandbox is not None


def run(warm: Warm, body: str, *, seconds: float = 5, megabytes: int = 256,
        packages: Path | None = None) -> tuple[Any, Verdict]:
    """Run a body of code as an answer; what it returned (as text, through what it prints)."""
    answer = "def f():\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"
    case = f'case("a", lambda r: [], why="w", seconds={seconds}, megabytes={megabytes})'
    verdict = judge(made("def f():\n    return 'right'", case, packages=packages), answer,
                    warm=warm, seed=1)
    lines = verdict.outcomes[0].lines
    got = next((line.split("got ", 1)[1].split(", expected 'right'")[0] for line in lines
                if ", expected 'right'" in line), None)
    return got, verdict


def said(verdict: Verdict) -> str:
    return "\n".join([*verdict.problem, *(line for o in verdict.outcomes for line in o.lines)])


def test_files(warm: Warm, apart: bool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    seen = f"import os; return str(os.path.exists({str(secret)!r}))"
    assert run(warm, seen)[0] == repr(str(not apart))
    assert run(warm, "import os; return str(os.listdir('.'))")[0] == "'[]'"
    assert run(warm, "open('a', 'w').write('x'); return open('a').read()")[0] == "'x'"
    assert run(warm, "import os; return str(os.listdir('.'))")[0] == "'[]'"
    if apart:
        for path in ("/usr/written", "/written", f"{os.path.dirname(os.__file__)}/written.py"):
            assert "Error" in said(run(warm, f"open({path!r}, 'w')")[1])
        home = "import os; return str([os.path.exists(p) for p in ('/home', '/etc/passwd')])"
        assert run(warm, home)[0] == "'[False, False]'"


def test_environment(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s")
    with Warm(sandbox=warm.sandbox) as fresh:
        _, verdict = run(fresh, "import os, sys; print(*os.environ); print(sys.argv, sys.path)")
    names, rest = verdict.output.splitlines()
    assert set(names.split()) <= {
        "HOME", "LC_ALL", "MALLOC_MMAP_THRESHOLD_", "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PWD",
        "PYTHONHASHSEED", "TMPDIR",
        "VECLIB_MAXIMUM_THREADS", "LD_LIBRARY_PATH"}
    assert "code" not in rest and "''" not in rest


def test_network(warm: Warm, apart: bool) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        got, verdict = run(warm, f"import socket\nwhere = '127.0.0.1', {port}\n"
                                 "socket.create_connection(where, 2)\nreturn 'out'")
    if apart:
        assert "Error" in said(verdict) and got is None


def test_processes(warm: Warm, apart: bool) -> None:
    got, _ = run(warm, "import os; return str(sum(map(str.isdigit, os.listdir('/proc'))))")
    if apart:
        assert got is None or int(got.strip("'")) <= 3


def left(mark: str) -> list[str]:
    """The processes that carry a mark in their command line or name."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and mark.encode() in Path(f"/proc/{name}/comm").read_bytes():
                found.append(name)
        except OSError:
            pass
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("ending", ["return 1", "os._exit(0)", "while True: pass",
                                    "os.kill(os.getpid(), 9)"])
def test_no_descendant_is_left(warm: Warm, ending: str) -> None:
    mark = f"stray{os.getpid() % 10000}"
    _, verdict = run(warm, f"""
        import ctypes, os, signal, time
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for n in range(1, 65):
                        try: signal.signal(n, signal.SIG_IGN)
                        except (OSError, ValueError): pass
                    ctypes.CDLL(None).prctl(15, b"{mark}", 0, 0, 0)
                    time.sleep(600)
                os._exit(0)
        time.sleep(0.2)
        {ending}
        """, seconds=2)
    assert verdict.earned == 0 and left(mark) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_forks_and_threads_without_end_are_stopped(warm: Warm) -> None:
    for body in ("import os\nfor _ in range(200):\n    if os.fork() == 0:\n        import time\n"
                 "        time.sleep(60)\nimport time\ntime.sleep(60)",
                 "import threading, time\nfor _ in range(2000):\n"
                 "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                 "time.sleep(60)"):
        _, verdict = run(warm, body, seconds=20)
        assert verdict.seconds < 15
        assert "too many processes or threads" in said(verdict) or "Error" in said(verdict)


def test_memory_disk_and_open_files_are_limited(warm: Warm) -> None:
    _, verdict = run(warm, "a = []\nwhile True: a.append(bytearray(1 << 20))", megabytes=64)
    assert "memory" in said(verdict)
    _, verdict = run(warm, "import os\nfor _ in range(6):\n    if os.fork() == 0: break\n"
                           "a = bytearray(b'x') * (40 << 20)\nimport time; time.sleep(60)",
                     megabytes=64, seconds=20)
    assert "more than 64 MB of memory" in said(verdict) and verdict.seconds < 15
    _, verdict = run(warm, "n = 0\nwhile True:\n    n += 1\n    open(f'{n}', 'wb')"
                           ".write(bytes(8 << 20))", seconds=20)
    assert "OSError" in said(verdict) or "files" in said(verdict)
    _, verdict = run(warm, "for n in range(20000): open(f'{n}', 'w').close()")
    assert not warm.caged or "OSError" in said(verdict)
    _, verdict = run(warm, "return [open('a', 'w') for _ in range(5000)]")
    assert "OSError" in said(verdict)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_rights_are_gone(warm: Warm, apart: bool) -> None:
    if not apart or not os.path.exists("/proc/self/status"):
        pytest.skip("no world of its own")
    body = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    tried = [libc.unshare(0x10000000), libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
             libc.umount2(b"/proc", 2), libc.unshare(0x20000), libc.sethostname(b"x", 1),
             libc.chroot(b"/tmp")]
    return str(tried)
    """
    assert run(warm, body)[0] == repr(str([-1] * 6))


@pytest.mark.skipif(not program(), reason="this machine's calls are not known")
def test_calls_that_no_answer_needs_are_refused(warm: Warm) -> None:
    body = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    tried = [libc.shmget(0, 4096, 0o1600), libc.memfd_create(b"x", 0), libc.ptrace(0, 0, 0, 0),
             libc.msgget(0, 0o1600), libc.syscall(0x40000000 + 1, 1, 1)]
    return str(tried)
    """
    assert run(warm, body)[0] == repr(str([-1] * 5))


@pytest.mark.skipif(not program(), reason="this machine's calls are not known")
def test_a_file_keeps_its_mode_its_times_and_its_owner(warm: Warm) -> None:
    """Whoever owns the Python that runs here could change it by its name in /proc."""
    body = """
    import os, shutil
    open("mine", "w").close()
    shutil.copy2("mine", "copy")  # nobody is troubled who only copies
    shutil.copystat("mine", "copy")
    for name in filter(os.path.exists, ("mine", "/proc/self/exe", os.sys.executable)):
        before = os.stat(name)
        os.chmod(name, 0o4777)
        os.utime(name, (1, 1))
        os.chown(name, 0, 0)
        fd = os.open(name, os.O_RDONLY)
        os.fchmod(fd, 0)
        os.utime(fd, (2, 2))
        os.fchown(fd, 1, 1)
        after = os.stat(name)
        for field in ("st_mode", "st_mtime_ns", "st_uid", "st_gid"):
            assert getattr(before, field) == getattr(after, field), (name, field)
        try:
            os.setxattr(fd, "user.word", b"x")
        except OSError:
            continue
        return name + " has a new attribute"
    return "as they were"
    """
    value, reply = run(warm, body)
    assert value == "'as they were'", reply


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_the_filter_refuses_these_calls_and_no_other(machine: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: type("Name", (), {"machine": machine}))
    monkeypatch.setattr(sys, "platform", "linux")
    code = list(struct.iter_unpack("HBBI", program()))
    column, architecture = MACHINES[machine]
    refused = {pair[column] for pair in REFUSED.values()}
    pretended = {pair[column] for pair in PRETENDED.values()}
    assert not refused & pretended

    def answer(number: int, of: int, first: int = 17) -> int:
        at, held = 0, 0
        while True:
            kind, true, false, value = code[at]
            if kind == 0x06:
                return int(value)
            at += 1
            if kind == 0x20:
                held = {0: number, 4: of, 16: first}[value]
            else:
                holds = {0x15: held == value, 0x35: held >= value, 0x45: held & value}[kind]
                at += true if holds else false

    clone = {"x86_64": 56, "aarch64": 220}[machine]
    for number in range(600):
        if number != 435:  # clone3, for which the C library has another way
            assert (answer(number, architecture) == 0x00050001) is (number in refused)
            assert (answer(number, architecture) == 0x00050000) is (number in pretended)
            assert answer(number, architecture) in (0x00050000, 0x00050001, 0x7FFF0000)
        assert answer(number, architecture ^ 1) == 0x00050026
    assert answer(435, architecture) == answer(0x40000000 + 1, architecture) == 0x00050026
    assert answer(clone, architecture, 0x01200011) == 0x7FFF0000  # a fork
    assert answer(clone, architecture, 0x003D0F00) == 0x7FFF0000  # a thread
    for flag in (0x00008000, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000,
                 0x20000000, 0x40000000):
        assert answer(clone, architecture, flag | 17) == 0x00050001


def test_only_what_an_exercise_names_can_be_imported(warm: Warm, tmp_path: Path) -> None:
    for name in ("loom", "scratchlm", "loom.grade.worker.wire"):
        assert "ModuleNotFoundError" in said(run(warm, f"import {name}")[1])
    (tmp_path / "scratchlm").mkdir()
    (tmp_path / "scratchlm" / "__init__.py").write_text("word = 'seen'\n")
    body = "import scratchlm; return scratchlm.word"
    assert run(warm, body, packages=tmp_path)[0] == "'seen'"
    assert "ModuleNotFoundError" in said(run(warm, body)[1])


def test_a_file_beside_never_takes_the_place_of_a_library(warm: Warm, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("numpy.py", "random.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise SystemExit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Warm() as fresh:
        assert run(fresh, "import numpy, random; return str(numpy.__name__)")[0] == "'numpy'"


def test_reading_stops_at_its_end(warm: Warm) -> None:
    assert run(warm, "import sys; return sys.stdin.read()")[0] == "''"


def test_it_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    program = "import os, time\nfrom loom.grade.warm import Warm\nw = Warm(); w.ready()\n" \
        "h = w.worker()\nprint(w._where, w._process.pid, *h._watch.processes, flush=True)\n" \
        "time.sleep(600)\n"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    where, *processes = child.stdout.readline().split()
    child.kill()
    child.wait()
    child.stdout.close()
    until = time.monotonic() + 10
    left = [where, *(f"/proc/{process}" for process in processes)]
    while any(map(os.path.exists, left)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(map(os.path.exists, left)) and len(processes) >= 2


@pytest.mark.parametrize("end", ["kill", "terminate", "wait"])
def test_no_folder_is_left_whenever_its_maker_ends(tmp_path: Path, end: str) -> None:
    """While it starts, and while the world for the next worker is furnished."""
    for part in range(8):
        work = "w.ready" if part % 2 else "w.worker"
        program = f"import threading, time\nfrom loom.grade.warm import Warm\nw = Warm()\n" \
            f"thread = threading.Thread(target={work}, daemon=True)\nthread.start()\n" \
            "while w._process is None: time.sleep(0.001)\n" \
            "print('here', flush=True)  # before, nobody else knew of the folder\n" \
            f"{'thread.join()' if end == 'wait' else 'time.sleep(600)'}\n"
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                                 env={**os.environ, "TMPDIR": str(tmp_path)})
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        if end != "wait":
            time.sleep(0.06 * part)
            getattr(child, end)()
        child.wait()
        child.stdout.close()
    until = time.monotonic() + 20
    while any(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [*tmp_path.rglob("*")]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_nothing_outlives_a_warm_process_that_is_killed(warm: Warm) -> None:
    with Warm(sandbox=warm.sandbox) as fresh:
        hand = fresh.worker()
        assert fresh._process is not None
        found = below(fresh._process.pid)
        assert set(hand._watch.processes) < set(found)
        fresh._process.kill()
        until = time.monotonic() + 10
        while any(map(_lives, found)) and time.monotonic() < until:
            time.sleep(0.02)
        assert not any(map(_lives, found[1:]))
        hand.close()


def _lives(process: int) -> bool:
    """Whether there is a process that has not ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def test_a_warm_process_that_died_is_started_again() -> None:
    with Warm() as fresh:
        assert run(fresh, "return 'right'")[1].state == "passed"
        assert fresh._process is not None
        fresh._process.kill()
        assert run(fresh, "return 'right'")[1].state == "passed"


def test_threads_share_a_warm_process(warm: Warm) -> None:
    if warm.sandbox is not None:
        pytest.skip("one submission at a time")
    found: list[str] = []

    def one() -> None:
        found.append(run(warm, "return 'right'")[1].state)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["passed"] * 6


def test_descriptors_and_folders_are_given_back(warm: Warm) -> None:
    run(warm, "return 1")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(5):
        run(warm, "import os; os._exit(0)")
    after = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    assert after == before and len(os.listdir(warm._where)) <= KEPT  # the references' own


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_warm_process_does_not_grow(warm: Warm) -> None:
    def taken() -> tuple[int, int]:
        assert warm._process is not None
        every = below(warm._process.pid)
        files = 0
        for one in every:
            with suppress(PermissionError):  # a world's first process keeps its files to itself
                files += len(os.listdir(f"/proc/{one}/fd"))
        return len(every), files

    warm.worker().close()
    time.sleep(0.5)
    before = taken()
    for _ in range(5):
        warm.worker().close()
    until = time.monotonic() + 10
    while taken() > before and time.monotonic() < until:  # the next world may be on its way
        time.sleep(0.02)
    assert taken() <= before


SIBLING = """
    import ctypes, os, time
    for _ in range(4):  # children of this process's parent, if the system grants it
        if ctypes.CDLL(None).syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine],
                                     0x8000 | 17, 0, 0, 0, 0) == 0:
            time.sleep(60)
            os._exit(0)
    return "right"
"""


@pytest.mark.skipif(not program(), reason="this machine's calls are not known")
def test_children_of_the_parent_are_refused(warm: Warm) -> None:
    started = time.monotonic()
    assert run(warm, SIBLING)[1].state == "passed"
    assert run(warm, "return 'right'")[1].state == "passed"
    assert time.monotonic() - started < 5


def test_a_world_ends_though_a_stranger_in_it_is_our_own_child() -> None:
    program = textwrap.dedent("""
        import json, os, signal, sys, time
        from loom.grade.worker import cage, world
        if not cage.LINUX:
            sys.exit(3)
        try:
            cage.gain_rights()
            builder = world.Builder(cage, sys.argv[1], sys.argv[2:])
            one = builder.take()
        except OSError as error:
            sys.exit(3)
        found = [one.fork(lambda: time.sleep(60)) for _ in range(3)]
        started = time.monotonic()
        one.end(lambda: cage.end_strays([builder.process]))
        assert time.monotonic() - started < 2
        for process in found:
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                continue
            sys.exit(1)
        builder.close()
        print("ended")
        """)
    with tempfile.TemporaryDirectory() as where:
        done = subprocess.run([sys.executable, "-c", program, where, sys.base_prefix],
                              capture_output=True, text=True, timeout=60)
    if done.returncode == 3:
        pytest.skip("no namespaces")
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_threads_that_come_and_go_cost_the_judge_nothing(warm: Warm) -> None:
    hand = warm.worker()
    before = len(os.listdir("/proc/self/fd"))
    source = "import threading\n\ndef f():\n" + textwrap.indent(textwrap.dedent("""
        import time
        threading.stack_size(65536)
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            some = [threading.Thread(target=time.sleep, args=(0.04,)) for _ in range(50)]
            for one in some: one.start()
            for one in some: one.join()
        return 1
        """), "    ")
    hand.ask({"op": "load", "source": source, "file": "a.py", "seed": 0}, 5.0, 256)
    reply = hand.ask({"op": "call", "call": "f", "drive": None, "args": [], "kwargs": {},
                      "seed": 0}, 5.0, 256)
    after = len(os.listdir("/proc/self/fd"))
    hand.close()
    assert reply.message is not None and reply.message["value"] == 1
    assert after <= before + 4


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_counts_where_the_first_thread_has_ended(warm: Warm) -> None:
    _, verdict = run(warm, """
        import ctypes, os, threading, time
        def hold():
            kept = bytearray(b"x") * (150 << 20)
            time.sleep(3)
            os._exit(len(kept) % 2)
        for _ in range(3):
            if os.fork() == 0:
                import resource
                most = resource.getrlimit(resource.RLIMIT_DATA)[1]
                resource.setrlimit(resource.RLIMIT_DATA, (most, most))
                threading.Thread(target=hold).start()
                ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
        time.sleep(2)
        return "right"
        """, megabytes=64)
    assert verdict.state == "failed" and "64 MB" in said(verdict), said(verdict)


def _warm_and_builder(sandbox: Sandbox | None) -> tuple[Warm, int]:
    """A warm process with worlds, and the process that makes them."""
    fresh = Warm(sandbox=sandbox)
    fresh.start()
    fresh.ready()
    if not fresh.caged:
        fresh.close()
        pytest.skip("no worlds")
    assert fresh._process is not None
    hand = fresh.worker()
    server = int(Path(f"/proc/{hand._watch.processes[-1]}/stat").read_text()
                 .rpartition(")")[2].split()[1])
    first = int(Path(f"/proc/{hand._watch.processes[0]}/stat").read_text()
                .rpartition(")")[2].split()[1])
    hand.close()
    assert server != first
    return fresh, first


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_builder_that_died_is_started_again_with_all_else() -> None:
    fresh, builder = _warm_and_builder(None)
    with fresh:
        os.kill(builder, signal.SIGKILL)
        run(fresh, "return 'right'")  # this one may be lost
        for _ in range(3):
            assert run(fresh, "return 'right'")[1].state == "passed"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_next_world_is_taken_only_if_it_is_as_it_should_be(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "scratchlm"

    def make(word: str) -> None:
        shutil.rmtree(tmp_path / "packages", ignore_errors=True)
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"word = {word!r}\n")

    fresh, builder = _warm_and_builder(None)
    body = "import scratchlm; return scratchlm.word"
    with fresh:
        for word in ("one", "two", "three"):  # another folder at the same path
            make(word)
            assert run(fresh, body, packages=tmp_path / "packages")[0] == repr(word)
        time.sleep(0.3)
        for one in below(builder)[1:]:  # the worlds that wait
            os.kill(one, signal.SIGKILL)
        time.sleep(0.3)
        assert run(fresh, body, packages=tmp_path / "packages")[0] == "'three'"


def test_what_is_protected_is_said_in_words() -> None:
    protection = sandbox_available()
    assert protection.sentences and protection.apart == any(
        "no answer reaches the network" in sentence for sentence in protection.sentences)
