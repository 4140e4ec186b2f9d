"""From a prompt to what the network draws after: a class, which the prompt names alone or in a phrase, or the
tokens of the text itself where the model has a text encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sparsedm.data.class_names import Words, words
from sparsedm.errors import InputError
from sparsedm.models.text_encoder import TextEncoder, TextTooLong


@dataclass(frozen=True)
class Prompt:
    """For a pipeline, which encodes texts itself. `size` is the image's width and height."""

    text: str
    size: tuple[int, int]


Condition = int | tuple[int, ...] | Prompt | None
"""A class, the tokens of a text, a text, or nothing."""


@dataclass(frozen=True)
class Guidance:
    """How far an image is led away from `negative`, a text or its tokens; None is the empty text, or the
    class that stands for none. strength: s in U-ViT's convention, 0 for not at all."""

    strength: float
    negative: Condition = None


SYNONYMS: dict[str, tuple[str, ...]] = {
    "t-shirt": ("tshirt", "tee", "top"),
    "trouser": ("pants",),
    "pullover": ("sweater", "jumper"),
    "sneaker": ("trainer",),
    "bag": ("handbag",),
    "ankle boot": ("boot",),
}
"""Other words for a class, where a model has it."""


class UnknownClass(ValueError):
    """The prompt names no class of the model, or more than one; the message lists the classes."""


def _plurals(phrase: Words) -> Iterable[Words]:
    """The phrase, and its last word with s or es: a prompt may ask for boots or dresses."""
    if not phrase:
        return  # a name of punctuation alone, which no prompt can ask for
    yield phrase
    for ending in ("s", "es"):
        yield (*phrase[:-1], phrase[-1] + ending)


class ClassNames:
    """Looks prompts up among a model's classes. Without names, classes go by their numbers."""

    def __init__(self, names: Sequence[str] | None, num_classes: int) -> None:
        """Raises InputError where no prompt can tell two names apart."""
        self.names = list(names) if names else [str(label) for label in range(num_classes)]
        self._named = bool(names)
        self._phrases: dict[Words, int] = {}
        for label, name in enumerate(self.names):
            self._add_name(words(name), label)
        if self._named:
            self._add_variants()
        self._longest = max((len(phrase) for phrase in self._phrases), default=0)

    def _add_name(self, phrase: Words, label: int) -> None:
        if not phrase:
            return
        if (other := self._phrases.setdefault(phrase, label)) != label:
            raise InputError(
                "ClassesMismatch",
                f'Classes {other} and {label} of the model, "{self.names[other]}" and "{self.names[label]}", '
                f'are both "{" ".join(phrase)}" in a prompt. Rename one of them in classes of manifest.json, '
                "and seal it with `sparsedm verify --seal`.",
            )

    def _add_variants(self) -> None:
        """Plurals and synonyms, where they are no class's own name."""
        for label, name in enumerate(self.names):
            for text in (name, *SYNONYMS.get(name, ())):
                for phrase in _plurals(words(text)):
                    self._phrases.setdefault(phrase, label)

    def condition(self, prompt: str) -> int | None:
        """The class that `prompt` names; None when the model has no classes. Raises UnknownClass."""
        if not self.names:
            return None
        found = self._found(words(prompt))
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownClass(f"The prompt names no class of this model. {self._listing()}")
        named = " and ".join(self.names[label] for label in found)
        raise UnknownClass(f"The prompt names {len(found)} classes, {named}: ask for one. {self._listing()}")

    def _found(self, prompt: Words) -> list[int]:
        """Distinct classes from left to right. The longest phrase wins: a t-shirt is no shirt."""
        found: dict[int, None] = {}
        start = 0
        while start < len(prompt):
            length = self._match(prompt[start:])
            if length:
                found[self._phrases[prompt[start : start + length]]] = None
            start += length or 1
        return list(found)

    def _match(self, rest: Words) -> int:
        lengths = range(min(self._longest, len(rest)), 0, -1)
        return next((length for length in lengths if rest[:length] in self._phrases), 0)

    def _listing(self) -> str:
        if self._named:
            return f"Its classes are: {', '.join(self.names)}."
        return f"Its classes are the numbers 0 to {len(self.names) - 1}."


class Texts:
    """For a model that draws after whatever a prompt says."""

    names: Sequence[str] = ()

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def condition(self, prompt: str) -> tuple[int, ...]:
        """Its tokens. Raises TextTooLong."""
        return tuple(self._encoder.tokens([prompt])[0].tolist())


class FreeTexts:
    """For a pipeline. `limits` are its tokenizers, each with the number of tokens that are read of a text."""

    names: Sequence[str] = ()

    def __init__(self, limits: Sequence[tuple[Any, int]], size: tuple[int, int]) -> None:
        self._limits, self._size = limits, size

    def condition(self, prompt: str) -> Prompt:
        """Of the usual size. Raises TextTooLong where no tokenizer reads it whole: the pipeline would cut it
        in silence."""
        found = [(len(tokenizer(prompt)["input_ids"]), limit) for tokenizer, limit in self._limits]
        if found and all(tokens > limit for tokens, limit in found):
            tokens, limit = max(found, key=lambda one: one[1])
            raise TextTooLong(
                f"The text has {tokens} tokens with its start and end, and this model reads {limit}."
            )
        return Prompt(prompt, self._size)
