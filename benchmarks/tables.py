"""The published tables, recomputed from raw pair samples: python -m benchmarks.tables [--check]

Reads benchmarks/results/*.jsonl, writes benchmarks/RESULTS.md; --check fails where the file differs from what the
samples say, or where a stored ratio isn't the median of its own pairs.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cost_tables import analyzing_table, checking_table, compiling_table
from benchmarks.findings import false_first, named_first
from benchmarks.recomputed import evaluation as _evaluation
from benchmarks.recomputed import same as _same
from benchmarks.search_tables import heldout_table, tuning_table
from tilewright.records import Evaluation, Measured
from tilewright.worker.timing.intervals import median_interval

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / "RESULTS.md"
_ROUNDED = 5e-3
"""For pairs that were stored in ms with five decimals: of a kernel of 5 us that is a fifth of a percent."""


def main(arguments: Sequence[str]) -> int:
    text = render(HERE / "results")
    if "--check" not in arguments:
        OUTPUT.write_text(text, encoding="utf-8")
        return 0
    if OUTPUT.exists() and OUTPUT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{OUTPUT} differs from what benchmarks/results say; run: python -m benchmarks.tables", file=sys.stderr)
    return 1


def render(results: Path) -> str:
    """All tables. Raises `ValueError` where a stored number isn't what its samples give."""
    parts = ["# Results\n\nMade by `python -m benchmarks.tables` from the raw pairs in `benchmarks/results/`.\n"]
    seeds = list(_rows(results / "seeds.jsonl"))
    if seeds:
        parts.append(_seed_table(seeds))
    optimized = list(_rows(results / "optimized.jsonl"))
    if optimized:
        parts.append(_gain_table("Optimised without a model", _OPTIMIZED_INTRO, optimized))
    picks = list(_rows(results / "offline_picks.jsonl"))
    if picks:
        parts.append(_gain_table("What the offline run picked, measured afterwards", _PICKS_INTRO, picks))
    heldout = list(_rows(results / "heldout.jsonl"))
    if heldout:
        parts.append(heldout_table(heldout))
    tuned = list(_rows(results / "tuning.jsonl"))
    if tuned:
        parts.append(tuning_table(tuned))
    samples = list(_rows(results / "samples.jsonl"))
    if samples:
        parts.append(_sample_table(samples))
    mutated = list(_rows(results / "mutants.jsonl"))
    if mutated:
        parts.append(_mutant_table(mutated))
    judged = list(_rows(results / "evaluator.jsonl"))
    if judged:
        parts.append(_evaluator_tables(judged))
    killed = list(_rows(results / "kill_anything.jsonl"))
    if killed:
        parts.append(_kill_table(killed))
    clusters = list(_rows(results / "cluster.jsonl"))
    if clusters:
        parts.append(_cluster_table(clusters))
    retrieved = list(_rows(results / "retrieval.jsonl"))
    if retrieved:
        parts.append(_retrieval_table(retrieved))
    found = list(_rows(results / "findings.jsonl"))
    if found:
        parts.append(_finding_table(found))
    analysed = list(_rows(results / "analyzing.jsonl"))
    if analysed:
        parts.append(analyzing_table(analysed))
    checked = list(_rows(results / "checking.jsonl"))
    if checked:
        parts.append(checking_table(checked))
    compiled = list(_rows(results / "compiling.jsonl"))
    if compiled:
        parts.append(compiling_table(compiled))
    return "\n".join(parts)


_OPTIMIZED_INTRO = (
    "`tilewright optimize KERNEL --model none` on the shipped slow kernels. `gain` is best over seed, each against "
    "PyTorch eager in interleaved pairs; its interval divides the ends of the two intervals (low by high, high by "
    "low), so it is wider than either."
)
_PICKS_INTRO = (
    "The candidate chosen by an offline run (compiled, executed on a CPU, times estimated), measured on a GPU "
    "afterwards. `gain` as above."
)


def _seed_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "## The shipped kernels as they are",
        "",
        _where([_evaluation(row["evaluation"]) for row in rows], rows),
        "",
        "| kernel | problem | speedup over eager | 95 % interval | kernel time | eager time | pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: _order(row["kernel"])):
        evaluation = _evaluation(row["evaluation"])
        if not isinstance(evaluation, Measured):
            lines.append(f"| {row['kernel']} | {row['problem']} | {evaluation.outcome} | | | | |")
            continue
        m = evaluation.measurement
        t = m.timings[0]
        lines.append(
            f"| {row['kernel']} | {row['problem']} | {m.speedup_ratio:.3f}x | {m.low:.3f} to {m.high:.3f} "
            f"| {t.candidate_ms * 1000:.1f} us | {t.baseline_ms * 1000:.1f} us | {len(t.pairs)} |"
        )
    return "\n".join(lines) + "\n"


def _sample_table(rows: list[dict[str, Any]]) -> str:
    """What was measured of the deceitful ones without a gain, or against a static rule, is no win."""
    measured = [row for row in rows if "gpu" in row]
    gpus, commits = dict.fromkeys(row["gpu"] for row in measured), dict.fromkeys(row["commit"] for row in rows)
    lines = [
        "## Samples through the verifier on a GPU",
        "",
        f"{', '.join(gpus)}; commit {', '.join(commits)}; `python -m benchmarks.samples`.",
        "",
        "| samples | given | refused by the verifier | measured | false wins | honest ones refused |",
        "|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(row["group"] for row in rows):
        mine = [row for row in rows if row["group"] == group]
        passed = [row["sample"] for row in mine if row["outcome"] == "measured"]
        wins = [row["sample"] for row in mine if row["false_win"]]
        refused = [row["sample"] for row in mine if row["outcome"] != "measured"] if group == "honest" else []
        named = [f"{len(names)}{' (' + ', '.join(names) + ')' if names else ''}" for names in (wins, refused)]
        lines.append(
            f"| {group} | {len(mine)} | {len(mine) - len(passed)} | {len(passed)} | {named[0]} | {named[1]} |"
        )
    return "\n".join(lines) + "\n"


def _mutant_table(rows: list[dict[str, Any]]) -> str:
    """One line a bug class; each mutant that was neither rejected nor equivalent is named below."""
    honest = [row for row in rows if row["bug"] == "none"]
    rows = [row for row in rows if row["bug"] != "none"]
    outcomes = Counter(row["outcome"] for row in rows if row["verdict"] == "rejected").most_common()
    refused = sum(row["verdict"] == "rejected" for row in honest)
    equal = [row for row in rows if row["verdict"] == "equivalent"]
    proved = sum(row["why"] != "identical generated code" for row in equal)
    share = sum(row["verdict"] == "rejected" for row in rows) / max(1, len(rows) - len(equal))
    places = {(row["where"], *(f"{name} {row['versions'][name]}" for name in ("torch", "tilelang"))) for row in rows}
    lines = [
        "## Bugs put into the shipped kernels",
        "",
        f"Judged on: {'; '.join(', '.join(place) for place in sorted(places))}; "
        f"commit {', '.join(sorted({row['commit'] for row in rows}))}",
        "",
        f"{len(rows)} mutants. {len(equal)} ({len(equal) / max(1, len(rows)):.1%}) are equivalent: "
        f"{len(equal) - proved} by identical generated code, {proved} by a proof. Of the others {share:.1%} were "
        f"rejected ({', '.join(f'{name} {count}' for name, count in outcomes)}). "
        f"Of the {len(honest)} kernels as they are {refused} were rejected.",
        "",
        "| bug | mutants | rejected | equivalent | neither |",
        "|---|---|---|---|---|",
    ]
    for bug in [*sorted({row["bug"] for row in rows}), "all"]:
        mine = [row["verdict"] for row in rows if bug in (row["bug"], "all")]
        rejected, equivalent = mine.count("rejected"), mine.count("equivalent")
        lines.append(f"| {bug} | {len(mine)} | {rejected} | {equivalent} | {len(mine) - rejected - equivalent} |")
    left = [row for row in rows if row["verdict"] not in ("rejected", "equivalent")]
    lines += ["", *(f"- {r['kernel']} line {r['line']}, {r['description']}: {r['outcome']}" for r in left)]
    return "\n".join(lines) + "\n"


def _evaluator_tables(rows: list[dict[str, Any]]) -> str:
    kinds = ("same", "padded", "throughput", "verdicts")
    without = Counter(f"{row['benchmark']} ({row['outcome']})" for row in rows if "outcome" in row)
    rows = [row for row in rows if "outcome" not in row]
    by = {name: [row for row in rows if row["benchmark"] == name] for name in kinds}
    commits = ", ".join(dict.fromkeys(row["commit"] for row in rows))
    gpus = ", ".join(dict.fromkeys(row["gpu"] for row in rows))
    lines = ["## The evaluator itself", "", f"{gpus}; commit {commits}; `python -m benchmarks.evaluator`.", ""]
    if without:
        lines += [f"Without a time: {', '.join(f'{count} of {what}' for what, count in without.items())}.", ""]
    if by["same"]:
        lines += [
            "A kernel against itself in another process:",
            "",
            "| kernel | time | comparisons | more than 1 % apart | median distance from 1 | largest |",
            "|---|---|---|---|---|---|",
            *_same_lines(by["same"]),
            "",
        ]
    if by["padded"]:
        lines += [
            "A kernel with more work against the same without:",
            "",
            "| work | comparisons | found slower | interval below 1 | median ratio |",
            "|---|---|---|---|---|",
            *_padded_lines(by["padded"]),
            "",
        ]
    for row in by["throughput"]:
        outcomes = ", ".join(f"{count} {name}" for name, count in row["outcomes"].items())
        what = f"{row['evaluations']} settings of {row['kernel']} in {row['seconds']} s"
        lines += [f"{what}: {row['a_minute']} a minute ({outcomes}).", ""]
    if by["verdicts"]:
        lines += ["| verdict | kernel | kernel time | seconds | trust |", "|---|---|---|---|---|"]
        for row in by["verdicts"]:
            time = f"{1000 * row['candidate_ms']:.0f} us"
            lines.append(f"| {row['effort']} | {row['kernel']} | {time} | {row['seconds']} | {row['trust']} |")
    return "\n".join(lines).rstrip() + "\n"


def _same_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    kernels = dict.fromkeys(row["kernel"] for row in rows)
    for name in (*kernels, ""):
        mine = [row for row in rows if name in ("", row["kernel"])]
        for row in mine if name else ():
            _same(row["ratio"], median_interval([b / c for c, b in row["pairs"]])[0], f"ratio of {name}", _ROUNDED)
        apart = sorted(abs(row["ratio"] - 1) for row in mine)
        time = f"{1000 * median_interval([row['candidate_ms'] for row in mine])[0]:.1f} us" if name else ""
        yield (
            f"| {name or 'all'} | {time} | {len(mine)} | {sum(distance > 0.01 for distance in apart)} "
            f"| {apart[len(apart) // 2]:.2%} | {apart[-1]:.2%} |"
        )


def _padded_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for work in sorted({row["work"] for row in rows}):
        mine = [row for row in rows if row["work"] == work]
        slower, surely = sum(row["ratio"] < 1 for row in mine), sum(row["high"] < 1 for row in mine)
        ratio = median_interval([row["ratio"] for row in mine])[0]
        yield f"| {work:.2f}x | {len(mine)} | {slower} | {surely} | {ratio:.4f} |"


def _kill_table(rows: list[dict[str, Any]]) -> str:
    kills = [row for row in rows if "role" in row]
    lines = [
        "## Processes killed at random moments",
        "",
        "`python -m benchmarks.kill_anything`: SIGKILL, then everything stored before must be there, once.",
        "",
        "| process | kills | evaluations lost | stored twice | processes or files left |",
        "|---|---|---|---|---|",
    ]
    for role in dict.fromkeys(row["role"] for row in kills):
        mine = [row for row in kills if row["role"] == role]
        lost, twice = sum(not row["kept"] for row in mine), sum(row["twice"] for row in mine)
        lines.append(f"| {role} | {len(mine)} | {lost} | {twice} | {sum(len(row['left']) for row in mine)} |")
    return "\n".join(lines) + "\n"


def _cluster_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "## A batch on a simulated cluster",
        "",
        f"`python -m benchmarks.cluster`: {rows[0]['kernels']} kernels on {rows[0]['gpus']} GPUs, simulated, that "
        "take recorded times and lose one evaluation in twenty. Nothing real was measured but the driver: its share "
        "of a core, and its memory.",
        "",
        "| times | evaluations | lost, asked again | missing in the end | busy, mean | busy, least | driver |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = "as recorded" if row["quicker"] == 1 else f"{row['quicker']:g} times as fast"
        busy = [f"{row['busy'][which]:.1%}" for which in ("mean", "least")]
        driver = f"{row['driver']['cores']:.3f} cores, {row['driver']['peak_mb']} MB"
        counts = f"{row['evaluations']} | {row['lost']} | {row['missing'] + row['abandoned']}"
        lines.append(f"| {times} | {counts} | {busy[0]} | {busy[1]} | {driver} |")
    return "\n".join(lines) + "\n"


def _finding_table(rows: list[dict[str, Any]]) -> str:
    planted = [row for row in rows if row["planted"]]
    named, wrong = sum(map(named_first, planted)), sum(map(false_first, rows))
    lines = [
        "## Findings on kernels whose faults are known",
        "",
        f"`python -m benchmarks.findings`: compiled for an {rows[0]['gpu']}, nothing measured. The main fault is "
        f"among the first three findings for {named} of {len(planted)} slow kernels; the first is one that the "
        f"kernel has not for {wrong} of {len(rows)}. The rules were written, and the labels completed, with these "
        "kernels in view: kernels that they have not seen are another matter.",
        "",
        "| kernel | planted | first three findings (share of the time that they could save) |",
        "|---|---|---|",
    ]
    for row in rows:
        first: dict[str, float] = {}
        for rule, saves, _ in row["found"]:
            first.setdefault(rule, saves)
        three = ", ".join(f"{rule} {saves:.0%}" for rule, saves in list(first.items())[:3])
        lines.append(f"| {row['kernel']} | {row['planted'][0] if row['planted'] else ''} | {three} |")
    return "\n".join(lines) + "\n"


def _retrieval_table(rows: list[dict[str, Any]]) -> str:
    queries = [row for row in rows if "query" in row]
    summary = next(row for row in rows if "corpus" in row)
    first = sum(row["relevant"][0] for row in queries) / len(queries)
    among = sum(any(row["relevant"][:3]) for row in queries) / len(queries)
    _same(summary["p_at_1"], first, "the share of queries answered first", 5e-5)
    _same(summary["r_at_3"], among, "the share of queries answered among the first three", 5e-5)
    lines = [
        "## Retrieval",
        "",
        f"{len(queries)} references as queries over {summary['corpus']} kernels, the same problem and near "
        "duplicates left out; relevant is a kernel of the same operator family, by a table that was committed before "
        f"the index (`benchmarks/retrieval_relevance.toml`). Commit {summary['commit']}.",
        "",
        "| weight of operations against words | first is relevant | one of three is |",
        "|---|---|---|",
    ]
    lines += [f"| {r['operations']} | {r['p_at_1']:.2f} | {r['r_at_3']:.2f} |" for r in rows if "operations" in r]
    lines += [
        "",
        f"As shipped {first:.2f} and {among:.2f}. Over {summary['kernels']} kernels: index {summary['index_s']} s, a "
        f"query {summary['query_ms']} ms in the median, {summary['slowest_query_ms']} ms at most (two cores of a "
        "shared machine).",
        "",
    ]
    return "\n".join(lines)


def _gain_table(title: str, intro: str, rows: list[dict[str, Any]]) -> str:
    everything = [_evaluation(row[part]["evaluation"]) for row in rows for part in ("seed", "best")]
    lines = [
        f"## {title}",
        "",
        intro,
        "",
        _where(everything, rows),
        "",
        "| kernel | seed | best | gain | 95 % interval of the gain | candidates | candidate |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: _order(row["kernel"])):
        seed, best = (_evaluation(row[part]["evaluation"]) for part in ("seed", "best"))
        if not isinstance(seed, Measured) or not isinstance(best, Measured):
            lines.append(f"| {row['kernel']} | {seed.outcome} | {best.outcome} | | | | |")
            continue
        a, b = seed.measurement, best.measurement
        gain = b.speedup_ratio / a.speedup_ratio
        lines.append(
            f"| {row['kernel']} | {a.speedup_ratio:.3f}x | {b.speedup_ratio:.3f}x | {gain:.2f}x "
            f"| {b.low / a.high:.2f} to {b.high / a.low:.2f} | {row.get('attempts', '')} "
            f"| {row['best']['candidate']} |"
        )
    return "\n".join(lines) + "\n"


def _where(evaluations: Sequence[Evaluation], rows: Sequence[dict[str, Any]]) -> str:
    """GPU, versions, commit: the same for all rows, or each of them named."""
    commits = ", ".join(sorted({str(row["commit"]) for row in rows}))
    seen = []
    for evaluation in evaluations:
        if isinstance(evaluation, Measured):
            versions = ", ".join(f"{name} {value}" for name, value in evaluation.measurement.versions)
            text = f"{evaluation.measurement.device} ({versions}; clock: {evaluation.measurement.clock})"
            if text not in seen:
                seen.append(text)
    return f"Measured on: {'; '.join(seen)}; commit {commits}"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _order(name: str) -> tuple[int, int, str]:
    level, number, *_ = name.removesuffix(".py").split("_")
    return int(level), int(number), name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
