"""Which coefficients explain the times measured on a GPU best, and how well do they rank kernels they never saw?

What matters is the order of a kernel's variants. So the fit counts how a variant's time differs from its kernel's
mean in full, and what a whole kernel is off by as one draw from a wide distribution: least squares of a model with
a random offset for each kernel, on log time, drawn towards the coefficients to start from (a ridge). Since the
coefficients keep their meaning and their ranges, an estimate far from the data stays that of a roofline.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from tilewright.analysis.coefficients import Calibration, Coefficients, coefficients, table
from tilewright.analysis.model import Expected, expected_time, quantities
from tilewright.errors import MissingDependency, UsageError
from tilewright.hardware import Gpu
from tilewright.records import Facts, Precision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WANTED_SAMPLES, WANTED_KERNELS = 24, 3
"""Fewer say nothing about kernels that were not among them."""
BEST_SHARE = 0.2
NEAR_BEST = 1.05

_NOT_FITTED = ("kernel_built_us", "interval_factor")
"""Host time, which device times don't show; the width where nothing was fitted."""
_SHARES = (
    "memory_peak_share", "rereads_hitting_l1", "rereads_missing_l2", "sector_waste_reaching_l2",
    "sector_waste_reaching_dram", "tensor_peak_share", "small_block_tensor_share", "synchronous_tensor_share",
    "fp32_peak_share",
)  # fmt: skip
LEASHES = (0.03, 0.1, 0.3)
"""How far a coefficient may move before the fit pays as much as for a variant that is off by _WITHIN: in logarithms,
of the odds for a share. The one under which unseen kernels are ranked best is taken."""
_FOLDS = 5
_SOURCE_LEASH, _POWER_LEASH = 0.3, 0.3
"""Shares of it for a coefficient that was measured, and for a power."""
_WITHIN, _BETWEEN = 0.15, 0.6
"""Usual deviations on log time: of a variant from its kernel's mean, of a kernel from the model."""
_SLOW = 0.7
"""In log time: a variant so much slower than the fastest (twice) counts half."""
_ENOUGH_VARIANTS = 30
_OUTLIER = 2.0
"""In usual deviations; what is further off counts in proportion, not in its square."""
_STEPS = 10
_ENOUGH_GAIN = 1e-3


@dataclass(frozen=True)
class Sample:
    """A candidate measured on a GPU. `kernel` names what it is a variant of; `family` is left out as one."""

    kernel: str
    candidate: str
    facts: Facts
    precision: Precision
    ms: float

    @property
    def family(self) -> str:
        """1_23 and 1_23_large are one kernel at two sizes."""
        return "_".join(self.kernel.split("_")[:2])


@dataclass(frozen=True)
class HeldOut:
    """How a fit without a kernel ranks the kernel's variants.

    `spearman` are rank correlations, None for fewer than three variants or all alike; `best_third` of those that were
    fastest. `kept`: among the best fifth by the model is one within 5 % of the fastest. `log_ratios` are measured
    over estimated times.
    """

    kernel: str
    variants: int
    spearman: float | None
    best_third: float | None
    kept: bool
    log_ratios: tuple[float, ...]

    @property
    def offset(self) -> float:
        """Measured over estimated time in the middle."""
        return math.exp(statistics.median(self.log_ratios))


def calibrate(
    samples: Sequence[Sample], gpu: Gpu, note: Callable[[str], None] = lambda text: None
) -> tuple[Calibration, list[HeldOut]]:
    """Fits on all samples, and judges by fits that left out each kernel in turn.

    `UsageError` where the samples are too few, `MissingDependency` without numpy.
    """
    if importlib.util.find_spec("numpy") is None:
        raise MissingDependency("numpy is not installed here; it fits the time model.", "pip install numpy")
    kernels = sorted({sample.kernel for sample in samples})
    families = sorted({sample.family for sample in samples})
    if len(samples) < WANTED_SAMPLES or len(families) < WANTED_KERNELS:
        raise UsageError(
            f"{len(samples)} measurements of {len(families)} kernels on {gpu.name} are too few; at least "
            f"{WANTED_SAMPLES} of {WANTED_KERNELS} are needed. Measure some: tilewright tune KERNEL"
        )
    leash = max(LEASHES, key=lambda leash: _ranking(samples, families, gpu, leash, note))
    held_out: list[HeldOut] = []
    for number, family in enumerate(families, 1):
        note(f"fitting without {family} ({number} of {len(families)})")
        held_out += _left_out(samples, {family}, gpu, leash)
    low, high = _quantiles([ratio for kernel in held_out for ratio in kernel.log_ratios])
    c = fit(samples, gpu, leash)
    logs = [quantities(s.facts, _expected(s, gpu, c)) for s in samples]
    names = sorted(set().union(*logs))
    familiar = [(name, [values[name] for values in logs if name in values]) for name in names]
    ranges = tuple((name, min(values), max(values)) for name, values in familiar)
    return Calibration(gpu.name, c, low, high, ranges, len(samples), len(kernels)), held_out


def fit(samples: Sequence[Sample], gpu: Gpu, leash: float = LEASHES[0]) -> Coefficients:
    """Gauss-Newton steps, damped (D. Marquardt, J. SIAM 11(2), 1963), outliers held in (P. Huber, 1964)."""
    import numpy as np

    start = coefficients()
    free = _free(start, leash)
    spreads = np.array([one.spread for one in free])
    first = np.array([one.value for one in free])
    whiten = _whitening(samples)
    log_ms = np.log([sample.ms for sample in samples])

    def residuals(values: Array) -> Array:
        c = _with(start, free, values)
        estimates = [_expected(s, gpu, c).total_ms for s in samples]
        return whiten(np.log(np.maximum(estimates, 1e-9)) - log_ms)

    def objective(values: Array, off: Array) -> float:
        size = np.abs(off)
        huber = np.where(size <= _OUTLIER, size**2, 2 * _OUTLIER * size - _OUTLIER**2)
        return float(huber.sum() + (((values - first) / spreads) ** 2).sum())

    values, damping = first, 0.1
    off = residuals(values)
    reached = objective(values, off)
    for _ in range(_STEPS):
        steps = 0.05 * spreads
        slopes = np.stack([(residuals(values + step) - off) / step.sum() for step in np.diag(steps)], axis=1)
        weights = np.minimum(1.0, _OUTLIER / np.maximum(np.abs(off), 1e-9))[:, None]
        curvature = slopes.T @ (weights * slopes) + np.diag(spreads**-2)
        slope = slopes.T @ (weights[:, 0] * off) + (values - first) / spreads**2
        before = reached
        while damping < 1e4:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), slope)
            tried = values - step
            tried_off = residuals(tried)
            found = objective(tried, tried_off)
            if found < reached:
                values, off, reached, damping = tried, tried_off, found, damping / 5
                break
            damping *= 5
        if before - reached < _ENOUGH_GAIN * before:
            break
    return _with(start, free, values)


def judge(samples: Iterable[Sample], gpu: Gpu, c: Coefficients | None = None) -> list[HeldOut]:
    """How coefficients rank the variants of each kernel."""
    by_kernel = defaultdict(list)
    for sample in samples:
        estimated = _expected(sample, gpu, c).total_ms
        by_kernel[sample.kernel].append((sample.ms, estimated))
    return [_judged(kernel, pairs) for kernel, pairs in sorted(by_kernel.items())]


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """The correlation of ranks, equal values sharing theirs; None for fewer than three values or all alike."""
    if len(one) < 3 or len(set(one)) == 1 or len(set(other)) == 1:
        return None if len(one) < 3 or len(set(one)) == 1 else 0.0
    return statistics.correlation(_ranks(one), _ranks(other))


def _expected(sample: Sample, gpu: Gpu, c: Coefficients | None) -> Expected:
    return expected_time(sample.facts, gpu, sample.precision, c, instructions=True)


def _ranking(
    samples: Sequence[Sample], families: Sequence[str], gpu: Gpu, leash: float, note: Callable[[str], None]
) -> float:
    """The mean rank correlation of kernels left out, some at a time."""
    found = []
    for first in range(min(_FOLDS, len(families))):
        found += _left_out(samples, set(families[first::_FOLDS]), gpu, leash)
    mean = statistics.fmean(kernel.spearman or 0.0 for kernel in found)
    note(f"coefficients held within {leash:g} of where they start: mean rank correlation {mean:.3f}")
    return mean


def _left_out(samples: Sequence[Sample], families: set[str], gpu: Gpu, leash: float) -> list[HeldOut]:
    c = fit([s for s in samples if s.family not in families], gpu, leash)
    return judge([s for s in samples if s.family in families], gpu, c)


def _judged(kernel: str, pairs: Sequence[tuple[float, float]]) -> HeldOut:
    measured = [ms for ms, _ in pairs]
    by_measured = sorted(pairs)
    third = by_measured[: math.ceil(len(pairs) / 3)]
    by_model = sorted(pairs, key=lambda pair: pair[1])[: math.ceil(BEST_SHARE * len(pairs))]
    return HeldOut(
        kernel=kernel,
        variants=len(pairs),
        spearman=spearman(measured, [estimated for _, estimated in pairs]),
        best_third=spearman([ms for ms, _ in third], [estimated for _, estimated in third]),
        kept=min(ms for ms, _ in by_model) <= NEAR_BEST * min(measured),
        log_ratios=tuple(math.log(ms / estimated) for ms, estimated in pairs),
    )


def _ranks(values: Sequence[float]) -> list[float]:
    places = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [statistics.fmean(places[value]) for value in values]


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    tenths = statistics.quantiles(values, n=10)
    return tenths[0], tenths[-1]


@dataclass(frozen=True)
class _Free:
    """A coefficient as the fit moves it: the logarithm of a positive number, of a share's odds, or a power itself."""

    name: str
    value: float
    spread: float


def _free(start: Coefficients, leash: float) -> list[_Free]:
    found = []
    for name in (f.name for f in fields(Coefficients)):
        value, known = getattr(start, name), "source" in table()[name]
        if name in _NOT_FITTED:
            continue
        if _is_power(name):
            found.append(_Free(name, value, leash * _POWER_LEASH))
        else:
            inside = math.log(value / (1 - value)) if name in _SHARES else math.log(value)
            found.append(_Free(name, inside, leash * _SOURCE_LEASH if known else leash))
    return found


def _with(start: Coefficients, free: Sequence[_Free], values: Array) -> Coefficients:
    changed = {}
    for one, value in zip(free, map(float, values)):
        if _is_power(one.name):
            changed[one.name] = value
        elif one.name in _SHARES:
            changed[one.name] = 1 / (1 + math.exp(-value))
        else:
            changed[one.name] = math.exp(value)
    return replace(start, **changed)


def _is_power(name: str) -> bool:
    return name.endswith(("_power", "_curvature"))


def _whitening(samples: Sequence[Sample]) -> Callable[[Array], Array]:
    """Takes log residuals to what is of equal weight and independent: within a kernel the differences from its mean,
    and the mean itself, whose variance is that of kernels and that of the mean of their variants.

    A variant counts less the slower it is than its kernel's fastest: it matters that it is slow, not by how much.
    """
    import numpy as np

    groups: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        groups[sample.kernel].append(index)
    parts = []
    for group in groups.values():
        log_ms = np.log([samples[index].ms for index in group])
        weights = 1 / (1 + (log_ms - log_ms.min()) / _SLOW)
        parts.append((np.array(group), weights / weights.sum(), weights**0.5 / _WITHIN * _evened(len(group))))

    def whiten(off: Array) -> Array:
        rows = []
        for group, shares, scales in parts:
            mean = shares @ off[group]
            rows.append((off[group] - mean) * scales)
            rows.append(np.array([mean / math.hypot(_BETWEEN, _WITHIN / len(group) ** 0.5)]))
        return np.concatenate(rows)

    return whiten


def _evened(variants: int) -> float:
    """A kernel that was measured far more often than others doesn't drown them."""
    return math.sqrt(min(1.0, _ENOUGH_VARIANTS / variants))
