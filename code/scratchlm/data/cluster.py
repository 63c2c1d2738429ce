"""More text than memory."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from scratchlm.data.pipeline import R, T, n_workers, process, unsaved


# § sec-many-cluster
def _read(work: Path, row: dict[str, Any]) -> Iterator[dict[str, bytes]]:
    for task in unsaved(work, row["file"], Path(row["path"])):
        yield {"task": pickle.dumps(task)}


def _call(function: Callable[[Any], Any], row: dict[str, bytes]
          ) -> dict[str, bytes]:
    try:
        found = function(pickle.loads(row["task"])), ""
    except Exception as error:  # a sentence, not four pages of Ray's
        found = None, f"{type(error).__name__}: {error}"
    return {"found": pickle.dumps(found)}


class RayData:
    """Tasks as rows of Ray Data's data sets."""

    def __init__(self, data: Any) -> None:
        self.data = data  # a module

    def each(self, function: Callable[[T], R], items: Iterable[T]
             ) -> Iterator[R]:
        """What the function gives for every item, in any order."""
        rows = [{"task": pickle.dumps(item)} for item in items]
        if rows:
            yield from self._results(function, self._rows(rows))

    def process(self, work: Path, inputs: Sequence[Path]) -> Iterator[None]:
        """A task reads each file; blocks of batches flow to others."""
        rows = [{"file": i, "path": str(p)} for i, p in enumerate(inputs)]
        read = self._rows(rows).flat_map(partial(_read, work), num_cpus=0.5)
        yield from self._results(partial(process, work), read)

    def _rows(self, rows: list[dict[str, Any]]) -> Any:
        return self.data.from_items(rows, override_num_blocks=len(rows))

    def _results(self, function: Callable[..., R], rows: Any
                 ) -> Iterator[R]:
        done = rows.map(partial(_call, function), num_cpus=1)
        for row in done.iter_rows():
            found, trouble = pickle.loads(row["found"])
            if trouble:
                raise RuntimeError(trouble)
            yield found


@contextmanager
def on_ray(workers: int | None = None) -> Iterator[RayData]:
    """The engine for many machines, all of which see the run's folder.

    Joins the Ray of this process, or the cluster of RAY_ADDRESS; else it
    starts one here, with so many workers, and ends it.

    Raises:
        RuntimeError: Ray is missing, or a task failed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
        data = importlib.import_module("ray.data")
    except ImportError as error:
        raise RuntimeError("Ray is missing: every-line-runs[cluster] "
                           "brings it") from error
    if ours := not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else {
            "num_cpus": n_workers(workers), "include_dashboard": False}
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **own)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1 << 23  # bytes
    try:
        yield RayData(data)
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"Ray: {error}") from error
    finally:
        if ours:
            ray.shutdown()
