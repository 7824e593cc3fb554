"""Tokens of models, as answers report them: nobody here calls models, but workflows do, by HTTP and by their steps.

OpenAI's chat completions, and those who answer as they do, say ``usage.prompt_tokens`` and
``usage.completion_tokens``; OpenAI's responses and Anthropic's messages ``usage.input_tokens`` and
``usage.output_tokens``. Neither MCP nor A2A has a
member for it. What is streamed is text by the time it comes here, and is not looked into.
"""

from __future__ import annotations

from typing import Final

from lowtide.model.base import JSON

__all__ = ["tokens_of"]

_NAMES: Final = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
_MOST: Final = 10**12
"""What says that it took more is no model's answer."""


def tokens_of(answer: JSON) -> tuple[int, int]:
    """How many models read and wrote, as the result of an effect says: the answer itself, or a whole response
    (``output: response``)."""
    if type(answer) is not dict:
        return 0, 0
    usage = answer.get("usage")
    if type(usage) is not dict:
        content = answer.get("content")
        usage = content.get("usage") if type(content) is dict else None
        if type(usage) is not dict:
            return 0, 0
    for read, written in _NAMES:
        if read in usage or written in usage:
            return _count(usage.get(read)), _count(usage.get(written))
    return 0, 0


def _count(given: JSON) -> int:
    return given if type(given) is int and 0 <= given <= _MOST else 0
