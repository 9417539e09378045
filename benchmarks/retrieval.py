"""Does retrieval find relevant kernels, and how quickly?

python -m benchmarks.retrieval OUT.jsonl

Each query is the source of a problem's reference alone, without its name. Kernels for that problem and for its near
duplicates are left out, and `retrieval_relevance.toml`, which is older than the index, says what is relevant. A row
is a query. P@1 is the share of queries whose first answer is relevant, R@3 of those with a relevant one among the
first three. The last rows hold both, for other mixtures of operations and words too, and times over 300 kernels.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tilewright.judge import commit
from tilewright.problems import load_problem, problems_root
from tilewright.rag.corpus import Entry, read_corpus
from tilewright.rag.retriever import MultiturnOptimizationRAG
from tilewright.records import Candidate, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
FIRST = 3
TIMED_KERNELS = 300
MIXTURES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
NO_KERNEL = Candidate("")


def key(problem: Problem) -> str:
    """`1_97_ScaledDotProductAttention`"""
    return f"{problem.level}_{problem.name}"


def families_of(problem: Problem, table: Mapping[str, Sequence[str]]) -> set[str]:
    return {
        family
        for family, members in table.items()
        if any(key(problem) == member or key(problem).startswith(member + "_") for member in members)
    }


@dataclass(frozen=True)
class Truth:
    """The families of each kernel, by its path, and of each problem that is asked for."""

    kernels: Mapping[str, set[str]]
    queries: Sequence[tuple[Problem, set[str]]]


def truth(entries: Sequence[Entry]) -> Truth:
    """Asked for are the shipped problems that share a family with a kernel for another problem."""
    table = tomllib.loads((HERE / "retrieval_relevance.toml").read_text(encoding="utf-8"))["families"]
    members: dict[str, set[str]] = defaultdict(set)
    kernels = {entry.path: families_of(entry.problem, table) for entry in entries}
    for entry in entries:
        for family in kernels[entry.path]:
            members[family].add(key(entry.problem))
    problems = [load_problem(path) for path in sorted(problems_root().glob("level*/*.py"))]
    families = [families_of(problem, table) for problem in problems]
    asked = [(p, mine) for p, mine in zip(problems, families) if any(members[f] - {key(p)} for f in mine)]
    return Truth(kernels, asked)


def answered(rag: MultiturnOptimizationRAG, known: Truth) -> list[dict[str, Any]]:
    rows = []
    for problem, mine in known.queries:
        # The number only says whose kernels are left out; what is compared is the source.
        shown = rag.retrieve(replace(problem, name=""), NO_KERNEL, FIRST)
        rows.append(
            {
                "query": key(problem),
                "families": sorted(mine),
                "found": [[Path(example.path).stem, example.score] for example in shown],
                "relevant": [bool(mine & known.kernels[example.path]) for example in shown],
            }
        )
    return rows


def shares(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "queries": len(rows),
        "p_at_1": round(sum(row["relevant"][:1] == [True] for row in rows) / len(rows), 4),
        "r_at_3": round(sum(any(row["relevant"]) for row in rows) / len(rows), 4),
    }


def times(entries: Sequence[Entry], problems: Sequence[Problem]) -> dict[str, Any]:
    """Of an index over copies of the corpus, each with a comment of its own, so that nothing is known from before."""
    copies = [
        replace(entry, path=f"{number}/{entry.path}", source=f"# {number}\n{entry.source}")
        for number, entry in zip(range(TIMED_KERNELS), [*entries] * TIMED_KERNELS)
    ]
    began = time.perf_counter()
    rag = MultiturnOptimizationRAG(copies)
    built = time.perf_counter() - began
    taken, on_cpu = [], []
    for problem in problems:
        began, cpu_began = time.perf_counter(), time.process_time()
        rag.retrieve(problem, NO_KERNEL, FIRST)
        taken.append(1000 * (time.perf_counter() - began))
        on_cpu.append(1000 * (time.process_time() - cpu_began))
    return {
        "kernels": len(copies),
        "index_s": round(built, 3),
        "query_ms": round(statistics.median(taken), 2),
        "query_cpu_ms": round(statistics.median(on_cpu), 2),
        "slowest_query_ms": round(max(taken), 2),
    }


def main(out: Path) -> int:
    entries = read_corpus()
    known = truth(entries)
    rows = answered(MultiturnOptimizationRAG(entries), known)
    mixtures = [
        {"operations": share, **shares(answered(MultiturnOptimizationRAG(entries, operations_share=share), known))}
        for share in MIXTURES
    ]
    timed = times(entries, [problem for problem, _ in known.queries])
    summary = {"commit": commit(), "corpus": len(entries), **shares(rows), **timed}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *mixtures, summary]), encoding="utf-8")
    for row in [*(row for row in rows if row["relevant"][:1] != [True]), *mixtures, summary]:
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
