"""How is DSPy imported: once needed, quietly, and without asking the network for prices?"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Any

from tilewright.errors import MissingDependency

INSTALL = "pip install 'tilewright[llm]'"


def load_dspy() -> Any:
    """The module `dspy`. Raises `MissingDependency` where it isn't installed."""
    first = "dspy" not in sys.modules
    # Without it the first cost that is computed downloads a table of prices; the bundled one does.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")
    try:
        dspy = importlib.import_module("dspy")
    except ModuleNotFoundError as error:
        if error.name != "dspy":
            raise
        raise MissingDependency("A language model needs DSPy, which isn't installed.", INSTALL) from error
    if first:  # whoever imported it before decides what it says
        logging.getLogger("dspy").setLevel(logging.ERROR)
    return dspy
