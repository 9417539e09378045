"""A page as a PNG, by a browser that is installed here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tilewright.errors import MissingDependency, StoreError, WorkerError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_PLAYWRIGHTS = "ms-playwright/chromium-*/chrome-linux*/chrome"
"""In the user's cache: what `playwright install chromium` fetched."""
_TIMEOUT_S = 60.0


def browser() -> str:
    """A Chromium. `MissingDependency` where there is none."""
    for name in _BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    fetched = sorted((Path.home() / ".cache").glob(_PLAYWRIGHTS))
    if fetched:
        return str(fetched[-1])
    raise MissingDependency(
        f"--png needs a Chromium on PATH ({', '.join(_BROWSERS[:3])}); none is here.",
        "apt install chromium, or: pip install playwright && playwright install chromium",
    )


def write_png(page: str, path: Path, width: int = 800, height: int = 520) -> None:
    """Draw `page` in a window of that size, at two pixels a unit.

    `WorkerError` where the browser fails, `StoreError` where `path` can't be written.
    """
    program = browser()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.png")
        source.write_text(page, encoding="utf-8")
        command = [
            program,
            "--headless",
            "--no-sandbox",  # it shows our own page, without a network; as root there is no other way
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=2",
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--screenshot={target}",
            source.as_uri(),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise WorkerError(f"{program} drew nothing within {_TIMEOUT_S:.0f} s") from error
        if not target.exists():
            raise WorkerError(f"{program} drew nothing: {ended.stderr.strip()[-300:] or ended.returncode}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, path)
        except OSError as error:
            raise StoreError(f"{path} can't be written: {error.strerror}. Choose another: --png FILE") from error
