"""What must never be written down: keys, taken out of every text before it is recorded or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

REMOVED = "[key removed]"
_LOOKS_LIKE_A_KEY = re.compile(
    r"\bsk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic; `sk-block_size` is a difference in a kernel
    r"|\b(?:gsk_|hf_|xai-|AIza)[A-Za-z0-9]{20,}"  # Groq, Hugging Face, xAI, Google
    r"|\bBearer\s+[A-Za-z0-9._~+/=-]{12,}",
    re.ASCII,
)
_SHORTEST = 8
"""A shorter secret would be found in ordinary text."""


def keys_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in an environment that are keys by their variables' names."""
    endings = ("_API_KEY", "_TOKEN", "_SECRET", "_ACCESS_KEY")
    return tuple(value for name, value in environment.items() if name.upper().endswith(endings))


def without_keys(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without `secrets` and without whatever else looks like a key."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, REMOVED)
    return _LOOKS_LIKE_A_KEY.sub(REMOVED, text)
