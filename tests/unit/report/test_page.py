"""The page of a run: whole, harmless, small, quick, and honest about what is an estimate."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from searched import searched_run, with_hypothesis

from samples import attempt, estimated, measured, run, timing
from tilewright import jsonform
from tilewright.records import (
    CompileFailed,
    Crashed,
    Evidence,
    Interaction,
    Message,
    Mismatch,
    Reason,
    Rejected,
    Run,
    TimedOut,
    Unscorable,
    Verified,
    Wrong,
)
from tilewright.reporting import report

HOSTILE = "</script><script>alert('kernel')</script><img src=x onerror=alert(1)> \" ' & {{x}} $title"
SECTIONS = (
    "What made it faster",
    "Turn by turn",
    "How near the limit",
    "Where the time goes",
    "What holds it back",
    "What was not verified",
    "What grew from what",
    "How it answers to its knobs",
    "Every candidate",
    "What it took",
    "How to repeat it",
)


class Page(HTMLParser):
    """What a page consists of; fails on an element that is not closed where it should be."""

    _ALONE = frozenset(("meta", "input", "br"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self._ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def stored_run() -> Run:
    """What `tilewright optimize 1_48 --model none --evaluator offline --tune-budget 6 --max-iterations 2` left."""
    return jsonform.loads(Run, Path(__file__).with_name("run_1_48.json").read_text(encoding="utf-8"))


def run_of_every_outcome() -> Run:
    """Two workloads, and each way in which a candidate can end."""
    two = (replace(timing(1.1), workload="small"), replace(timing(1.2), workload="large", weight=3.0))
    evaluations = (
        measured(0.5, timings=two),
        measured(1.1, timings=two, trust="C", trust_notes=("the clocks disagree",)),
        measured(1.2, timings=two, stopped_early=True),
        Rejected("static", (Reason("timer", "it patches the timer", 3, "Leave it alone."),)),
        CompileFailed("no", 4),
        Wrong(Mismatch("wrong values", cause="the last tile")),
        Crashed("it fell"),
        TimedOut("60 s", 60.0),
        Unscorable("the reference divides by zero"),
        Verified(3, 0.5),
        estimated(2.0),
        measured(1.15, timings=two),
    )
    phases = ["seed", *["structure"] * (len(evaluations) - 1)]
    made = [attempt(i, one, i // 4, phase) for i, (one, phase) in enumerate(zip(evaluations, phases))]
    facts = searched_run(1).attempts[0].evidence.facts[0]
    seen = Evidence(tuple(replace(facts, workload=name) for name in ("small", "large")), None, (Reason("r", "hm"),))
    return run(*(replace(one, evidence=seen, shared_with=0 if one.index == 3 else None) for one in made))


@pytest.mark.parametrize(
    "shown",
    [
        run(),
        run(attempt(0, measured(0.5), 0, "seed"), attempt(1, measured(1.2)), attempt(2, None, error="a worker died")),
        run(attempt(0, Wrong(Mismatch("wrong values")), 0, "seed")),
        run(attempt(0, estimated(2.0), 0, "seed"), attempt(1, Rejected("static", (Reason("r", "no"),)))),
        searched_run(30),
        replace(searched_run(30), gpu="GeForce 256"),
        run_of_every_outcome(),
        stored_run(),
    ],
    ids=[
        "empty",
        "abandoned",
        "wrong seed",
        "estimated",
        "searched",
        "on a GPU that nobody knows",
        "every outcome",
        "stored",
    ],
)
def test_the_page_is_whole_and_asks_nobody_for_anything(shown: Run) -> None:
    page = Page(report(shown, ()))
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "object", "base", "form") and "src" not in attributes
        for name, value in attributes.items():
            assert not name.startswith("on") and "//" not in (value or "")
        href = attributes.get("href")
        assert href is None or (href.startswith("#") and href[1:] in ids)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'")
    assert [one for one in SECTIONS if one not in page.text] == []


def test_every_plot_has_words_and_a_table_for_those_who_do_not_see_it() -> None:
    page = Page(report(searched_run(30), ()))
    plots = [one for one in page.all("svg") if one.get("aria-hidden") != "true"]
    assert len(plots) > 6 and all(one["role"] == "img" and one["aria-label"] for one in plots)
    assert not re.search(r'role="img"(?:(?!</svg>).)*<(?:a|button|input) ', report(searched_run(30), ()), re.DOTALL)
    captions = re.findall(r"<caption>(.*?)</caption>", report(searched_run(30), ()))
    assert {"Every candidate in order", "Roofline", "Time of one forward by its parts", "Every setting"} <= set(
        captions
    )


def test_what_scrolls_can_be_reached_by_keyboard() -> None:
    page = Page(report(searched_run(30), ()))
    scrolling = [one for one in page.all("div") if one.get("class") in ("plot", "wide")]
    assert scrolling and all(one["tabindex"] == "0" and one["aria-label"] for one in scrolling)


def test_hostile_words_and_sources_stay_text() -> None:
    bad = replace(with_hypothesis(searched_run(12), 1, HOSTILE, f'"""{HOSTILE}"""'), kernel_path=HOSTILE)
    bad = replace(
        bad, problem=replace(bad.problem, name=HOSTILE, source=HOSTILE), stop_detail=HOSTILE, notes=(HOSTILE,)
    )
    written = report(bad, ())
    page = Page(written)
    assert len(page.all("script")) == 2 and not page.all("img")
    assert page.text.count(HOSTILE) > 4 and written.count(HOSTILE) == 0


def test_a_measured_run_says_its_interval_its_gpu_and_its_trust() -> None:
    text = Page(report(searched_run(50), ())).text
    assert "1.307x" in text and "95 % interval 1.268 to 1.346" in text and "Trust A" in text
    assert "cuda 13.0, tilelang 0.1.15, torch 2.11.0stopped" in text
    assert "NVIDIA H100 80GB HBM3" in text and "in pairs with it 3.173x over the seed" in text
    assert "65% of the limit" in text and "tilewright recheck 1122abcdef/49" in text


def test_the_way_to_the_best_says_what_each_change_brought() -> None:
    written = report(searched_run(50), ())
    way = written.split('id="what-made-it-faster"')[1].split("</section>")[0]
    rows = [re.sub(r"<.*?>", "|", row).strip("|") for row in re.findall(r"<tr>(.*?)</tr>", way)]
    assert [row.split("|")[0] for row in rows[1:]] == [
        "#0",
        "#1",
        "#9",
        *(f"#{n}" for n in (11, 16, 21, 29, 31, 39, 41, 49)),
    ]
    assert "0.550x" in rows[2] and rows[2].endswith("1.33x") and rows[-1].endswith("1.40x")
    assert 'data-before="0" data-after="49"' in way
    for nothing in (run(), run(attempt(0, measured(0.5), 0, "seed"))):
        assert "no candidate was better" in report(nothing, ())


def test_the_knobs_of_the_best_come_first() -> None:
    assert re.findall(r"Structure of (#\d+)", report(searched_run(50), ())) == ["#41", "#1", "#11"]


def test_a_long_way_is_cut_in_the_middle() -> None:
    way = report(searched_run(500), ()).split('id="what-made-it-faster"')[1].split("</section>")[0]
    assert way.count("<tr>") < 16 and "more" in way and "<b>" not in way


def test_what_was_estimated_is_never_shown_as_measured() -> None:
    page = Page(report(stored_run(), ()))
    marked = re.findall(r"(est\. (?:[\d.]+ [um]s to )?)?\b[\d.]+ (?:us|ms)(?!er)", page.text)
    of_the_gpu = sum(page.text.count(name) for name in ("the limit: 0.7 us", "launch: 0.58 us", "least 0.7 us"))
    assert len(marked) > 100 and marked.count("") == of_the_gpu
    assert "Estimated, not measured." in page.text and "no time was taken on a GPU" in page.text
    assert "over PyTorch eager" not in page.text


def test_what_nobody_verified_is_said() -> None:
    doubted = measured(1.3, trust="B", trust_notes=("40 pairs within 8 s, 100 are wanted",))
    text = Page(report(run(attempt(0, measured(0.5), 0, "seed"), attempt(1, doubted)), ())).text
    for said in ("Trust B: 40 pairs within 8 s", "repeats in fresh processes", "Gradients.", "Other GPUs than H100."):
        assert said in text


def test_a_model_of_unknown_price_costs_no_zero() -> None:
    asked = Interaction("rewrite", "house/model", (Message("user", "?"),), "!", 1000, 500, None, 2.0, "2026-01-01")
    text = Page(report(searched_run(5), (asked, asked))).text
    assert "house/model" in text and "3,000" in text and "not known" in text and "0.00 USD" not in text


@pytest.mark.parametrize(("attempts", "most_bytes"), [(50, 1e6), (500, 5e6)])
def test_the_page_stays_small(attempts: int, most_bytes: float) -> None:
    assert len(report(searched_run(attempts), ()).encode()) < most_bytes


def test_five_hundred_candidates_are_written_in_two_seconds() -> None:
    long = searched_run(500)
    report(searched_run(5), ())  # templates and tables are read once
    clock = time.process_time()
    report(long, ())
    assert time.process_time() - clock < 2


def test_text_can_be_read_on_its_background_in_light_and_dark() -> None:
    style = files("tilewright").joinpath("data/report/page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): light-dark\((.*?)\);", style))
    for theme in (0, 1):
        shade = {name: value.split(", ")[theme] for name, value in colours.items()}
        for text in ("ink", "soft", "best", "right", "failed", "doubtful"):
            for behind in ("paper", "panel"):
                assert _contrast(shade[text], shade[behind]) >= 4.5, (theme, text, behind)
        for behind in ("p1", "p2", "p3", "p4", "p5", "p6", "added", "removed"):
            assert _contrast(shade["ink"], shade[behind]) >= 4.5, (theme, behind)


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2: relative luminances, the lighter over the darker."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
