"""What a measurement says beside its headline: clocks, baselines, shares, checks, and why it is trusted or not."""

from __future__ import annotations

from typing import Any

from tilewright.records import Measurement
from tilewright.report import words
from tilewright.scores import Versus, against, over
from tilewright.wording.numbers import ms


def fields(measurement: Measurement) -> dict[str, Any]:
    """For programs (DESIGN: `evaluate --json`). `clocks` holds ratio and interval by clock and baseline: `device`,
    `latency`, and `events` where the device's clock is its own record of the kernels."""
    everything = against(measurement)
    clocks: dict[str, dict[str, Any]] = {"device": {}, "latency": {}}
    for one in everything:
        clocks.setdefault(one.clock, {})[one.baseline] = {"ratio": one.ratio, "interval": [one.low, one.high]}
    return {
        "speedup_ratio": measurement.speedup_ratio,
        "interval": [measurement.low, measurement.high],
        "latency_ratio": measurement.latency_ratio,
        "baseline": measurement.baseline,
        "baselines": {one.baseline: one.ratio for one in everything if one.clock == "device"},
        "clocks": clocks,
        "own_share": measurement.own_share,
        "error_ratio": measurement.error_ratio,
        "error_factor": measurement.error_factor,
        "checked_calls": measurement.checked_calls,
        "trust": measurement.trust,
        "trust_notes": list(measurement.trust_notes),
        "isolation": measurement.isolation,
        "gpu": measurement.device,
        "seeds": list(measurement.seeds),
    }


def details(measurement: Measurement) -> list[str]:
    """For people: short lines below the headline."""
    lines = [
        f"{t.workload}: {ms(t.candidate_ms)} against {ms(t.baseline_ms)} "
        f"{words.baseline(measurement.baseline)} in {len(t.pairs)} pairs"
        for t in measurement.timings
    ]
    lines += _comparisons(measurement)
    if measurement.confirmations:
        again = ", ".join(words.interval(*one) for one in measurement.confirmations)
        lines.append(f"in fresh processes: {again}")
    lines.append("; ".join(_checks(measurement)))
    if measurement.trust_notes:
        lines.append(f"trust {measurement.trust}: {'; '.join(measurement.trust_notes)}")
    return lines


def over_seed_text(measurement: Measurement) -> str:
    """ "2.100x over the seed [2.050, 2.140]", or "" where the two were not timed in pairs."""
    paired = over(measurement, "seed")
    return f"{paired.ratio:.3f}x over the seed [{paired.low:.3f}, {paired.high:.3f}]" if paired else ""


def _comparisons(measurement: Measurement) -> list[str]:
    """One line for the latency clock; a table where there are several baselines."""
    everything = against(measurement)
    names = list(dict.fromkeys(one.baseline for one in everything))
    if len(names) == 1:
        return [f"{one.clock} clock: {_ratio(one)}" for one in everything if one.clock != "device"]
    width = max(len(words.baseline(name)) for name in names)
    lines = [f"{'over':<{width}}  {'device clock':<22}  latency clock"]
    for name in names:
        device, latency = (over(measurement, name, clock) for clock in ("device", "latency"))
        lines.append(f"{words.baseline(name):<{width}}  {_ratio(device):<22}  {_ratio(latency)}")
    return lines


def _ratio(one: Versus | None) -> str:
    return words.interval(one.ratio, one.low, one.high) if one else "-"


def _checks(measurement: Measurement) -> list[str]:
    own, error = measurement.own_share, measurement.error_ratio
    return [
        f"{measurement.checked_calls} calls checked",
        *([f"error {error:.3g} of PyTorch's own, {measurement.error_factor:g} allowed"] if error is not None else []),
        *([f"own kernels {own:.0%} of the device's time"] if own is not None else []),
        f"isolation {measurement.isolation}",
        measurement.device,
    ]
