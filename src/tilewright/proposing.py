"""Who proposes candidates, as a run's options say: rewrites, a knob search, a language model with its examples?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tilewright.analysis.limit import share_reached
from tilewright.analysis.llm_rule import LlmRule
from tilewright.config import Settings
from tilewright.hardware import Gpu
from tilewright.lm import Budget, Model, Patience, Transcript, open_model, spent_on, transcript_path
from tilewright.proposers.llm.knobs import KnobChooser
from tilewright.proposers.rewrites import RewriteProposer
from tilewright.proposers.tuner import KnobTuner
from tilewright.protocols import Proposer, Retriever, Watcher
from tilewright.rag.corpus import improved_in, read_corpus
from tilewright.rag.embeddings import model_embedder, remembering
from tilewright.rag.retriever import MultiturnOptimizationRAG
from tilewright.records import Interaction
from tilewright.store import Store, stored_runs


def structure_proposers(settings: Settings, model: Model | None, watcher: Watcher) -> Sequence[Proposer]:
    """The built-in rewrites, and the language model where there is one."""
    rewrites = [RewriteProposer(settings.candidates)] if settings.candidates else []
    if model is None or not settings.hypotheses:
        return rewrites
    from tilewright.proposers.llm import LlmProposer

    own = settings.instructions
    reading = LlmRule(model, settings.custom_analysis_prompt or "", own)
    return [*rewrites, LlmProposer(model, reading.of_brief, settings.hypotheses, watcher.note, own, share_reached)]


def knob_search(settings: Settings, gpu: Gpu, model: Model | None, watcher: Watcher) -> Proposer | None:
    """None where knobs aren't searched: not wanted, or the first right kernel is all that is."""
    if not settings.tune_budget or (settings.generate and not settings.optimize):
        return None
    search = KnobTuner(gpu, settings.tune_budget * settings.max_iterations, settings.seed)
    return KnobChooser(search, model, watcher.note) if model and settings.knobs == "model" else search


@contextmanager
def model_for(
    settings: Settings,
    store: Store,
    watcher: Watcher,
    patience: Patience,
    about: str,
    run_id: str = "",
    budget: Budget | None = None,
) -> Iterator[Model | None]:
    """The language model, each exchange with which is written down as it happens, and stored where it is a run's.

    `about` (a kernel's path) names the transcript. A run has a budget of its own unless it shares one.
    """
    if not settings.models:
        yield None
        return
    transcript = Transcript(transcript_path(settings.results, about))
    earlier = store.interactions(run_id)
    if budget is None:
        budget = spent_on(earlier, settings.max_usd, settings.max_tokens)

    def say(told: Interaction) -> None:
        watcher.note(f"{told.purpose}: {told.model}, {told.seconds:.0f} s; so far {budget}")

    model = open_model(
        settings.models,
        temperature=settings.temperature,
        temperature_is_explicit=settings.temperature_is_explicit,
        api_base=settings.api_base,
        api_key=settings.api_key,
        secrets=settings.secrets,
        budget=budget,
        recorded=lambda name: store.interactions(store.find(name)),
        earlier=earlier,
        run=run_id,
        on_interaction=[*([partial(store.record, run_id)] if run_id else []), transcript.add, say],
        on_note=watcher.note,
        on_detail=watcher.note if settings.verbose else lambda detail: None,
        on_warning=watcher.note,
        patience=patience,
    )
    try:
        yield model
    finally:
        model.close()
        watcher.note(f"model {', '.join(model.names)}: {budget}; every exchange is in {transcript.path}")


def retriever_for(settings: Settings, gpu: Gpu, run_id: str = "") -> Retriever:
    """Over the shipped corpus, the user's own, and what earlier runs made faster."""
    entries = [*read_corpus(), *improved_in(stored_runs(settings.results, but=run_id))]
    for folder in settings.corpus:
        entries += read_corpus(folder, settings.problems)
    embedder = None
    if settings.embedding:
        vectors = settings.results / "embeddings.db"
        embedder = remembering(model_embedder(settings.embedding), settings.embedding, vectors)
    return MultiturnOptimizationRAG(entries, k=settings.rag_k, embedder=embedder, arch=gpu.arch)
