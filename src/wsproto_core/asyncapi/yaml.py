"""JSON data as YAML that YAML 1.1 and 1.2 read alike, without a library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["to_yaml"]

# What no YAML takes for anything but text: it begins with a letter, and is none of the words that mean something.
_PLAIN: Final = re.compile(r"[A-Za-z$_][A-Za-z0-9_./$-]*(?: [A-Za-z0-9_./$-]+)*")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
# Control characters, separators of lines, surrogates, byte order marks: written as escapes.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def to_yaml(value: Any) -> str:
    """Return JSON data as the text of a YAML document.

    Args:
        value: objects, arrays, strings, numbers, booleans and None.
    """
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    """Give the lines of a value; the caller puts what is before the first."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _member(f"{indent}{_text(str(name))}:", each, indent)
    elif isinstance(value, (list, tuple)) and value:
        for each in value:
            if isinstance(each, (Mapping, list, tuple)) and each:
                # The first line of what it holds goes behind the dash.
                first, *rest = _lines(each, f"{indent}  ")
                yield f"{indent}- {first[len(indent) + 2 :]}"
                yield from rest
            else:
                yield from _member(f"{indent}-", each, indent)
    else:
        yield indent + _scalar(value)


def _member(start: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, (Mapping, list, tuple)) and value:
        yield start
        yield from _lines(value, f"{indent}  ")
    elif isinstance(value, str) and _reads_as_lines(value):
        yield f"{start} |-"
        yield from (f"{indent}  {line}" if line else "" for line in value.split("\n"))
    else:
        yield f"{start} {_scalar(value)}"


def _scalar(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case bool() | None | int():
            return json.dumps(value)
        case float():
            text = json.dumps(value, allow_nan=False)
            # YAML 1.1 takes 1e+16 for text: it wants a point before the exponent.
            mantissa, exponent, rest = text.partition("e")
            return f"{mantissa}.0e{rest}" if exponent and "." not in mantissa else text
        case Mapping():
            return "{}"
        case _:
            return "[]"


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _reads_as_lines(value: str) -> bool:
    if "\n" not in value or value.startswith((" ", "\n")) or value.endswith("\n"):
        return False
    return all(line == line.rstrip() and (not line or line.isprintable()) for line in value.split("\n"))
