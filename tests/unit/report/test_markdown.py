"""A run as Markdown, for pull requests."""

from __future__ import annotations

from searched import searched_run, with_hypothesis

from tilewright.reporting import report


def test_the_result_what_was_tried_and_how_to_repeat_it() -> None:
    text = report(searched_run(50), (), "md")
    assert text.startswith("# 12\\_Gemm\\_Scale: 1.307x \\[1.268, 1.346\\] over PyTorch eager\n")
    for part in ("## Candidates", "## What holds it back", "## What was not verified", "tilewright recheck"):
        assert part in text
    assert "and 10 more" in text and "| #49 | 5 |" in text


def test_words_of_a_model_break_no_table_and_name_nobody() -> None:
    hostile = with_hypothesis(searched_run(5), 1, "a | b\n# <script> `x` @everyone [a](b)", "x")
    row = next(line for line in report(hostile, (), "md").splitlines() if line.startswith("| #1 "))
    assert row.count(" | ") == 4 and "a \\| b \\# \\<script\\> \\`x\\`" in row and "@everyone" not in row
