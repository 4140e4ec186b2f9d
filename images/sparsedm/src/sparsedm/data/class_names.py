"""The words of a class's name, by which names are told apart and found in prompts."""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff]"
    r"|[\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters: scripts that put no space between words."""


_VARIATIONS = {0xFE0E: None, 0xFE0F: None}
"""Variation selectors: whether a sign is drawn as text or in colour."""


Words = tuple[str, ...]


def words(text: str) -> Words:
    """The words of a text, however it was typed: composed or not, wide or narrow, in capitals or not.

    A character of a script without spaces, and a pictogram, is a word of its own, so that a name is found in
    the middle of a sentence. Worked examples: "A T-Shirt!" -> ("a", "t", "shirt"), "靴の絵" -> ("靴", "の",
    "絵").
    """
    composed = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = []
    inside = False
    for character in unicodedata.normalize("NFKC", composed).translate(_VARIATIONS):
        category = unicodedata.category(character)
        if category == "So" or (_UNSPACED.match(character) and category[0] != "M"):
            found.append(character)
            inside = False
        elif character.isalnum() or category[0] == "M":
            # A mark belongs to the character before it.
            if found and (inside or category[0] == "M"):
                found[-1] += character
            else:
                found.append(character)
            inside = inside or category[0] != "M"
        else:
            inside = False
    return tuple(found)
