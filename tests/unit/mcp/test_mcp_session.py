"""An agent drives tilewright over the Model Context Protocol: a whole optimisation, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tilewright.kernelfile import corpus_root

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")
Session = Callable[[Any], Awaitable[None]]
TINY = {"kernel": "1_48", "model": "none", "max_iterations": 1, "tune_budget": 1, "candidates": 1}


def serve(folder: Path, session: Session) -> None:
    """A session with `tilewright mcp`, as an agent starts it: another process, standard input and output."""

    async def drive() -> None:
        arguments = ["-m", "tilewright", "mcp", "--project", str(folder), "--evaluator", "offline"]
        server = mcp.StdioServerParameters(command=sys.executable, args=arguments)
        async with mcp.Client(mcp.stdio_client(server)) as client:
            await session(client)

    anyio.run(drive)


async def answer(client: Any, tool: str, **arguments: Any) -> Any:
    answered = await client.call_tool(tool, arguments)
    assert not answered.is_error, answered.content[0].text
    return answered.structured_content


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    answered = await client.call_tool(tool, arguments)
    assert answered.is_error
    return str(answered.content[0].text)


def test_an_agent_analyses_rewrites_evaluates_and_optimises_a_shipped_kernel(tmp_path: Path) -> None:
    heard: list[str] = []
    shipped = sorted(corpus_root().rglob("1_48*"))

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def judged(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
        """Its own work takes as long as it takes."""
        given = await client.call_tool(tool, {"wait_s": 0.5, **arguments}, progress_callback=hear)
        assert not given.is_error, given.content[0].text
        found: dict[str, Any] = given.structured_content
        while found["state"] == "working":
            found = await answer(client, "get_answer", job=found["job"], wait_s=5)
        return dict(found["result"])

    async def agent(client: Any) -> None:
        listed = await answer(client, "list_kernels", slow_only=False, count=500)
        assert any(row["kernel"].endswith("1_48.py") for row in listed["kernels"])

        # The run goes on while the agent thinks for itself.
        begun = await answer(client, "start_run", **TINY)
        assert begun["state"] == "running" and begun["attempts"] == 0
        run = begun["run"]

        analysis = await judged(client, "analyze_kernel", kernel="1_48")
        assert analysis["limit"]["measured"] is False and "Not known" in analysis["text"]
        [similar] = (await answer(client, "find_similar_kernels", kernel="1_48", count=1))["result"]
        assert "ModelNew" in similar["source"]

        source = (corpus_root() / "level1" / "1_48.py").read_text(encoding="utf-8")
        wrong = await judged(
            client, "evaluate_candidate", kernel="1_48", source=source.replace("/= reduced", "/= reduced * 2")
        )
        assert wrong["outcome"] == "wrong" and "first at" in wrong["reasons"][0]["message"]
        right = await judged(client, "evaluate_candidate", kernel="1_48", source=source)
        low, high = right["estimated_interval_ms"]
        assert right["outcome"] == "estimated" and low < right["estimated_ms"] < high

        state = begun
        while state["state"] == "running":
            watched = await client.call_tool("watch_run", {"run": run, "wait_s": 10}, progress_callback=hear)
            state = watched.structured_content
        assert state["stop_reason"] == "iterations" and state["attempts"] >= 2 and state["saved"] is None
        assert state["best"]["estimated_ms"] > 0 and state["best"]["speedup_ratio"] is None
        assert any(said.startswith("#0 ") for said in heard)  # what was being tried, where it was watched in time
        assert any("the first takes longest" in s for s in heard)

        history = await answer(client, "run_history", run=run, first=1, count=1)
        assert history["attempts"][0]["code_change"] and history["left_out"] == state["attempts"] - 2
        best = await answer(client, "best_kernel", run="last")
        resource = await client.read_resource(f"tilewright://runs/{run}/best.py")
        assert resource.contents[0].text == best["source"] and "class ModelNew" in best["source"]
        assert best["attempt"] == state["best"]["attempt"] and best["speedup_ratio"] is None
        listed = {str(one.uri): one for one in (await client.list_resources()).resources}
        assert listed[f"tilewright://runs/{run}/best.py"].mime_type == "text/x-python" and len(listed) == 3
        report = await client.read_resource(f"tilewright://runs/{run}/report.md")
        assert run in report.contents[0].text
        assert (await answer(client, "lessons"))["result"] == []
        assert [one["run"] for one in (await answer(client, "list_runs"))["runs"]] == [run]

    serve(tmp_path, agent)
    assert sorted(corpus_root().rglob("1_48*")) == shipped, "nothing is written beside a shipped kernel"


def test_what_is_outside_too_large_or_unknown_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("class ModelNew: pass\n")
    project = tmp_path / "project"
    project.mkdir()

    async def agent(client: Any) -> None:
        for tool in ("analyze_kernel", "brief_kernel", "evaluate_candidate", "start_run"):
            assert "outside of the project folder" in await refusal(client, tool, kernel="../outside.py")
        assert "outside of the project" in await refusal(client, "list_kernels", folder="..")
        assert "outside of the project" in await refusal(client, "start_run", kernel="1_48", model="file:../asked")
        assert "200,000" in await refusal(client, "evaluate_candidate", kernel="1_48", source="#" * 200_001)
        assert "4,000" in await refusal(client, "find_similar_kernels", query="x" * 4_001)
        assert "one of both" in await refusal(client, "find_similar_kernels")
        assert "list_kernels with slow_only=false" in await refusal(client, "analyze_kernel", kernel="1_999")
        assert "Start one: start_run" in await refusal(client, "best_kernel", run="last")
        assert (await answer(client, "list_runs"))["runs"] == [] == (await answer(client, "lessons"))["result"]
        assert not (await client.list_resources()).resources
        assert "source: line 1: not Python" in await refusal(
            client, "evaluate_candidate", kernel="1_48", source="def f(:"
        )
        assert "inputs gives a function" in await refusal(client, "analyze_kernel", kernel="1_48", inputs="fp16[8]")
        misspelt = await refusal(client, "evaluate_candidate", kernel="1_48", efort="quick")
        assert "no argument 'efort'" in misspelt and "Did you mean 'effort'?" in misspelt
        precision = await refusal(client, "analyze_kernel", kernel="1_48", precision="fp8")
        assert precision == "analyze_kernel: precision: Input should be 'fp16', 'bf16' or 'fp32'"
        assert "Did you mean 'list_runs'?" in await refusal(client, "list_run")
        assert "max_usd" in await refusal(client, "start_run", kernel="1_48", model="openai/o3")
        assert "holds no run yet" in await refusal(client, "watch_run", run="nope")
        assert "no job 'nope'" in await refusal(client, "get_answer", job="nope")
        with pytest.raises(mcp.MCPError, match="holds no run yet"):
            await client.read_resource("tilewright://runs/nope/best.py")

        begun = await answer(client, "start_run", **TINY)
        assert "The last ones: " + begun["run"] in await refusal(client, "watch_run", run="nope")
        assert "goes on already" in await refusal(client, "resume_run", run=begun["run"])
        stopped = await answer(client, "stop_run", run=begun["run"])
        while stopped["state"] == "running":
            stopped = await answer(client, "watch_run", run=begun["run"], wait_s=5)
        assert stopped["stop_reason"] == "interrupted" and "resume_run" in stopped["next"]
        assert "nothing to stop" in await refusal(client, "stop_run", run=begun["run"])

    serve(project, agent)


def test_every_tool_is_described_and_answers_with_a_schema(tmp_path: Path) -> None:
    async def agent(client: Any) -> None:
        for tool in (await client.list_tools()).tools:
            assert tool.description and tool.title and tool.output_schema and tool.annotations, tool.name
            assert tool.input_schema["additionalProperties"] is False

    serve(tmp_path, agent)
