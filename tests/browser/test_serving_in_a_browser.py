"""What `tilewright serve` shows, in a real browser: while a run goes on, and when the server is started again.

Needs playwright, a Chromium, starlette and uvicorn, else it is skipped.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tilewright.batching.book import Batch, Place, write
from tilewright.errors import MissingDependency
from tilewright.report import picture
from tilewright.store import FILE, Store

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "unit" / "report"), str(TESTS / "unit" / "serving")]
from searched import searched_run, with_hypothesis  # noqa: E402
from served import Served, stored  # noqa: E402

_RUN = TESTS / "samples" / "killable_run.py"
_SEEN = """() => {
  window.seen = {};
  const look = () => { for (const one of document.querySelectorAll(".candidate")) seen[one.id] ??= Date.now(); };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        program = picture.browser()
    except MissingDependency as missing:
        pytest.skip(str(missing))
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.stop()


def opened(browser: Any, address: str, **options: Any) -> tuple[Any, list[str]]:
    """The page when it is live, and what was written to its console or asked of another server so far."""
    shown = browser.new_page(**{"viewport": {"width": 1000, "height": 900}, **options})
    amiss: list[str] = []
    host = "/".join(address.split("/")[:3])
    shown.on("console", lambda message: amiss.append(message.text))
    shown.on("pageerror", lambda error: amiss.append(str(error)))
    shown.on("dialog", lambda dialog: amiss.append(dialog.message))
    shown.on(
        "request", lambda request: amiss.append(request.url) if not request.url.startswith((host, "data:")) else None
    )
    shown.goto(address)
    shown.wait_for_selector("#live.on")
    return shown, amiss


class Ends(threading.Thread):
    """Notes when each evaluation of a run ended, which the run writes to a log, by the candidate's hypothesis."""

    def __init__(self, log: Path, run: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._log, self._run = log, run
        self.at: dict[str, float] = {}

    def run(self) -> None:
        while self._run.poll() is None:
            lines = self._log.read_text().splitlines() if self._log.exists() else []
            for line in lines:
                if line.startswith("end "):
                    self.at.setdefault(line.split()[1], time.time())
            time.sleep(0.005)


def test_an_evaluation_is_shown_within_a_second_also_after_the_server_was_started_again(
    browser: Any, served: Served, tmp_path: Path
) -> None:
    page, amiss = opened(browser, served.address)
    assert "No run yet" in page.inner_text("main")
    log = tmp_path / "log"
    run = subprocess.Popen([sys.executable, str(_RUN), str(tmp_path / FILE), str(log), "0.3"])
    ends = Ends(log, run)
    ends.start()
    page.click("text=Tanh")
    page.evaluate(_SEEN)
    page.click("#c1 > summary")
    page.wait_for_selector("#c8", state="attached")
    assert not amiss
    stopped = time.time()
    assert served.stop() == 0
    page.wait_for_selector("#live:not(.on)")
    served.start()
    page.wait_for_selector("#live.on")
    back = time.time()
    page.wait_for_selector("text=stopped: iterations", timeout=20_000)
    ends.join(5)
    seen = page.evaluate("seen")
    store = Store(tmp_path / FILE)
    attempts = store.load("r1").attempts
    store.close()
    late = {}
    for attempt in attempts:
        ended = ends.at[attempt.candidate.hypothesis]
        since = back if stopped - 1 < ended < back else ended  # nobody could be told while there was no server
        late[attempt.index] = seen[f"c{attempt.index}"] / 1000 - since
    assert len(late) == 25 and max(late.values()) < 1, late
    assert page.get_attribute("#c1", "open") is not None
    assert all("ERR_CONNECTION_REFUSED" in text for text in amiss), (
        amiss
    )  # what a browser says of a server that is gone


def test_what_is_open_or_chosen_stays_when_a_run_goes_on(browser: Any, served: Served, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(2)>"
    run = with_hypothesis(searched_run(40), 2, hostile, f"import tilelang\n# </script>{hostile}\n")
    stored(tmp_path, replace(run, attempts=run.attempts[:30]), ended=False)
    page, amiss = opened(browser, f"{served.address}runs/{run.id}")
    page.click("#c2 > summary")
    page.click("#c2 button[data-before]")
    page.wait_for_selector("#c2 .code")
    page.select_option("#fate", "failed")
    page.focus("#words")
    page.keyboard.type("illegal")
    chosen = page.inner_text("#count")
    store = Store(tmp_path / FILE)
    for attempt in run.attempts[30:]:
        store.append(run.id, attempt)
    store.finish(run)
    store.close()
    page.wait_for_selector("#c39", state="attached")
    assert chosen.endswith("of 30") and page.inner_text("#count").endswith("of 40")
    assert page.input_value("#words") == "illegal" and page.input_value("#fate") == "failed"
    assert page.evaluate("document.activeElement.id") == "words"
    page.fill("#words", "")
    page.select_option("#fate", "")
    page.wait_for_function("text => document.querySelector('#c2 .code').innerText.includes(text)", arg=hostile)
    assert page.query_selector("img") is None
    page.click("#c39 > summary")
    page.click("#c39 button >> nth=1")
    page.wait_for_selector("#c39 .code")
    assert not amiss


def test_runs_are_filtered_and_two_are_compared_by_keys_alone(browser: Any, served: Served, tmp_path: Path) -> None:
    for id_, count in {"aaaa": 50, "bbbb": 12, "cccc": 1}.items():
        stored(tmp_path, replace(searched_run(count), id=id_), ended=id_ != "cccc")
    page, amiss = opened(browser, served.address)
    page.select_option("#fate", "ended")
    page.wait_for_selector("text=2 of 3")
    for id_ in ("aaaa", "bbbb"):
        page.focus(f"#run-{id_} input")
        page.keyboard.press("Space")
    page.focus("#compare")
    page.keyboard.press("Enter")
    page.wait_for_selector("#live.on")
    assert "?run=bbbb&run=aaaa" in page.url and page.locator(".headline").count() == 2
    page.click("text=What is different")
    page.wait_for_selector(".code .added")
    assert not amiss


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1000, "light")])
def test_no_page_is_wider_than_the_screen(
    browser: Any, served: Served, tmp_path: Path, width: int, scheme: str
) -> None:
    stored(tmp_path, searched_run(20))
    stored(tmp_path, replace(searched_run(3), id="bbbb"), ended=False)
    write(tmp_path, Batch("friday", "0", (), "2026-11-22", (Place("a/long/path/of/a/kernel_1_48.py", "bbbb"),)))
    for place in ("", "runs/bbbb", "batches/friday", "compare?run=1122abcdef&run=bbbb"):
        size = {"width": width, "height": 900}
        page, amiss = opened(browser, served.address + place, viewport=size, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width and not amiss
        page.close()
