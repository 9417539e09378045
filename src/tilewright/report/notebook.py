"""How does a notebook show a run? As its result in words and the plot of its turns."""

from __future__ import annotations

from html import escape

from tilewright.records import Run
from tilewright.report.html import picture
from tilewright.report.terminal import result_line
from tilewright.scores import score

HEIGHT = 560


def html(run: Run) -> str:
    """Self-contained. The plot has a frame of its own, so that its style stays out of the notebook."""
    said = f"<p>{escape(result_line(run, None))}</p>"
    if not any(score(attempt.evaluation) for attempt in run.attempts):
        return said
    style = f"width: 100%; max-width: 820px; height: {HEIGHT}px; border: 0"
    return f'{said}<iframe title="run {run.id}" style="{style}" srcdoc="{escape(picture(run))}"></iframe>'
