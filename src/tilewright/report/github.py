"""How do checked kernels show as annotations of a pull request on GitHub?

Workflow commands, which a step prints: `::error file=F,line=N,title=T::MESSAGE`, as described at
https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from tilewright.report.checked import Checked, headline, message_of


def commands(checked: Checked) -> str:
    """One line that says what became of the kernel, and a command for each thing to show beside its source."""
    level = "error" if checked.rejected else "warning"
    lines = [headline(checked)]
    lines += [_command(level, checked, reason.rule, message_of(reason), reason.line) for reason in checked.reasons]
    lines += [_command("warning", checked, "not-checked", why, None) for why in checked.not_checked]
    lines += [_command("notice", checked, "note", note, None) for note in checked.notes]
    return "\n".join(lines)


def _command(level: str, checked: Checked, rule: str, message: str, line: int | None) -> str:
    properties = {"file": checked.place, "line": str(line or 1), "title": f"tilewright: {rule}"}
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {named}::{_data(message)}"


def _data(text: str) -> str:
    """A command ends with its line; % begins an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
