"""What all tests of the package share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch

# A suite that was started in the background has learned to ignore Control-C; its
# children would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny tensors: PyTorch's threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
