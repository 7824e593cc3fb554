"""Price lists as people write them: the name of a preset, or a file of YAML or JSON (docs/cost.md)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lowtide.errors import InvalidInput
from lowtide.model.cost import PRESETS, Prices

__all__ = ["read_prices"]


def read_prices(given: str) -> Prices:
    """Raises :class:`lowtide.errors.InvalidInput` where it is neither a preset nor a file with a price list."""
    if given in PRESETS:
        return PRESETS[given]
    path = Path(given)
    if not path.is_file():
        raise InvalidInput(f"there is no price list {given!r}: name one of {', '.join(PRESETS)}, or a file")
    import yaml  # not where presets do

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        named = {"name": path.stem, **found} if isinstance(found, dict) else found
        return msgspec.convert(named, Prices, strict=True)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        members = ", ".join(field.encode_name for field in msgspec.structs.fields(Prices))
        raise InvalidInput(f"{given} is no price list: {error}; it may have {members}") from error
