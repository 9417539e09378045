"""A language model as a proposer: plans, writes, mends, and learns from what was measured."""

from tilewright.proposers.llm.prompts import prompts_of, ranked
from tilewright.proposers.llm.proposer import LlmProposer

__all__ = ["LlmProposer", "prompts_of", "ranked"]
