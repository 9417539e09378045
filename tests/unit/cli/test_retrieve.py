"""tilewright retrieve, as a user types it."""

from __future__ import annotations

import json

import pytest

from tilewright.cli import main


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(["retrieve", *arguments])
    shown = capfd.readouterr()
    return int(done.value.code or 0), shown.out, shown.err


def test_json_has_the_documented_fields(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "1_23", "-k", "2", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["kernel"] == "1_23" and answer["query"] is None
    fields = {"path", "problem", "score", "techniques", "why", "speedup_ratio", "gpu", "before"}
    assert [set(example) for example in answer["examples"]] == [fields, fields]
    assert all("1_23" not in example["path"] for example in answer["examples"])


def test_duplicates_are_shown_when_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "1_23", "--duplicates", "--json")
    assert any("1_23" in example["path"] for example in json.loads(out)["examples"])


def test_words_will_do(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "--query", "max pooling", "-k", "1")
    assert code == 0 and "Max_Pooling" in out and "techniques:" in out and "kernels" in err


@pytest.mark.parametrize("arguments", [[], ["1_23", "--query", "softmax"]])
def test_a_kernel_or_words_are_wanted(capfd: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, _, err = run(capfd, *arguments)
    assert code == 2 and "--query TEXT" in err


def test_a_folder_that_is_not_there_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "--query", "softmax", "--corpus", "/nowhere")
    assert code == 2 and "/nowhere" in err
