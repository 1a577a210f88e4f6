"""Search in Polish, for which Sphinx has nothing: words without their endings, and letters without their accents.

``polaczenie`` finds "połączenia", "połączeniu" and "połączeń". The browser does the same to what is searched for, in
``STEMMER``; tests hold both together.
"""

from __future__ import annotations

import json
from typing import Final

__all__ = ["ENDINGS", "STEMMER", "STOP_WORDS", "stem"]

STOP_WORDS: Final = frozenset({
    "a", "aby", "albo", "ale", "ani", "bez", "bo", "by", "być", "co", "czy", "dla", "do", "gdy", "gdzie", "i",
    "ich", "ile", "im", "in", "jak", "jako", "jego", "jej", "jest", "jeśli", "już", "ją", "lub", "ma", "mu",
    "na", "nad", "nie", "niż", "no", "o", "od", "on", "ona", "one", "oni", "oraz", "po", "pod", "przed",
    "przez", "przy", "się", "są", "ta", "tak", "tam", "te", "tego", "tej", "ten", "to", "tu", "tych", "tylko",
    "tym", "u", "w", "we", "więc", "z", "za", "ze", "że", "żeby",
})  # fmt: skip

# The longest that fits is cut off; what is left has at least four letters.
ENDINGS: Final = (
    "iami", "ania", "aniu", "aniem", "enia", "eniu", "eniem", "anie", "enie", "iach", "owie", "ymi", "imi", "ami",
    "ach", "ego", "emu", "owi", "iem", "ych", "ich", "any", "ana", "ane", "an", "en", "om", "em", "ow", "ej", "ym",
    "im", "ia", "ie", "iu", "ac", "ec", "ic", "yc", "a", "e", "i", "o", "u", "y",
)  # fmt: skip

_LONGEST_FIRST: Final = sorted(ENDINGS, key=len, reverse=True)
_PLAIN: Final = str.maketrans("ąćęłńóśźż", "acelnoszz")


def stem(word: str) -> str:
    """Return what the forms of a word have in common, more or less."""
    word = word.lower().translate(_PLAIN)
    for ending in _LONGEST_FIRST:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


STEMMER: Final = """
var Stemmer = function () {
  const plain = { ą: "a", ć: "c", ę: "e", ł: "l", ń: "n", ó: "o", ś: "s", ź: "z", ż: "z" };
  const endings = ENDINGS;
  this.stemWord = function (word) {
    word = word.toLowerCase().replace(/[ąćęłńóśźż]/g, (letter) => plain[letter]);
    for (const ending of endings) {
      if (word.endsWith(ending) && word.length - ending.length >= 4) return word.slice(0, -ending.length);
    }
    return word;
  };
};
""".replace("ENDINGS", json.dumps(_LONGEST_FIRST))
