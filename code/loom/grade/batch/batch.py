"""Grading a folder of submissions: side by side, and again from where it stopped.

Each job is a process of its own (``grader``) that judges one submission after
the other. The batch trusts it with nothing but its replies: one that ends, or
does not reply in time, is started again, and the submission goes on with the
next exercise.
"""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loom.errors import LoomError, Problem, fail
from loom.exercise.model import Exercise
from loom.grade.batch.results import Results
from loom.grade.batch.strangers import digest_of, read_plain, shown
from loom.grade.batch.submissions import File, Submission

START = 180.0  # seconds that a grader may take to say its first word on a busy machine
TRIES = 2  # of an exercise, before its answer is given up as one that ends the judge
MOST_REPLY = 64 << 20  # bytes of one verdict


@dataclass(frozen=True)
class Plan:
    """How a batch is graded.

    Attributes:
        folder: the submissions.
        bundle: the folder of the exercises.
        points: what each exercise is worth, by id.
        timeout: seconds for one exercise of one submission.
        bubblewrap: whether warm processes run inside it.
    """

    folder: Path
    exercises: tuple[Exercise, ...]
    bundle: Path
    seed: int
    timeout: float
    points: dict[str, float] = field(default_factory=dict)
    bubblewrap: bool = False
    jobs: int = 1

    @property
    def how(self) -> str:
        """What results depend on beside the submission and the seed."""
        digest = digest_of((self.bundle / "exercises.json").read_bytes())
        return f"{digest} {self.timeout:g} {_tool()}"


@dataclass
class Report:
    """What became of one submission: ``verdicts`` by exercise, as JSON has them."""

    submission: Submission
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    fresh: bool = True  # graded now, and not in an earlier run

    @property
    def earned(self) -> float:
        return float(sum(v.get("earned", 0) for v in self.verdicts.values()))


def grade(plan: Plan, submissions: Sequence[Submission], results: Results, *,
          again: bool = False, tell: Callable[[Report], None] = lambda report: None,
          ) -> list[Report]:
    """Grade submissions, and keep each result as soon as it is there.

    Args:
        plan: how.
        submissions: those with files; one without any has nothing to grade.
        results: where results are kept, and found again.
        again: whether to grade what has a result already.
        tell: called for each submission that is done, from one thread at a time.

    Returns:
        The reports, in the order of the submissions.

    Raises:
        LoomError: the judge cannot be started; a result cannot be written.
        KeyboardInterrupt: what was done until then is kept.
    """
    how, keys = plan.how, {}
    reports: dict[int, Report] = {}
    waiting: queue.SimpleQueue[tuple[int, Submission]] = queue.SimpleQueue()
    for number, submission in enumerate(submissions):
        keys[submission.student] = key = results.key(submission, plan.seed, how)
        kept = None if again else results.load(key)
        if kept is not None:
            report = Report(submission, kept["verdicts"], kept["notes"], kept["seconds"], False)
        elif not submission.files:
            report = Report(submission, notes=[*submission.notes, "nothing to grade"],
                            fresh=False)
        else:
            waiting.put((number, submission))
            continue
        reports[number] = report
        tell(report)
    crew = _Crew(plan, waiting, results, keys)
    for number, report in crew.work():
        reports[number] = report
        tell(report)
    results.finish(keys)
    return [reports[number] for number in range(len(submissions))]


class _Crew:
    """The jobs, side by side: a thread each, which drives a grader."""

    def __init__(self, plan: Plan, waiting: queue.SimpleQueue[tuple[int, Submission]],
                 results: Results, keys: dict[str, str]) -> None:
        self.plan, self.waiting, self.results, self.keys = plan, waiting, results, keys
        self.done: queue.SimpleQueue[tuple[int, Report] | BaseException | None] = \
            queue.SimpleQueue()
        self.stop = threading.Event()

    def work(self) -> Iterator[tuple[int, Report]]:
        """What is done, as it is done."""
        count = min(self.plan.jobs, self.waiting.qsize())
        threads = [threading.Thread(target=self._job, name=f"grader {n + 1}")
                   for n in range(count)]
        problem: BaseException | None = None
        for thread in threads:
            thread.start()
        try:
            while count:
                said = self.done.get()
                if said is None:
                    count -= 1
                elif isinstance(said, BaseException):
                    problem = problem or said
                    self.stop.set()
                else:
                    yield said
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        if problem is not None:
            raise problem

    def _job(self) -> None:
        grader: Grader | None = None
        try:
            grader = Grader(self.plan, self.stop)
            while not self.stop.is_set():
                try:
                    number, submission = self.waiting.get_nowait()
                except queue.Empty:
                    break
                report = grader.grade(submission)
                if self.stop.is_set():
                    break  # cut short: it is not a result
                self.results.store(self.keys[submission.student], {
                    "student": shown(submission.student), "verdicts": report.verdicts,
                    "notes": report.notes, "seconds": round(report.seconds, 3)})
                self.done.put((number, report))
        except BaseException as error:
            self.done.put(error)
        finally:
            if grader is not None:
                grader.close()
            self.done.put(None)


class Grader:
    """One process that judges, started again whenever it is gone."""

    def __init__(self, plan: Plan, stop: threading.Event) -> None:
        self.plan = plan
        self.stop = stop
        self.process: subprocess.Popen[bytes] | None = None
        self.log: Any = None
        self.buffer = b""
        self.desk = Path(tempfile.mkdtemp(prefix="loom-batch-"))

    def grade(self, submission: Submission) -> Report:
        """Judge all of a submission's exercises."""
        started = time.monotonic()
        report = Report(submission, notes=list(submission.notes))
        files = self._copies(submission.files, report)
        failures: dict[str, int] = {}
        if not files:
            return report
        while len(report.verdicts) < len(self.plan.exercises) and not self.stop.is_set():
            now, ended = self._run(files, report)
            if now is None and ended:
                now = next(e.id for e in self.plan.exercises if e.id not in report.verdicts)
            if now is None or self.stop.is_set():
                break
            failures[now] = failures.get(now, 0) + 1
            timed_out = ended.startswith("it took")
            if failures[now] >= TRIES or timed_out:
                report.verdicts[now] = self._lost(now, ended)
        report.seconds = time.monotonic() - started
        return report

    def close(self) -> None:
        """End the process, and what it has started."""
        self._end()
        shutil.rmtree(self.desk, ignore_errors=True)

    def _run(self, files: list[dict[str, str]], report: Report) -> tuple[str | None, str]:
        """Have the rest of a submission judged.

        Returns:
            The exercise at which it stopped and why; None if it is done.
        """
        order = {"files": files, "done": sorted(report.verdicts)}
        now: str | None = None
        try:
            fresh = self.process is None
            self._send(order)
            limit = START + self.plan.timeout if fresh else self.plan.timeout + 10
            while True:
                said = self._hear(limit)
                if "done" in said:
                    return None, ""
                if "fault" in said:
                    raise LoomError([Problem(None, str(text)) for text in said["fault"]])
                if "next" in said:
                    now, limit = str(said["next"]), self.plan.timeout
                else:
                    report.verdicts[str(said["exercise"])] = said["verdict"]
                    report.notes += map(str, said["notes"])
                    now, limit = None, 10.0
        except TimeoutError:
            self._end()
            return now, f"it took longer than {self.plan.timeout:g} s (--timeout)"
        except (OSError, ValueError, KeyError, TypeError) as error:
            said_last = self._last_words()
            if self.stop.is_set():
                return now, ""
            self._end()
            if now is None and not report.verdicts and said_last:
                raise fail(f"the judge does not start: {said_last}",
                           "run `loom doctor`, which says what is missing") from error
            return now, "the judge ended while it was judged" + (
                f": {said_last}" if said_last else "")

    def _send(self, order: dict[str, Any]) -> None:
        if self.process is None:
            self._start()
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def _start(self) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.buffer = b""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "loom.grade.batch.grader"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, cwd=self.desk, start_new_session=True)
        assert self.process.stdin is not None
        setup = {"bundle": str(self.plan.bundle.resolve()), "seed": self.plan.seed,
                 "bubblewrap": self.plan.bubblewrap}
        self.process.stdin.write(json.dumps(setup).encode() + b"\n")

    def _hear(self, limit: float) -> dict[str, Any]:
        """The next line of the process.

        Raises:
            TimeoutError: none came in time.
            OSError, ValueError: the process is gone, or talks nonsense.
        """
        assert self.process is not None and self.process.stdout is not None
        out, until = self.process.stdout.fileno(), time.monotonic() + limit
        while b"\n" not in self.buffer:
            if self.stop.is_set():
                raise ConnectionError("stopped")
            if time.monotonic() > until:
                raise TimeoutError
            if select.select([out], [], [], 0.1)[0]:
                part = os.read(out, 1 << 20)
                if not part or len(self.buffer) > MOST_REPLY:
                    raise ConnectionError("the process is gone")
                self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        said = json.loads(line)
        if not isinstance(said, dict):
            raise ValueError("not a reply")
        return said

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        try:
            process.wait(2 if not self.stop.is_set() else 0.5)  # its warm processes end with it
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]
        self.log.close()

    def _last_words(self) -> str:
        """The last line that the process wrote about itself."""
        with suppress(OSError, ValueError, AttributeError):
            self.log.seek(0, os.SEEK_END)
            self.log.seek(max(0, self.log.tell() - 4096))
            lines = self.log.read().decode(errors="replace").strip().splitlines()
            return shown(lines[-1][:300]) if lines else ""
        return ""

    def _copies(self, files: Sequence[File], report: Report) -> list[dict[str, str]]:
        """Copies of the files, which nobody can change any more while they are judged."""
        for old in self.desk.iterdir():
            old.unlink()
        made = []
        for number, file in enumerate(files):
            copy = self.desk / f"{number}{file.path.suffix.lower()}"
            try:
                content = read_plain(self.plan.folder, file.path)
                if digest_of(content) != file.digest:
                    raise OSError(0, "changed while submissions were graded: run again")
            except OSError as error:
                report.notes.append(f"{shown(str(file.path))} {error.strerror or error}")
                continue
            copy.write_bytes(content)
            made.append({"copy": str(copy), "path": shown(str(file.path))})
        return made

    def _lost(self, exercise: str, why: str) -> dict[str, Any]:
        """The verdict on an answer that could not be judged to its end."""
        return {"exercise": exercise, "seed": self.plan.seed, "state": "broken", "earned": 0,
                "points": self.plan.points.get(exercise, 0), "problem": [why], "cases": [],
                "output": ""}


def _tool() -> str:
    """What tells one version of the judge from another."""
    grade = Path(__file__).parents[1]
    return digest_of(b"".join(path.read_bytes() for path in sorted(grade.rglob("*.py"))))[:16]
