"""The page of a run in a real browser: how it looks, and that it does what it offers.

Needs playwright, a Chromium (the system's, or `playwright install chromium`) and the font DejaVu Sans, else it is
skipped. A picture that is not there is made, and the test fails so that somebody looks at it; delete one to have it
made anew.
"""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tilewright.errors import MissingDependency
from tilewright.report import picture
from tilewright.reporting import report

playwright = pytest.importorskip("playwright.sync_api")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "unit" / "report"))
from searched import searched_run, with_hypothesis  # noqa: E402

_DIFFERENCE = 2.0
"""Of 255, the mean over the pixels of both pictures at an eighth of their size: text may be smoothed otherwise."""
_COMPARED = """async ([one, other]) => {
  const small = await Promise.all([one, other].map(async (data) => {
    const image = new Image();
    image.src = "data:image/png;base64," + data;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width >> 3, image.height >> 3);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }));
  if (small[0].width !== small[1].width || small[0].height !== small[1].height) return 255;
  return small[0].data.reduce((sum, value, i) => sum + Math.abs(value - small[1].data[i]), 0) / small[0].data.length;
}"""
_SCROLLED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
    const begin = performance.now();
    scrollTo(0, y);
    await frame();
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
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


def opened(browser: Any, page: str, folder: Path, **options: Any) -> tuple[Any, list[str]]:
    """The page, and what went wrong or out of it so far."""
    path = folder / "run.html"
    path.write_text(page, encoding="utf-8")
    shown = browser.new_page(**{"viewport": {"width": 1000, "height": 900}, **options})
    amiss: list[str] = []
    shown.on("console", lambda message: amiss.append(message.text))
    shown.on("pageerror", lambda error: amiss.append(str(error)))
    shown.on("dialog", lambda dialog: amiss.append(dialog.message))
    shown.on("request", lambda request: amiss.append(request.url) if request.url != path.as_uri() else None)
    shown.goto(path.as_uri())
    return shown, amiss


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [("light", 1000, 4400, "light"), ("dark", 1000, 2200, "dark"), ("phone", 390, 4400, "light")],
)
def test_the_page_looks_as_it_did(
    browser: Any, tmp_path: Path, name: str, width: int, height: int, scheme: str
) -> None:
    size = {"width": width, "height": height}
    page, amiss = opened(browser, report(searched_run(50), ()), tmp_path, viewport=size, color_scheme=scheme)
    if not page.evaluate("document.fonts.check('16px \"DejaVu Sans\"')"):
        pytest.skip("the pictures were made with DejaVu Sans, which is not here")
    assert page.evaluate("document.documentElement.scrollWidth") == width and not amiss
    taken, known = page.screenshot(), HERE / f"{name}.png"
    if not known.exists():
        known.write_bytes(taken)
        pytest.fail(f"{known.name} was not there: look at it, and keep it if it is right")
    both = [base64.b64encode(data).decode() for data in (taken, known.read_bytes())]
    difference = browser.new_page().evaluate(_COMPARED, both)
    (tmp_path / f"{name}.png").write_bytes(taken)
    assert difference < _DIFFERENCE, f"see {tmp_path / name}.png"


def test_changes_are_drawn_when_asked_for_and_stay_text(browser: Any, tmp_path: Path) -> None:
    hostile = "# </script><script>alert(1)</script><img src=x onerror=alert(2)>"
    run = with_hypothesis(searched_run(12), 2, "<b onclick=alert(3)>bold</b>", f"import tilelang\n{hostile}\n")
    page, amiss = opened(browser, report(run, ()), tmp_path)
    page.click("#c2 > summary")
    page.click("#c2 button[data-before]")
    page.wait_for_selector("#c2 .code")
    assert hostile in page.inner_text("#c2 .code") and page.query_selector("img") is None
    assert page.inner_text("#c2 .code .removed >> nth=0") == '"""Problem Name: 12_Gemm_Scale"""'
    page.click("#c2 button >> nth=1")
    page.wait_for_selector("#c2 .code:not(:has(.removed))")
    assert not amiss


def test_all_that_changed_on_the_way_to_the_best_is_drawn(browser: Any, tmp_path: Path) -> None:
    page, amiss = opened(browser, report(searched_run(12), ()), tmp_path)
    page.click("text=What changed in all")
    page.wait_for_selector(".changes .code .added")
    page.click("text=What changed in all")
    page.wait_for_selector(".changes:not(:has(.code))")
    assert not amiss


def test_links_filter_and_keys_lead_to_candidates(browser: Any, tmp_path: Path) -> None:
    page, amiss = opened(browser, report(searched_run(50), ()), tmp_path)
    page.evaluate("location.hash = '#c7'")
    page.wait_for_selector("#c7[open]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#c7:not([open])", state="attached")
    page.locator('.plot [data-to="c9"]').first.click()
    page.wait_for_selector("#c9[open]")
    page.select_option("#fate", "failed")
    assert page.inner_text("#count") == "11 of 50"
    page.fill("#words", "illegal memory")
    assert page.inner_text("#count") == "2 of 50" and not amiss


def test_light_and_dark_can_be_chosen(browser: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, report(searched_run(5), ()), tmp_path, color_scheme="dark")
    behind = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(behind) == "rgb(20, 23, 28)"
    page.click("#theme")
    assert page.evaluate(behind) == "rgb(255, 255, 255)" and page.inner_text("#theme") == "dark"


def test_five_hundred_candidates_open_at_once_and_scroll_smoothly(browser: Any, tmp_path: Path) -> None:
    written = report(searched_run(500), ())
    opening_s, frame_ms = [], []
    for _ in range(3):  # the best of them is the page's, the others may be the machine's
        clock = time.monotonic()
        page, _ = opened(browser, written, tmp_path)
        page.wait_for_selector("#c499", state="attached")
        opening_s.append(time.monotonic() - clock)
        frame_ms.append(page.evaluate(_SCROLLED))
        page.close()
    assert min(opening_s) < 2 and min(frame_ms) < 50, (opening_s, frame_ms)
