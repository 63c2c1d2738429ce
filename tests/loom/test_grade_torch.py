"""Answers that use torch: tensors, modules, gradients, training runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from loom.grade.judge import Verdict, judge
from loom.grade.warm import Warm


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _beside("exercises_made").made
TORCH = frozenset({"torch"})


@pytest.fixture(scope="module")
def check() -> Iterator[Any]:
    with Warm(TORCH) as warm:

        def run(answer: str, solution: str, cases: str, **how: Any) -> Verdict:
            exercise = made(solution, cases, libraries=TORCH)
            return judge(exercise, dedent(answer), seed=3, warm=warm, **how)

        yield run


def text(verdict: Verdict) -> str:
    return "\n".join([*verdict.problem, *(line for o in verdict.outcomes for line in o.lines)])


CROSS_ENTROPY = """
import torch


def loss(logits, targets):
    picked = logits.gather(-1, targets[:, None])[:, 0]
    return (logits.logsumexp(-1) - picked).mean()
"""
CROSS_ENTROPY_CASES = """
case("large", lambda r: [tensor(r.normal(size=(4, 7)) * 100), tensor(r.integers(0, 7, 4))], why="w")
case("half", lambda r: [tensor(r.normal(size=(4, 7)), "bfloat16"), tensor(r.integers(0, 7, 4))],
     why="w")
"""


def test_tensors_go_there_and_back(check: Any) -> None:
    assert check(CROSS_ENTROPY, CROSS_ENTROPY, CROSS_ENTROPY_CASES).state == "passed"
    found = text(check(CROSS_ENTROPY.replace(".mean()", ".mean().item()"), CROSS_ENTROPY,
                       CROSS_ENTROPY_CASES))
    assert "got a float, expected a torch tensor" in found
    assert "logits: tensor float64 (4, 7), values" in found
    found = text(check(CROSS_ENTROPY.replace(".mean()", ".mean().numpy()"), CROSS_ENTROPY,
                       CROSS_ENTROPY_CASES))
    assert "expected a torch tensor" in found
    found = text(check(CROSS_ENTROPY.replace(".mean()", ".mean().float()"), CROSS_ENTROPY,
                       CROSS_ENTROPY_CASES))
    assert "float32, expected float64" in found


MODULE = """
import torch
from torch import nn


class Gated(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gate = nn.Linear(d, 2 * d, bias=False)
        self.out = nn.Linear(2 * d, d, bias=False)

    def forward(self, x):
        return self.out(torch.nn.functional.silu(self.gate(x)))
"""
MODULE_CASES = '''
def outputs_and_gradients(answer, weights, x):
    """a module with our weights, forward and backward"""
    import torch
    module = answer.Gated(x.shape[-1]).double()
    module.load_state_dict(weights)
    x = x.clone().requires_grad_()
    out = module(x)
    out.square().sum().backward()
    return {"out": out, "x": x.grad, **{name: p.grad for name, p in module.named_parameters()}}

def weights(r, d):
    return {"gate.weight": tensor(r.normal(size=(2 * d, d))),
            "out.weight": tensor(r.normal(size=(d, 2 * d)))}

case("forward and backward", lambda r: [weights(r, 6), tensor(r.normal(size=(3, 6)))],
     drive=outputs_and_gradients, why="silu, not relu")
'''


def test_a_module_is_graded_by_outputs_and_gradients(check: Any) -> None:
    assert check(MODULE, MODULE, MODULE_CASES).state == "passed"
    found = text(check(MODULE.replace("silu", "relu"), MODULE, MODULE_CASES))
    assert "a module with our weights, forward and backward, with\nweights: dict of 2" in found
    assert "['out']: shape (3, 6) ✓  dtype float64 ✓  18 of 18 values differ" in found
    found = text(check(MODULE.replace("self.gate(x)))", "self.gate(x).detach()))"), MODULE,
                       MODULE_CASES))
    assert "['x']: got None" in found or "['gate.weight']: got None" in found
    found = text(check(MODULE.replace("self.gate", "self.gates"), MODULE, MODULE_CASES))
    assert "RuntimeError" in found and "gate.weight" in found


TRAINING = """
import torch


def train(x, y, steps, rate):
    w = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = (x @ w - y).square().mean()
        loss.backward()
        with torch.no_grad():
            w -= rate * w.grad
        w.grad = None
        losses.append(loss.item())
    return w, losses
"""
TRAINING_CASES = """
def run(answer, x, y):
    w, losses = answer.train(x, y, steps=20, rate=0.1)
    return {"losses": list(losses), "weights": w.detach()}

def data(r):
    x = r.normal(size=(30, 3))
    return [tensor(x), tensor(x @ r.normal(size=3))]

case("twenty steps", data, drive=run, why="the gradients add up until they are cleared")
"""


def test_a_training_run_is_graded_by_its_losses_and_weights(check: Any) -> None:
    assert check(TRAINING, TRAINING, TRAINING_CASES).state == "passed"
    found = text(check(TRAINING.replace("        w.grad = None\n", ""), TRAINING, TRAINING_CASES))
    assert "['losses'][2]: got " in found
    lies = TRAINING.replace("return w, losses", "return w, sorted(losses)")
    assert check(lies, TRAINING, TRAINING_CASES).earned == 0


def test_random_numbers_start_alike(check: Any) -> None:
    solution = """
    import random

    import numpy as np
    import torch


    def draw(n):
        return [torch.rand(n), np.random.rand(n), random.random()]
    """
    solution = dedent(solution)
    cases = 'case("a", lambda r: each([3], [4]), why="w")'
    assert check(solution, solution, cases).state == "passed"


def test_a_parallel_computation_and_a_backward_pass_end(check: Any) -> None:
    solution = """
    import torch


    def big(n):
        a = torch.ones(n, n, requires_grad=True)
        (a @ a).sum().backward()
        return a.grad
    """
    solution = dedent(solution)
    threaded = solution.replace("    a =", "    torch.set_num_threads(2)\n    a =")
    cases = 'case("a", lambda r: [300], why="w")'
    assert check(threaded, solution, cases).state == "passed"


@pytest.mark.parametrize("body", [
    "return torch.ones(3).to_sparse()", "return torch.nn.Linear(2, 2)",
    "return torch.ones(3, device='meta')"])
def test_other_kinds_of_tensors_are_refused(check: Any, body: str) -> None:
    solution = "import torch\ndef f(): return torch.ones(3)\n"
    verdict = check(f"import torch\ndef f(): {body}\n", solution,
                    'case("a", lambda r: [], why="w")')
    assert verdict.earned == 0 and "does not accept" in text(verdict)


def test_memory_is_capped_with_torch_too(check: Any) -> None:
    solution = "import torch\ndef f(): return torch.ones(3)\n"
    verdict = check("import torch\ndef f(): return torch.ones(1 << 30)[:3]\n", solution,
                    'case("a", lambda r: [], why="w")')
    assert verdict.earned == 0 and "memory" in text(verdict)
