"""Are the findings right?

python -m benchmarks.findings OUT.jsonl           each kernel of `planted_causes.toml`, compiled for an H100
python -m benchmarks.findings OUT.jsonl --again   with the evidence that is stored there

No GPU is needed. A row holds the evidence and what was found, in order; `named_first` and `false_first` hold a row
against the labels. A kernel whose evidence is stored is not compiled again: delete its row, or the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tilewright import jsonform
from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.rules import built_in_rules
from tilewright.channel import WorkerHost
from tilewright.gates.compile import CompileGate
from tilewright.gates.static import StaticGate
from tilewright.hardware import load_gpu
from tilewright.judge import commit
from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.protocols import Gate
from tilewright.records import Candidate, Evidence, Problem
from tilewright.search.gating import through

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
GPU = "H100"
FIRST = 3


@dataclass(frozen=True)
class Labelled:
    """A kernel and the rules that hold of it: `planted` with the main fault first, `present` besides."""

    name: str
    candidate: Candidate
    problem: Problem
    planted: tuple[str, ...]
    present: tuple[str, ...]


def labelled() -> Iterator[Labelled]:
    """The corpus, then its variants. Raises `ValueError` where a text to replace is not there."""
    table = tomllib.loads((HERE / "planted_causes.toml").read_text(encoding="utf-8"))
    for name, labels in table["corpus"].items():
        yield _labelled(name, name, [], labels)
    for variant in table["variant"]:
        yield _labelled(variant["name"], variant["kernel"], variant["replace"], variant)


def gathered(one: Labelled, gates: Sequence[Gate]) -> dict[str, Any]:
    """What static rules and the compiler find out, and whether they let it pass."""
    verdict = through(gates, one.candidate, one.problem)
    failure = verdict.failure.outcome if verdict.failure else ""
    return {
        "kernel": one.name,
        "candidate": one.candidate.id,
        "gpu": GPU,
        "commit": commit(),
        "failure": failure,
        "evidence": jsonform.to_plain(verdict.evidence),
    }


def analysed(one: Labelled, row: dict[str, Any]) -> dict[str, Any]:
    """The row with the labels as they are now, and what the rules now say."""
    evidence = jsonform.from_plain(Evidence, row["evidence"])
    found = PerformanceAnalyzer(built_in_rules()).analyze(one.candidate, one.problem, evidence)
    labels = {"planted": list(one.planted), "present": list(one.present)}
    return {**row, **labels, "found": [[f.rule, f.saves, f.line] for f in found]}


def stored(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by the id of their candidate and their name."""
    if not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["candidate"] + row["kernel"]: row for row in rows}


def named_first(row: dict[str, Any]) -> bool:
    """Whether the main planted cause is among the first rules that are named."""
    return row["planted"][0] in rules_of(row)[:FIRST]


def false_first(row: dict[str, Any]) -> bool:
    """Whether the first finding is one that the kernel has not."""
    return bool(row["found"]) and row["found"][0][0] not in {*row["planted"], *row["present"]}


def rules_of(row: dict[str, Any]) -> list[str]:
    """Each rule at its first finding: two kernels of a module may have the same fault."""
    return list(dict.fromkeys(rule for rule, *_ in row["found"]))


def _labelled(name: str, kernel: str, replace: Sequence[Sequence[str]], labels: dict[str, Any]) -> Labelled:
    loaded = load_kernel(kernel)
    source = loaded.candidate.source
    for old, new in replace:
        if old not in source:
            raise ValueError(f"variant {name!r}: {old!r} is not in {kernel}")
        source = source.replace(old, new)
    planted, present = tuple(labels.get("planted", ())), tuple(labels.get("present", ()))
    return Labelled(name, Candidate(source), problem_for(loaded), planted, present)


def main(out: Path, again: bool) -> int:
    known = stored(out)
    rows: list[dict[str, Any]] = []
    with WorkerHost("cpu", GPU) as host:
        gates: list[Gate] = [StaticGate(), CompileGate(host, load_gpu(GPU))]
        for one in labelled():
            key = one.candidate.id + one.name
            if key not in known:
                if again:
                    continue
                known[key] = gathered(one, gates)
                _write(out, known.values())
            rows.append(analysed(one, known[key]))
            print(_line(rows[-1]), flush=True)
    _write(out, rows)
    planted = [row for row in rows if row["planted"]]
    print(f"{sum(map(named_first, planted))} of {len(planted)} planted causes are among the first {FIRST} findings")
    print(f"{sum(map(false_first, rows))} of {len(rows)} kernels have a wrong first finding")
    return 0


def _write(out: Path, rows: Iterable[dict[str, Any]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    wrong = "FALSE FIRST" if false_first(row) else "" if not row["planted"] or named_first(row) else "MISSED"
    text = " | ".join(f"{rule} {saves:.2f}" for rule, saves, _ in row["found"][:5])
    return f"{row['kernel']:44.44} {wrong:11} {text} {row['failure']}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--again" in sys.argv[2:]))
