"""How prompts are laid out and answers are read. Imports DSPy: only for those that have loaded it.

DSPy's chat format, `[[ ## field ## ]]` above each field: XML would need every `<` and `&` in code escaped.
"""

from __future__ import annotations

import re
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError
from pydantic import TypeAdapter


class Fields(dspy.ChatAdapter):  # type: ignore[misc]
    """The chat format, read leniently: headers that are written otherwise, or none at all."""

    def __init__(self) -> None:
        super().__init__(use_json_adapter_fallback=False)  # a second call that nobody counts

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        names = list(signature.output_fields)
        required = [name for name, field in signature.output_fields.items() if field.is_required()]
        text = _with_headers(completion, names)
        if "[[ ## " not in text and len(required) == 1:
            text = f"[[ ## {required[0]} ## ]]\n{text}"
        fields: dict[str, Any] = super().parse(signature, text)
        empty = [name for name in required if fields[name] == ""]
        if empty:
            full = {name: value for name, value in fields.items() if name not in empty}
            raise AdapterParseError(type(self).__name__, signature, completion, parsed_result=full)
        return fields


class Constrained(dspy.JSONAdapter):  # type: ignore[misc]
    """One JSON object. The schema goes along whether or not DSPy knows that the server takes one."""

    def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        schema = {"name": "answer", "schema": _schema(signature), "strict": True}
        lm.kwargs["response_format"] = {"type": "json_schema", "json_schema": schema}
        return super().__call__(lm, lm_kwargs, signature, demos, inputs)


def format_problem(error: AdapterParseError, constrained: bool) -> str:
    """What was wrong with the form of an answer, as the model is told it."""
    names = list(error.signature.output_fields)
    if constrained:
        form = f"write one JSON object with {', '.join(names)}, each a value that is allowed there"
    else:
        headers = ", ".join(f"[[ ## {name} ## ]]" for name in names)
        form = f"write each of {headers} on a line of its own, the field's text below it"
    if not error.lm_response.strip():
        return f"it was empty; {form}"
    read = names if error.parsed_result is None else error.parsed_result
    missing = [name for name in names if name not in read]
    return f"it had no {', '.join(missing)}; {form}" if missing else f"it couldn't be read; {form}"


def _schema(signature: Any) -> dict[str, object]:
    fields = signature.output_fields
    properties = {name: TypeAdapter(field.annotation).json_schema() for name, field in fields.items()}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


def _with_headers(text: str, names: list[str]) -> str:
    """`## module`, `**module:**` or `[[##module##]]` on a line of its own, as the header that is meant.

    Nothing is changed where a header stands as it should: what looks like others is then part of a field. One `#` is
    none, but a comment.
    """
    if re.search(rf"^\s*\[\[ ## (?:{'|'.join(names)}) ## \]\]", text, re.M):
        return text
    other = rf"^[ \t]*(?:\[\[|##|\*\*)[#*` \t]*(?P<name>{'|'.join([*names, 'completed'])})[\]#*:` \t]*$"
    return re.sub(other, lambda match: f"[[ ## {match['name'].lower()} ## ]]", text, flags=re.M | re.I)
