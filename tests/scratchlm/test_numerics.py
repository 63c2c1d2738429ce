"""Chapter 1 against oracles its author did not write.

PyTorch, NumPy, ``math.fsum``, exact fractions, mpmath at fifty digits, and
the definitions executed slowly.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from scratchlm.numerics import (
    FloatSpec,
    OnlineLogSumExp,
    TextScore,
    bits_per_byte,
    broadcast_shapes,
    cross_entropy,
    entropy,
    float_spec,
    kahan_sum,
    kl_divergence,
    log_softmax,
    logsumexp,
    perplexity,
    round_to_bf16,
    seed_everything,
    sliding_windows,
    softmax,
    strides_of,
    token_nll,
)

INF = math.inf
FORMATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e5m2]
HALVES = [torch.bfloat16, torch.float16]

PATIENT = settings(deadline=None)  # a busy machine proves nothing

rows = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40)
small_shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def exact_logsumexp(row: list[float]) -> float:
    with mpmath.workdps(50):
        return float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in row)))


def exact_log_prob(row: list[float], k: int) -> float:
    with mpmath.workdps(50):
        total = mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in row)
        return float(mpmath.mpf(row[k]) - mpmath.log(total))


# Formats --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_formats_are_those_of_finfo(dtype: torch.dtype) -> None:
    spec, truth = float_spec(dtype), torch.finfo(dtype)
    assert (spec.bits, spec.eps, spec.max, spec.tiny) == (
        truth.bits, truth.eps, truth.max, truth.tiny)
    assert truth.min == -spec.max


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_smallest_number_is_the_last_before_zero(dtype: torch.dtype) -> None:
    smallest = float_spec(dtype).smallest
    assert torch.tensor(smallest, dtype=torch.float64).to(dtype).double().item() == smallest
    half = torch.tensor(smallest, dtype=torch.float64) / 2
    assert half.to(dtype).double().item() == 0  # a tie, and zero is even


def test_fields_of_the_format_named_in_numpy() -> None:
    for dtype, name in ((torch.float64, np.float64), (torch.float32, np.float32),
                        (torch.float16, np.float16)):
        truth = np.finfo(name)
        assert float_spec(dtype) == FloatSpec(exponent=truth.iexp, mantissa=truth.nmant)
        assert float_spec(dtype).smallest == float(truth.smallest_subnormal)
        assert float_spec(dtype).bias == truth.maxexp - 1


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64,
                                   torch.float8_e4m3fn], ids=str)
def test_a_dtype_of_another_layout_is_refused_by_name(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=str(dtype).replace(".", r"\.")):
        float_spec(dtype)


# Rounding to bfloat16 -------------------------------------------------------


def assert_rounds_like_torch(x: np.ndarray) -> None:
    ours = round_to_bf16(x)
    theirs = torch.from_numpy(x).to(torch.bfloat16).float().numpy()
    nan = np.isnan(x)
    np.testing.assert_array_equal(np.isnan(ours), nan)
    np.testing.assert_array_equal(ours.view(np.uint32)[~nan], theirs.view(np.uint32)[~nan])


def test_bf16_on_every_upper_half() -> None:
    upper = np.arange(2**16, dtype=np.uint32)[:, None] << 16
    lower = np.array([0, 1, 2, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF], dtype=np.uint32)
    assert_rounds_like_torch((upper | lower).view(np.float32))


def test_bf16_keeps_every_bf16_as_it_is() -> None:
    x = (np.arange(2**16, dtype=np.uint32) << 16).view(np.float32)
    kept = round_to_bf16(x)
    finite = ~np.isnan(x)
    np.testing.assert_array_equal(kept.view(np.uint32)[finite], x.view(np.uint32)[finite])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_bf16_on_any_bits(bits: int) -> None:
    assert_rounds_like_torch(np.array([bits], dtype=np.uint32).view(np.float32))


def test_bf16_on_random_bits() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 1_000_000, dtype=np.uint32)
    assert_rounds_like_torch(bits.view(np.float32))


@given(st.floats(2.0**-126, 2.0**127, width=32))
@PATIENT
def test_bf16_error_is_within_half_a_gap(x: float) -> None:
    kept = float(round_to_bf16(np.float32([x]))[0])
    assert abs(Fraction(kept) - Fraction(x)) <= Fraction(x) / 256


def test_bf16_special_values() -> None:
    special = np.float32([0.0, -0.0, INF, -INF, 3.4e38, -3.4e38, 1e-45])
    kept = round_to_bf16(special)
    np.testing.assert_array_equal(np.signbit(kept), np.signbit(special))
    np.testing.assert_array_equal(np.abs(kept), np.float32([0, 0, INF, INF, INF, INF, 0]))
    payload = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC0BEEF], dtype=np.uint32)
    assert np.isnan(round_to_bf16(payload.view(np.float32))).all()


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 4), (2, 0, 3)])
def test_bf16_keeps_the_shape_and_the_input(shape: tuple[int, ...]) -> None:
    x = np.full(shape, math.pi, dtype=np.float32)
    kept = round_to_bf16(x)
    assert kept.shape == shape and kept.dtype == np.float32
    assert (kept == 3.140625).all() and (x == np.float32(math.pi)).all()


def test_bf16_follows_strides() -> None:
    x = np.random.default_rng(1).normal(size=(6, 8)).astype(np.float32)
    np.testing.assert_array_equal(round_to_bf16(x.T[::2]), round_to_bf16(x).T[::2])


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(2, dtype=np.int32), [1.0], 1.0])
def test_bf16_refuses_what_is_not_float32(wrong: object) -> None:
    with pytest.raises(ValueError, match="float32"):
        round_to_bf16(wrong)  # type: ignore[arg-type]


# Summation ------------------------------------------------------------------


def test_a_total_rounded_by_hand_stops_where_the_law_says() -> None:
    for step, stop in ((0.01, 4.0), (1.0, 256.0)):  # the second at a tie
        total = np.zeros(1, dtype=np.float32)
        for _ in range(1000):
            total = round_to_bf16(total + np.float32(step))
        assert total[0] == stop


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=200))
@PATIENT
def test_kahan_against_fsum(values: list[float]) -> None:
    n, u = len(values), 2.0**-24
    found = kahan_sum(torch.tensor(values, dtype=torch.float32)).item()
    bound = (2 * u + n * u**2 * 4) * sum(map(abs, values)) + 1e-37
    assert abs(found - math.fsum(values)) <= bound


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_kahan_keeps_the_dtype_and_beats_the_plain_total(dtype: torch.dtype) -> None:
    values = torch.full((5000,), 0.01, dtype=dtype)
    total = values.new_zeros(())
    for value in values:
        total = total + value
    truth = math.fsum(values.tolist())
    found = kahan_sum(values)
    assert found.dtype == dtype and found.shape == ()
    assert abs(found.item() - truth) <= abs(total.item() - truth)
    u = float_spec(dtype).eps / 2
    assert abs(found.item() / truth - 1) <= 2 * u + 5000 * u**2


def test_kahan_of_nothing_is_zero() -> None:
    assert kahan_sum(torch.zeros(0)).item() == 0


@pytest.mark.parametrize("wrong", [torch.zeros(2, 2), torch.tensor(1.0), torch.arange(3)])
def test_kahan_refuses(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one axis"):
        kahan_sum(wrong)


# Softmax and log-sum-exp ----------------------------------------------------

PAIRS = [(softmax, F.softmax), (log_softmax, F.log_softmax), (logsumexp, torch.logsumexp)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e4])
def test_like_torch_on_every_axis(ours, theirs, dim: int, scale: float) -> None:
    x = torch.randn(4, 5, 6) * scale
    before = x.clone()
    assert_close(ours(x, dim), theirs(x, dim))
    assert_close(ours(x.double(), dim), theirs(x.double(), dim), rtol=1e-13, atol=1e-15)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_sixteen_bits_are_computed_in_float32(ours, theirs, dtype: torch.dtype) -> None:
    x = (torch.randn(7, 300) * 5).to(dtype)
    found = ours(x, -1)
    assert found.dtype == dtype
    assert torch.equal(found, theirs(x.float(), -1).to(dtype))


def test_eight_bits_are_computed_in_float32() -> None:
    x = (torch.randn(7, 30) * 5).to(torch.float8_e5m2)
    for ours, theirs in PAIRS:
        truth = theirs(x.float(), -1).to(x.dtype)
        assert torch.equal(ours(x, -1).float(), truth.float())


@given(rows)
@PATIENT
def test_logsumexp_at_fifty_digits(row: list[float]) -> None:
    truth = exact_logsumexp(row)
    x = torch.tensor(row, dtype=torch.float64)
    assert math.isclose(logsumexp(x, 0).item(), truth, rel_tol=1e-15, abs_tol=1e-14)
    found = logsumexp(x.float(), 0).item()
    assert math.isclose(found, truth, rel_tol=2e-7, abs_tol=1e-6)
    top = max(row)
    assert top <= logsumexp(x, 0).item() <= top + math.log(len(row)) + 1e-9


@given(rows, st.data())
@PATIENT
def test_log_softmax_at_fifty_digits(row: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(row) - 1))
    found = log_softmax(torch.tensor(row, dtype=torch.float32), 0)[k].item()
    assert math.isclose(found, exact_log_prob(row, k), rel_tol=5e-7, abs_tol=1e-6)


@given(rows, st.floats(-1e3, 1e3))
@PATIENT
def test_a_constant_changes_nothing(row: list[float], shift: float) -> None:
    x = torch.tensor(row, dtype=torch.float64)
    assert_close(softmax(x + shift, 0), softmax(x, 0), rtol=1e-9, atol=1e-12)
    assert math.isclose(softmax(x, 0).sum().item(), 1, rel_tol=1e-12)


def test_keeps_digits_that_lse_minus_logit_loses() -> None:
    x = torch.tensor([10_000.0, 10_001.0])
    truth = -math.log1p(math.exp(-1))
    assert abs(log_softmax(x, 0)[1].item() - truth) < 1e-7
    assert abs((x[1] - logsumexp(x, 0)).item() - truth) > 1e-5


def test_infinite_logits() -> None:
    masked = torch.tensor([[0.0, -INF, 0.0], [-INF, -INF, -INF], [0.0, INF, 1.0]])
    assert_close(softmax(masked, 1), F.softmax(masked, 1), equal_nan=True)
    assert_close(log_softmax(masked, 1), F.log_softmax(masked, 1), equal_nan=True)
    assert_close(logsumexp(masked, 1), torch.logsumexp(masked, 1))
    assert softmax(masked, 1)[0].tolist() == [0.5, 0.0, 0.5]


def test_nan_is_not_hidden() -> None:
    row = torch.tensor([0.0, math.nan, INF])
    assert logsumexp(row, 0).isnan()
    assert softmax(row, 0).isnan().all()


def test_logsumexp_keepdim() -> None:
    x = torch.randn(2, 3, 4)
    for dim in range(-3, 3):
        assert_close(logsumexp(x, dim, keepdim=True), torch.logsumexp(x, dim, keepdim=True))


@pytest.mark.parametrize("f", [softmax, log_softmax, logsumexp], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("x", "dim", "says"), [
    (torch.zeros(2, 3), 2, "dim=2"),
    (torch.zeros(2, 3), -3, "dim=-3"),
    (torch.tensor(1.0), 0, r"shape \(\)"),
    (torch.zeros(2, 0), 1, "no entries"),
    (torch.arange(3), 0, "int64"),
    (torch.zeros(3, dtype=torch.complex64), 0, "complex64"),
])
def test_bad_logits_are_named(f, x: torch.Tensor, dim: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        f(x, dim)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda f: f.__name__)
def test_gradients(ours, theirs) -> None:
    x = (torch.randn(3, 5, dtype=torch.float64) * 50).requires_grad_()
    x.data[0, 2] = x.data[0].max()  # a tie at the top
    weights = torch.randn(ours(x, 1).shape, dtype=torch.float64)
    (mine,) = torch.autograd.grad((ours(x, 1) * weights).sum(), x)
    (other,) = torch.autograd.grad((theirs(x, 1) * weights).sum(), x)
    assert_close(mine, other)
    assert torch.autograd.gradcheck(lambda z: ours(z, 1), (x / 50).detach().requires_grad_())


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=20),
       st.floats(0.1, 5), st.floats(1.1, 4))
@PATIENT
def test_entropy_grows_with_temperature(row: list[float], tau: float, factor: float) -> None:
    x = torch.tensor(row, dtype=torch.float64)
    cold, warm = (entropy(softmax(x / t, 0), 0).item() for t in (tau, tau * factor))
    assert cold <= warm + 1e-9


# Arrays ---------------------------------------------------------------------


@given(small_shapes)
@PATIENT
def test_strides_like_torch_and_numpy(shape: tuple[int, ...]) -> None:
    assert strides_of(shape) == torch.empty(shape).stride()
    if 0 not in shape:
        sizes = [1, *itertools.accumulate(shape, lambda a, b: a * b)]
        assert strides_of(shape, "F") == tuple(sizes[:-1])[:len(shape)]


def test_strides_in_fortran_order_like_numpy() -> None:
    assert strides_of((4, 5, 6), "F") == np.empty((4, 5, 6), np.int8, order="F").strides


@pytest.mark.parametrize(("shape", "order", "says"), [
    ((2, -1), "C", "negative"), ((2, 3), "K", "'K'"), ((2, 3), "c", "'c'")])
def test_strides_refuse(shape: tuple[int, ...], order: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        strides_of(shape, order)


@given(st.lists(small_shapes, max_size=4))
@PATIENT
def test_broadcast_like_torch_and_numpy(shapes: list[tuple[int, ...]]) -> None:
    try:
        truth = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="meet on axis -"):
            broadcast_shapes(*shapes)
        return
    assert broadcast_shapes(*shapes) == truth
    if shapes:
        assert truth == tuple(torch.broadcast_shapes(*shapes))


def test_broadcast_names_shapes_sizes_and_axis() -> None:
    with pytest.raises(ValueError, match=r"\(301, 256\) and \(301,\).* 256 and 301 .*axis -1"):
        broadcast_shapes((301, 256), (301,))
    with pytest.raises(ValueError, match="negative"):
        broadcast_shapes((2, -1), (2, 1))


@given(st.integers(1, 30), st.data())
@PATIENT
def test_windows_like_numpy(n: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, n))
    x = torch.randn(3, n)
    truth = np.lib.stride_tricks.sliding_window_view(x.numpy(), size, axis=-1)
    np.testing.assert_array_equal(sliding_windows(x, size).numpy(), truth)
    assert_close(sliding_windows(x[1], size), x[1].unfold(0, size, 1))


def test_windows_follow_any_strides() -> None:
    base = torch.arange(4 * 5 * 6).view(4, 5, 6)
    for x in (base.transpose(0, 2), base[1:, ::2], base.permute(1, 2, 0)[..., 1:],
              base[0, 0].expand(3, 6)):
        assert_close(sliding_windows(x, 2), x.unfold(-1, 2, 1))


def test_windows_share_memory() -> None:
    x = torch.arange(10)
    windows = sliding_windows(x, 3)
    x[4] = 99
    assert windows[2, 2] == windows[3, 1] == windows[4, 0] == 99
    assert windows.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


@pytest.mark.parametrize("size", [0, -1, 6])
def test_windows_refuse_a_size(size: int) -> None:
    with pytest.raises(ValueError, match=f"size={size} .*1 and 5"):
        sliding_windows(torch.arange(5), size)


def test_windows_refuse_a_scalar() -> None:
    with pytest.raises(ValueError, match="scalar"):
        sliding_windows(torch.tensor(1), 1)


# Entropy and divergence -----------------------------------------------------


def test_entropy_and_divergence_like_torch_distributions() -> None:
    p, q = torch.randn(2, 6, 9, dtype=torch.float64).softmax(-1)
    left, right = (torch.distributions.Categorical(probs=d) for d in (p, q))
    assert_close(entropy(p, 1), left.entropy())
    assert_close(kl_divergence(p, q, 1), torch.distributions.kl_divergence(left, right))
    assert_close(kl_divergence(p.T, q.T, 0), kl_divergence(p, q, 1))


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=12), st.randoms())
@PATIENT
def test_gibbs_and_the_decomposition(row: list[float], rng: random.Random) -> None:
    x = torch.tensor(row, dtype=torch.float64)
    shuffled = list(row)
    rng.shuffle(shuffled)
    p, q = softmax(x, 0), softmax(torch.tensor(shuffled, dtype=torch.float64), 0)
    divergence = kl_divergence(p, q, 0).item()
    assert divergence >= -1e-12
    assert kl_divergence(p, p, 0).item() == 0
    crossed = -(p * q.log()).sum().item()
    assert math.isclose(crossed, entropy(p, 0).item() + divergence, rel_tol=1e-9, abs_tol=1e-9)
    assert -1e-12 <= entropy(p, 0).item() <= math.log(len(row)) + 1e-12


def test_zeros() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert entropy(p, 0).item() == pytest.approx(math.log(2))
    assert kl_divergence(p, q, 0).item() == pytest.approx(math.log(2))
    assert kl_divergence(q, p, 0).item() == INF
    assert entropy(torch.tensor([1.0, 0.0]), 0).item() == 0


def test_divergence_does_not_overflow_on_small_q() -> None:
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 1e-42])
    truth = 0.5 * math.log(0.5) + 0.5 * (math.log(0.5) - math.log(q[1].item()))
    assert kl_divergence(p, q, 0).item() == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_probabilities_of_sixteen_bits_pass(dtype: torch.dtype) -> None:
    p = torch.randn(3, 500).softmax(-1).to(dtype)
    assert entropy(p, 1).dtype == dtype
    assert kl_divergence(p, p, 1).abs().max() == 0


def test_what_rounding_did_to_a_sum_is_forgiven_and_no_more() -> None:
    def refused(p: torch.Tensor) -> bool:
        try:
            entropy(p, 0)
        except ValueError:
            return True
        return False

    for off, dtype, answer in ((5e-4, torch.float64, False), (2e-3, torch.float64, True),
                               (0.02, torch.bfloat16, False), (0.06, torch.bfloat16, True)):
        p = torch.tensor([0.5, 0.25, 0.25 + off], dtype=dtype)
        assert refused(p) == answer
    many = softmax(torch.zeros(256_000, dtype=torch.float16), 0)  # subnormal each
    assert entropy(many, 0).item() == pytest.approx(math.log(256_000), rel=0.01)


def test_divergence_keeps_the_dtype_and_sees_the_smallest_probability() -> None:
    half = torch.tensor([0.5, 0.5], dtype=torch.bfloat16)
    assert kl_divergence(half, half.flip(0), 0).dtype == torch.bfloat16
    assert kl_divergence(torch.tensor([1.0, 1e-38]), torch.tensor([1.0, 0.0]), 0).item() == INF


@pytest.mark.parametrize("wrong", [torch.tensor([1.0, 2.0]), torch.tensor([1.5, -0.5]),
                                   torch.tensor([0.3, 0.3]), torch.tensor([math.nan, 1.0])])
def test_what_is_no_distribution_is_refused(wrong: torch.Tensor) -> None:
    good = torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match="p must be probabilities"):
        entropy(wrong, 0)
    with pytest.raises(ValueError, match="q must be probabilities"):
        kl_divergence(good, wrong, 0)


def test_divergence_refuses_two_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(2,\).*\(1, 2\)"):
        kl_divergence(torch.tensor([0.5, 0.5]), torch.tensor([[0.5, 0.5]]), -1)


# Cross-entropy --------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("ignore_index", [-100, 3, -1])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
def test_cross_entropy_like_torch(shape, ignore_index, smoothing, reduction) -> None:
    logits = (torch.randn(*shape, 7, dtype=torch.float64) * 20).requires_grad_()
    targets = torch.randint(0, 7, shape)
    targets[torch.rand(shape) < 0.3] = ignore_index
    if not shape:
        targets = torch.tensor(1)
    ours = cross_entropy(logits, targets, ignore_index, reduction, smoothing)
    theirs = F.cross_entropy(logits.movedim(-1, 1) if len(shape) > 1 else logits, targets,
                             ignore_index=ignore_index, reduction=reduction,
                             label_smoothing=smoothing)
    assert_close(ours, theirs)
    (mine,) = torch.autograd.grad(ours.sum(), logits)
    (other,) = torch.autograd.grad(theirs.sum(), logits)
    assert_close(mine, other)


@given(rows, st.data())
@PATIENT
def test_token_nll_at_fifty_digits(row: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(row) - 1))
    found = token_nll(torch.tensor(row, dtype=torch.float64), torch.tensor(k)).item()
    assert math.isclose(found, -exact_log_prob(row, k), rel_tol=1e-12, abs_tol=1e-13)


def test_gradient_is_p_minus_y() -> None:
    z = torch.randn(6, 11, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 11, (6,))
    y[2] = -100
    cross_entropy(z, y).backward()
    expected = (F.softmax(z.detach(), -1) - F.one_hot(y.clamp(min=0), 11)) / 5
    expected[2] = 0
    assert z.grad is not None
    assert_close(z.grad, expected)
    assert torch.autograd.gradcheck(lambda t: cross_entropy(t, y, label_smoothing=0.2), z)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_sixteen_bit_logits_give_a_float32_loss(dtype: torch.dtype) -> None:
    logits = (torch.randn(40, 100) * 4).to(dtype)
    targets = torch.randint(0, 100, (40,))
    loss = cross_entropy(logits, targets)
    assert loss.dtype == torch.float32
    assert_close(loss, F.cross_entropy(logits.float(), targets))


def test_a_masked_vocabulary_and_an_impossible_target() -> None:
    logits = torch.tensor([[0.0, -INF, 0.0]])
    assert cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(math.log(2))
    assert cross_entropy(logits, torch.tensor([1])).item() == INF
    assert cross_entropy(logits, torch.tensor([-100]), reduction="sum").item() == 0


def test_nothing_counts() -> None:
    logits, targets = torch.randn(3, 5), torch.full((3,), -100)
    assert cross_entropy(logits, targets).isnan()
    assert cross_entropy(logits, targets, reduction="sum").item() == 0


def test_targets_of_any_integer_type() -> None:
    logits, targets = torch.randn(4, 300), torch.tensor([0, 7, 200, 255])
    for dtype in (torch.uint8, torch.int32, torch.int64):
        assert_close(cross_entropy(logits, targets.to(dtype)), F.cross_entropy(logits, targets))


def test_no_byte_is_taken_for_the_ignore_index() -> None:
    # -100 is 156 in eight bits without a sign, and 65_437 in sixteen.
    logits, targets = torch.randn(3, 300), torch.tensor([156, 5, 6])
    truth = F.cross_entropy(logits, targets, reduction="none")
    assert_close(token_nll(logits, targets.to(torch.uint8)), truth)
    assert_close(cross_entropy(logits, targets.to(torch.uint8)), truth.mean())
    assert_close(cross_entropy(logits, targets.to(torch.uint8), ignore_index=156),
                 truth[1:].mean())
    small = torch.tensor([1, 5, 6], dtype=torch.int16)
    assert_close(cross_entropy(logits, small, ignore_index=65_537),
                 F.cross_entropy(logits, small.long()))


@pytest.mark.parametrize("smoothing", [1e-3, 0.01])
def test_a_little_smoothing_counts(smoothing: float) -> None:
    logits, targets = torch.randn(5, 9, dtype=torch.float64) * 9, torch.tensor([0, 1, 2, 3, 8])
    assert_close(cross_entropy(logits, targets, label_smoothing=smoothing),
                 F.cross_entropy(logits, targets, label_smoothing=smoothing))


@pytest.mark.parametrize(("logits", "targets", "options", "says"), [
    (torch.randn(4, 5), torch.tensor([0, 1, 2, 5]), {}, "target 5 .*vocabulary of 5"),
    (torch.randn(4, 5), torch.tensor([0, 1, 2, -1]), {}, "target -1"),
    (torch.randn(4, 5), torch.zeros(3, dtype=torch.long), {}, r"\(4,\).*\(3,\)"),
    (torch.randn(4, 5), torch.zeros(4, 5, dtype=torch.long), {}, r"\(4,\).*\(4, 5\)"),
    (torch.randn(4, 5), torch.zeros(4), {}, "integer.*float32"),
    (torch.randn(4, 5), torch.zeros(4, dtype=torch.long), {"reduction": "avg"}, "'avg'"),
    (torch.randn(4, 5), torch.zeros(4, dtype=torch.long), {"label_smoothing": 1.5}, "1.5"),
    (torch.randn(4, 5), torch.zeros(4, dtype=torch.long), {"label_smoothing": -0.5}, "-0.5"),
    (torch.randn(4, 5), torch.zeros(4, dtype=torch.bool), {}, "integer.*bool"),
    (torch.randn(4, 5), torch.zeros(4, dtype=torch.complex64), {}, "integer.*complex64"),
    (torch.ones(4, 5, dtype=torch.long), torch.zeros(4, dtype=torch.long), {}, "floating"),
])
def test_cross_entropy_refuses(logits, targets, options, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        cross_entropy(logits, targets, **options)


def test_untrained_loss_is_ln_v() -> None:
    seed_everything(0)
    loss = cross_entropy(torch.randn(2000, 512) * 0.02, torch.randint(0, 512, (2000,)))
    assert loss.item() == pytest.approx(math.log(512), abs=0.01)


# Perplexity, bits, scores ---------------------------------------------------


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=50))
@PATIENT
def test_perplexity_is_a_geometric_mean(probs: list[float]) -> None:
    nll = sum(-math.log(p) for p in probs)
    with mpmath.workdps(50):
        product = mpmath.fprod(1 / mpmath.mpf(p) for p in probs)
        truth = float(product ** (mpmath.mpf(1) / len(probs)))
    assert math.isclose(perplexity(nll, len(probs)), truth, rel_tol=1e-9)


def test_perplexity_and_bits_of_known_models() -> None:
    assert perplexity(10 * math.log(256), 10) == pytest.approx(256)
    assert bits_per_byte(10 * math.log(256), 10) == pytest.approx(8)
    assert perplexity(0.0, 3) == 1 and bits_per_byte(0.0, 3) == 0
    assert perplexity(1e6, 1) == INF and perplexity(INF, 1) == INF
    assert perplexity(709.7, 1) < INF


@pytest.mark.parametrize("f", [perplexity, bits_per_byte], ids=lambda f: f.__name__)
def test_totals_that_mean_nothing_are_refused(f) -> None:
    for count in (0, -3):
        with pytest.raises(ValueError, match=f"={count}"):
            f(1.0, count)
    for wrong in (-1.0, -1e-6):
        with pytest.raises(ValueError, match=str(wrong)):
            f(wrong, 2)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 99), st.integers(1, 99)),
                min_size=1, max_size=12), st.data())
@PATIENT
def test_scores_add_up_however_they_are_cut(parts, data: st.DataObject) -> None:
    scores = [TextScore(*part) for part in parts]
    cut = data.draw(st.integers(0, len(scores)))
    whole = sum(scores[cut:], TextScore()) + sum(scores[:cut], TextScore())
    nats = math.fsum(nll for nll, _, _ in parts)
    n_tokens, n_bytes = (sum(column) for column in list(zip(*parts, strict=True))[1:])
    assert (whole.n_tokens, whole.n_bytes) == (n_tokens, n_bytes)
    assert math.isclose(whole.nll_sum, nats, rel_tol=1e-14)
    assert math.isclose(whole.loss, nats / n_tokens, rel_tol=1e-13)
    assert math.isclose(whole.bits_per_byte, nats / n_bytes / math.log(2), rel_tol=1e-13)
    if whole.loss < 700:
        assert math.isclose(whole.perplexity, float(mpmath.exp(nats) ** (1 / n_tokens)),
                            rel_tol=1e-9)


def test_a_score_cannot_be_changed() -> None:
    score = TextScore(1.0, 2, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.n_tokens = 5  # type: ignore[misc]


def test_an_empty_score_has_no_average() -> None:
    for name in ("loss", "perplexity", "bits_per_byte"):
        with pytest.raises(ValueError, match="=0"):
            getattr(TextScore(), name)


# In blocks ------------------------------------------------------------------


def walk(x: torch.Tensor, sizes: list[int]) -> OnlineLogSumExp:
    online = OnlineLogSumExp()
    for block in x.split(sizes, dim=-1):
        online.update(block)
    return online


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 5),
       st.sampled_from([0.1, 10.0, 1e3]))
@PATIENT
def test_blocks_give_what_the_whole_gives(sizes: list[int], seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, sum(sizes), generator=generator, dtype=torch.float64) * scale
    online = walk(x, sizes)
    assert_close(online.value, torch.logsumexp(x, -1), rtol=1e-13, atol=1e-13)
    assert_close(online.log_prob(x[..., 0]), F.log_softmax(x, -1)[..., 0], rtol=1e-12, atol=1e-12)
    assert online.n_seen == sum(sizes)


@pytest.mark.parametrize("order", list(itertools.permutations([0.0, -INF, 1e4, -1e4])), ids=str)
def test_blocks_in_any_order_with_minus_infinity(order: tuple[float, ...]) -> None:
    x = torch.tensor(order)
    assert walk(x, [1, 1, 1, 1]).value.item() == torch.logsumexp(x, 0).item()


def test_infinite_and_missing_rows() -> None:
    assert OnlineLogSumExp().value.item() == -INF
    assert walk(torch.full((2, 4), -INF), [1, 3]).value.tolist() == [-INF, -INF]
    x = torch.tensor([[0.0, INF, 1.0], [INF, 0.0, -INF], [0.0, math.nan, 1.0]])
    assert_close(walk(x, [1, 1, 1]).value, torch.logsumexp(x, -1), equal_nan=True)


def test_blocks_keep_digits() -> None:
    x = torch.tensor([10_000.0, 10_001.0])
    truth = -math.log1p(math.exp(-1))
    assert abs(walk(x, [1, 1]).log_prob(x[1]).item() - truth) < 1e-7


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_blocks_of_sixteen_bits_are_kept_in_float32(dtype: torch.dtype) -> None:
    x = (torch.randn(5, 96) * 4).to(dtype)
    online = walk(x, [32, 32, 32])
    assert online.value.dtype == online.log_prob(x[:, 0]).dtype == torch.float32
    assert_close(online.value, torch.logsumexp(x.float(), -1))


def test_blocks_have_a_gradient() -> None:
    x = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)
    walk(x, [5, 7]).value.sum().backward()
    assert x.grad is not None
    assert_close(x.grad, F.softmax(x.detach(), -1))


def test_a_walk_of_many_small_blocks_loses_nothing() -> None:
    # One term of 1 and many of 0.01: a running total that fits eq-stop.
    x = torch.full((20_001,), math.log(0.01))
    x[0] = 0.0
    truth = torch.logsumexp(x.double(), 0).item()
    assert math.isclose(walk(x, [1] * len(x)).value.item(), truth, rel_tol=1e-7)


def test_log_prob_refuses_what_would_broadcast() -> None:
    online = OnlineLogSumExp()
    with pytest.raises(ValueError, match="0 entries"):
        online.log_prob(torch.tensor(0.0))
    online.update(torch.zeros(3, 4))
    for wrong in (torch.zeros(3, 1), torch.tensor(0.0), torch.zeros(4)):
        with pytest.raises(ValueError, match=r"rows \(3,\)"):
            online.log_prob(wrong)
    assert_close(online.log_prob(torch.zeros(3)), torch.full((3,), -math.log(4)))


def test_blocks_refuse() -> None:
    online = OnlineLogSumExp()
    with pytest.raises(ValueError, match="no entries"):
        online.update(torch.zeros(2, 0))
    with pytest.raises(ValueError, match="int64"):
        online.update(torch.arange(3))
    online.update(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"\(3,\) after rows \(2,\)"):
        online.update(torch.zeros(3, 3))


# Seeds ----------------------------------------------------------------------


def test_seeds_make_all_three_generators_repeat() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    seed_everything(7)
    first = draw()
    assert draw() != first
    seed_everything(7)
    assert draw() == first
    seed_everything(8)
    assert all(a != b for a, b in zip(draw(), first, strict=True))
    for alike in (107, 1007, 10**6 + 7, 2**31 + 7):  # seeds that share last digits
        seed_everything(alike)
        assert all(a != b for a, b in zip(draw(), first, strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed={seed}"):
        seed_everything(seed)
