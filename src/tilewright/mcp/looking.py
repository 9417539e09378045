"""Tools that look and change nothing: which kernels are there, and which are like this one?"""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from tilewright.errors import UsageError
from tilewright.kernelfile import load_kernel
from tilewright.listing import list_kernels, slow_kernels
from tilewright.mcp.answers import Example, Kernel, Kernels
from tilewright.mcp.explaining import explained
from tilewright.mcp.judging import Inputs, Precision, Problems, Reference, short_or_none
from tilewright.mcp.project import Project, short
from tilewright.problems import problem_for
from tilewright.rag.corpus import improved_in, read_corpus
from tilewright.rag.retriever import MultiturnOptimizationRAG
from tilewright.store import stored_runs

LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def add_tools(server: MCPServer[None], project: Project) -> None:
    @server.tool(title="List kernels", annotations=LOOKS, name="list_kernels")
    @explained()
    def listing(
        folder: Annotated[str | None, Field(description="In the project; without it the shipped ones.")] = None,
        slow_only: Annotated[bool, Field(description="Those below `threshold` alone, slowest first.")] = True,
        threshold: Annotated[float, Field(gt=0, description="Speedup over PyTorch eager.")] = 0.8,
        count: Annotated[int, Field(ge=1, le=500)] = 50,
    ) -> Kernels:
        """Kernels with their measured speedups over PyTorch eager. The slow ones are worth optimising."""
        root = project.folder(folder, "folder")
        found = slow_kernels(threshold, root).kernels if slow_only else list_kernels(root)
        rows = [
            Kernel(kernel=str(k.path), problem=k.problem, speedup_ratio=k.speedup_ratio, category=k.category)
            for k in found[:count]
        ]
        return Kernels(kernels=rows, left_out=max(0, len(found) - count))

    @server.tool(title="Find similar kernels", annotations=LOOKS)
    @explained()
    def find_similar_kernels(
        kernel: Annotated[str | None, Field(description="What to find others like; or give `query`.")] = None,
        query: Annotated[str | None, Field(description="In words, such as: row-wise softmax in fp16.")] = None,
        count: Annotated[int, Field(ge=1, le=10)] = 3,
        reference: Reference = None,
        problems: Problems = None,
        inputs: Inputs = None,
        precision: Precision = "fp16",
        corpus: Annotated[str | None, Field(description="A folder of kernels in the project to search too.")] = None,
    ) -> list[Example]:
        """How similar kernels were made fast: whole sources, best fit first, with the techniques in them."""
        if (kernel is None) == (query is None):
            raise UsageError("Give a kernel or a query, one of both.")
        entries = [*read_corpus(), *improved_in(stored_runs(project.results))]
        folder = project.folder(corpus, "corpus")
        if folder:
            entries += read_corpus(folder)
        rag = MultiturnOptimizationRAG(entries, k=count)
        if kernel is None:
            found = rag.search(short("query", str(query)))
        else:
            loaded = load_kernel(project.kernel(kernel))
            problem = problem_for(
                loaded,
                reference=project.reference(reference),
                problems=project.folder(problems, "problems"),
                inputs=short_or_none(inputs),
                precision=precision,
            )
            found = rag.retrieve(problem, loaded.candidate)
        return [
            Example(
                path=one.path,
                problem=one.problem,
                why=one.why,
                techniques=list(one.techniques),
                speedup_ratio=one.speedup_ratio,
                source=one.source,
            )
            for one in found
        ]
