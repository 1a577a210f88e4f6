import json
from typing import Any

import pytest

from wsproto_core.asyncapi.yaml import to_yaml


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}\n"),
        ([], "[]\n"),
        ("a b", "a b\n"),
        (
            {"a": {"b": [1, {"c": None}, [], [True, "x"]]}},
            "a:\n  b:\n    - 1\n    - c: null\n    - []\n    - - true\n      - x\n",
        ),
        ({"a": {}, "b": []}, "a: {}\nb: []\n"),
        ({"text": "one\n  two\n\nthree"}, "text: |-\n  one\n    two\n\n  three\n"),
        ({"$ref": "#/a/b"}, '$ref: "#/a/b"\n'),
        ([1.5, 1e16, 1e-07, -1.25e30], "- 1.5\n- 1.0e+16\n- 1.0e-07\n- -1.25e+30\n"),
    ],
)
def test_data_is_written_as_blocks(value: Any, text: str) -> None:
    assert to_yaml(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " a",
        "a ",
        "yes",
        "No",
        "null",
        "~",
        "1",
        "1.0",
        "1e3",
        "0x1",
        "2026-01-31",
        "12:30",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "'a",
        '"a',
        "|",
        ">",
        "?",
        "=",
        "<<",
        "żółw",
        "\t",
        "a\n",
        "\na",
        " a\nb",
        "a \nb",
        "a\n\tb",
        "a\x85b",
        "a\u2028b\nc",
        "\ufeff",
        "\x07",
    ],
)
def test_text_that_could_be_anything_else_is_quoted(text: str) -> None:
    written = to_yaml({"text": text, text: 1})
    first, second = written.splitlines()
    assert first.startswith('text: "')
    # What is quoted is JSON, with more of it as escapes.
    assert json.loads(first.removeprefix("text: ")) == text
    assert json.loads(second.removesuffix(": 1")) == text
    assert written.isprintable() or "\n" in written
