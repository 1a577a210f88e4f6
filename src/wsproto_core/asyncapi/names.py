"""Identifiers for what the document names: stable, and told apart where names are not."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

__all__ = ["identifier", "reference"]

_OTHER: Final = re.compile(r"[^A-Za-z0-9.\-]+")


def identifier(*parts: str) -> str:
    """Return an identifier, ``[A-Za-z0-9._-]+`` (AsyncAPI 3.1, "Components Object"), made of names.

    A name that has to be changed for it gets a hash of the whole name, so that ``a/b`` and ``a b`` are two identifiers,
    and each stays what it is when the other comes or goes.
    """
    text = ".".join(parts)
    made = _OTHER.sub("_", text)
    return made if made == text else f"{made.strip('_.')}_{sha256(text.encode()).hexdigest()[:8]}"


def reference(*steps: str) -> dict[str, Any]:
    """Return a reference to a place in the document: a JSON Pointer as a URI fragment (RFC 6901 section 6)."""
    return {"$ref": "#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)}
