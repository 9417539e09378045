"""tilewright retrieve KERNEL"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP

if TYPE_CHECKING:
    from tilewright.records import Example


@click.command("retrieve")
@click.argument("kernel", required=False)
@click.option("--query", metavar="TEXT", help='Words instead of a kernel: "row-wise softmax".')
@click.option("-k", "count", type=click.IntRange(1), default=3, show_default=True, help="Examples at most.")
@click.option("--corpus", type=click.Path(path_type=Path), help="Folder with kernels instead of the shipped ones.")
@click.option("--reference", help="PyTorch reference: FILE, or FILE:FUNCTION for a plain function.")
@click.option("--problems", type=click.Path(path_type=Path), help="Folder with references, of a --corpus too.")
@click.option("--inputs", help='Shapes of a function: "fp16[4096,4096] fp16[4096,4096]".')
@click.option("--duplicates", is_flag=True, help="Show kernels for the same problem and for near duplicates too.")
@click.option("--embedding", metavar="MODEL", help="Rank by meaning too: openai/text-embedding-3-large.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def command(
    kernel: str | None,
    query: str | None,
    count: int,
    corpus: Path | None,
    reference: str | None,
    problems: Path | None,
    inputs: str | None,
    duplicates: bool,
    embedding: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Show kernels that compute what KERNEL computes, with the techniques in them.

    Kernels for the same problem are left out, at other sizes and near duplicates included.
    """
    if (kernel is None) == (query is None):
        raise click.UsageError("Give a kernel or --query TEXT.")
    from tilewright.kernelfile import load_kernel
    from tilewright.problems import problem_for
    from tilewright.rag.corpus import improved_in, read_corpus
    from tilewright.rag.embeddings import model_embedder, remembering
    from tilewright.rag.retriever import MultiturnOptimizationRAG
    from tilewright.store import stored_runs

    embedder = remembering(model_embedder(embedding), embedding, results / "embeddings.db") if embedding else None
    entries = read_corpus(corpus, problems if corpus else None) + improved_in(stored_runs(results))
    rag = MultiturnOptimizationRAG(entries, k=count, embedder=embedder, duplicates=duplicates)
    if kernel is None:
        examples = rag.search(str(query))
    else:
        loaded = load_kernel(kernel)
        problem = problem_for(loaded, reference=reference, problems=problems, inputs=inputs)
        examples = rag.retrieve(problem, loaded.candidate)
    if as_json:
        line(json.dumps({"kernel": kernel, "query": query, "examples": [_fields(each) for each in examples]}))
        return
    for example in examples:
        line(_text(example))
    click.echo(f"{len(examples)} of {len(entries)} kernels", err=True)


def _fields(example: Example) -> dict[str, Any]:
    before = example.before
    return {
        "path": example.path,
        "problem": example.problem,
        "score": example.score,
        "techniques": list(example.techniques),
        "why": example.why,
        "speedup_ratio": example.speedup_ratio,
        "gpu": example.gpu or None,
        "before": {"speedup_ratio": before.speedup_ratio} if before else None,
    }


def _text(example: Example) -> str:
    ratio = "not measured"
    if example.speedup_ratio is not None:
        ratio = f"{example.speedup_ratio:.3f}x" + (f" on {example.gpu}" if example.gpu else "")
    if example.before and example.before.speedup_ratio is not None:
        ratio += f", from {example.before.speedup_ratio:.3f}x"
    return (
        f"{example.score:.2f} {example.path} {example.problem} ({ratio})\n"
        f"     {example.why}\n     techniques: {', '.join(example.techniques) or 'none recognised'}"
    )
