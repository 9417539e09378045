"""What do the search's own benchmarks say, as tables? Held-out kernels, and knobs beside the full grid."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.recomputed import evaluation
from tilewright.records import Measured, Measurement
from tilewright.scores import mean_interval, over
from tilewright.worker.timing.intervals import median_interval

SLOW = 0.8
"""Below this speedup over eager a kernel counts as slow, and at it as repaired."""
Row = dict[str, Any]
Interval = tuple[float, float, float]


def heldout_table(rows: Sequence[Row]) -> str:
    """Of rows as `benchmarks.heldout` writes them; those that were only estimated are left out."""
    held = [Held.of(row) for row in rows if row["judged"] != "offline"]
    slow = [one for one in held if one.seed and one.gain and one.seed.speedup_ratio < SLOW]
    lines = [
        "## Held-out slow kernels, without a model",
        "",
        f"`python -m benchmarks.heldout`: kernels that no rewrite was written for; {_where(rows)}. At most "
        f"{max(row['wall_s'] for row in rows):.0f} s a kernel, {max(row['jobs'] for row in rows)} at a time on "
        f"{max(row['gpus'] for row in rows)} GPUs. `gain` is best over seed in interleaved pairs.",
        "",
        *_summary(slow),
        "| kernel | family | seed | best | gain | 95 % interval | of the limit | first gain | in all "
        "| rewrites in the best |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(one.line() for one in held),
        "",
        "| rewrite | kernels it was tried on | in the best of |",
        "|---|---|---|",
        *_hits([one.row for one in held]),
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Held:
    """A row with its two measurements; `gain` is (ratio, low, high), None where one of them is none."""

    row: Row
    seed: Measurement | None
    best: Measurement | None
    gain: Interval | None

    @classmethod
    def of(cls, row: Row) -> Held:
        seed, best = (_measurement(row[part]["evaluation"]) for part in ("seed", "best"))
        gain = _gain(seed, best, row["seed"]["candidate"] == row["best"]["candidate"]) if seed and best else None
        return cls(row, seed, best, gain)

    def line(self) -> str:
        row = self.row
        if not self.seed or not self.best or not self.gain:
            return f"| {row['kernel']} | {row['family']} | {row['stop_reason']} | | | | | | {row['seconds']} s | |"
        ratio, low, high = self.gain
        first = row["first_improvement_s"]
        return (
            f"| {row['kernel']} | {row['family']} | {self.seed.speedup_ratio:.3f}x | {self.best.speedup_ratio:.3f}x "
            f"| {ratio:.2f}x | {low:.2f} to {high:.2f} | {_percent(row['limit_share'])} "
            f"| {'' if first is None else f'{first:.0f} s'} | {row['seconds']:.0f} s "
            f"| {', '.join(row['rewrites_in_best'])} |"
        )


def _summary(slow: Sequence[Held]) -> Iterator[str]:
    if not slow:
        return
    gains = [one.gain for one in slow if one.gain]
    mean, low, high = mean_interval([(1.0, *gain) for gain in gains])
    repaired = sum(one.best.speedup_ratio >= SLOW for one in slow if one.best)
    worse = sum(gain[2] < 1 for gain in gains)
    waits = [one.row["first_improvement_s"] for one in slow if one.row["first_improvement_s"] is not None]
    first = f"{statistics.median(waits):.0f} s in the median" if waits else "never"
    yield (
        f"Of {len(slow)} kernels slower than {SLOW}x, of {len({one.row['family'] for one in slow})} families: "
        f"{mean:.2f} times the seed's speed in the geometric mean ({low:.2f} to {high:.2f}), {repaired} at {SLOW}x "
        f"or better, {worse} slower than the seed; first gain after {first}, at most "
        f"{max(one.row['seconds'] for one in slow):.0f} s a kernel."
    )
    yield ""


def _hits(rows: Sequence[Row]) -> Iterator[str]:
    names = sorted({name for row in rows for name in row["rewrites_tried"]})
    for name in names:
        tried, kept = (sum(name in row[f"rewrites_{what}"] for row in rows) for what in ("tried", "in_best"))
        yield f"| {name} | {tried} | {kept} |"


def tuning_table(rows: Sequence[Row]) -> str:
    """Of rows as `benchmarks.tuning` writes them; kernels that have not been through all parts are left out."""
    lines = [
        "## Knobs: a search of a few settings beside the full grid",
        "",
        f"`python -m benchmarks.tuning`; {_where(rows)}; {rows[0]['cores']} cores. Winners are timed against each "
        "other in interleaved rounds; `of the grid` is the speed over that of the grid's best setting, with its 95 % "
        "interval. The autotuner is TileLang's, over the same settings, with an empty cache.",
        "",
        "| kernel | settings | start | grid's best | search | of the grid | of the grid after 30 s "
        "| measured, seconds | autotuner | of the grid | seconds | grid, seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["kernel"] for row in rows):
        mine = [row for row in rows if row["kernel"] == name]
        parts = {row["part"]: row for row in mine if row["part"] not in ("grid", "grid time")}
        if parts.get("final", {}).get("outcome") == "measured":
            settings = sum(row["part"] == "grid" for row in mine)
            grid_s = sum(row["seconds"] for row in mine if row["part"] == "grid time")
            lines.append(_tuning_line(name, settings, grid_s, parts))
    return "\n".join(lines) + "\n"


def _tuning_line(name: str, settings: int, grid_s: float, parts: dict[str, Row]) -> str:
    final, tuned, autotuned = parts["final"], parts["tuned"], parts["autotuned"]
    names = [name for one in final["winners"].values() for name in one["names"] if name.startswith("grid")]
    grid = min((_times(final, name) for name in names), key=statistics.median)
    columns = [
        name,
        str(settings),
        _ms(_times(final, "start")),
        _ms(grid),
        _ms(_times(final, "tuned")),
        _over(_times(final, "tuned"), grid),
        _over(_times(final, "tuned in time"), grid),
        f"{tuned['measured']}, {tuned['seconds']:.0f} s",
        _ms(_times(final, "autotuned")),
        _over(_times(final, "autotuned"), grid),
        f"{autotuned['seconds']:.0f} s" if "seconds" in autotuned else "failed",
        f"{grid_s:.0f} s",
    ]
    return f"| {' | '.join(columns)} |"


def _times(final: Row, name: str) -> list[float]:
    """Of the setting that has that name among its names; [] where there is none."""
    first = next((first for first, one in final["winners"].items() if name in one["names"]), None)
    return final["times"][first] if first else []


def _over(times: Sequence[float], grid: Sequence[float]) -> str:
    if not times:
        return ""
    if times == grid:
        return "the same"
    ratio, low, high = median_interval([theirs / mine for mine, theirs in zip(times, grid)])
    return f"{ratio:.1%} ({low:.1%} to {high:.1%})"


def _ms(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.4f} ms" if times else ""


def _measurement(plain: Any) -> Measurement | None:
    found = evaluation(plain) if plain else None
    return found.measurement if isinstance(found, Measured) else None


def _gain(seed: Measurement, best: Measurement, unchanged: bool) -> Interval:
    """In pairs where the two were timed so, else the ends of the two intervals divided."""
    if unchanged:
        return 1.0, 1.0, 1.0
    paired = over(best, "seed")
    if paired:
        return paired.ratio, paired.low, paired.high
    return best.speedup_ratio / seed.speedup_ratio, best.low / seed.high, best.high / seed.low


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _where(rows: Sequence[Row]) -> str:
    gpus, commits = (", ".join(dict.fromkeys(str(row[name]) for row in rows)) for name in ("gpu", "commit"))
    return f"{gpus}; commit {commits}"
