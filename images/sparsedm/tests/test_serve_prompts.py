"""Which class a prompt names."""

from __future__ import annotations

import unicodedata

import pytest

from sparsedm.errors import InputError
from sparsedm.models import CLASSES
from sparsedm.serve.prompts import ClassNames, UnknownClass

CLOTHES = CLASSES["fashion-mnist-uvit-tiny"]


@pytest.mark.parametrize(
    ("prompt", "want"),
    [
        ("ankle boot", "ankle boot"),
        ("Ankle Boot", "ankle boot"),
        ("a photo of an ankle boot", "ankle boot"),
        ("ANKLE-BOOTS!", "ankle boot"),
        ("t-shirt", "t-shirt"),
        ("tshirt", "t-shirt"),
        ("T shirt", "t-shirt"),
        ("top", "t-shirt"),
        ("two t-shirts", "t-shirt"),
        ("shirt", "shirt"),
        ("trousers", "trouser"),
        ("dresses", "dress"),
        ("a sneaker beside another sneaker", "sneaker"),
    ],
)
def test_a_prompt_names_a_class(prompt: str, want: str) -> None:
    label = ClassNames(CLOTHES, 10).condition(prompt)
    assert CLOTHES[label] == want


@pytest.mark.parametrize("classes", [["ankle boot", "boot"], ["boots", "boot"], ["boot", "boots"]])
def test_a_class_s_own_name_is_no_other_s_plural_or_synonym(classes: list[str]) -> None:
    names = ClassNames(classes, 2)
    assert [names.condition(name) for name in classes] == [0, 1]


@pytest.mark.parametrize(
    ("first", "second", "phrase"),
    [
        ("crane", "crane", "crane"),
        ("Ankle Boot", "ankle_boot", "ankle boot"),
        ("straße", "STRASSE", "strasse"),
        ("ﬁg", "fig", "fig"),
        (unicodedata.normalize("NFD", "café"), "café", "café"),
    ],
)
def test_two_names_that_no_prompt_tells_apart_are_refused(first: str, second: str, phrase: str) -> None:
    with pytest.raises(InputError) as error:
        ClassNames(["bag", first, second], 3)
    assert error.value.reason == "ClassesMismatch"
    assert f'Classes 1 and 2 of the model, "{first}" and "{second}", are both "{phrase}"' in str(error.value)


def test_every_class_is_found_by_its_own_name() -> None:
    names = ClassNames(CLOTHES, 10)
    assert [names.condition(name) for name in CLOTHES] == list(range(10))


@pytest.mark.parametrize("prompt", ["a cat", "shirtless", "", "laptop", "..."])
def test_an_unknown_prompt_is_told_all_classes(prompt: str) -> None:
    with pytest.raises(UnknownClass) as error:
        ClassNames(CLOTHES, 10).condition(prompt)
    assert all(name in str(error.value) for name in CLOTHES)


@pytest.mark.parametrize(
    ("classes", "prompt", "want"),
    [
        (["アンクルブーツ", "靴"], "アンクルブーツの写真", 0),
        (["アンクルブーツ", "靴"], unicodedata.normalize("NFD", "アンクルブーツ"), 0),
        (["アンクルブーツ", "靴"], "ｱﾝｸﾙﾌﾞｰﾂ", 0),  # half the width
        (["靴下", "靴"], "赤い靴下を描いて", 0),
        (["靴下", "靴"], "靴", 1),
        (["сапог", "сумка"], "Красный САПОГ.", 0),
        (["हिन्दी", "किताब"], "एक किताब", 1),
        (["รองเท้า", "กระเป๋า"], "รูปกระเป๋า", 1),
        (["café", "thé"], unicodedata.normalize("NFD", "un CAFÉ"), 0),
        ([unicodedata.normalize("NFD", "café"), "thé"], "café", 0),
        (["straße", "weg"], "STRASSE", 0),
        (["👢", "👜"], "a 👜, please", 1),
        (["❤", "👜"], "❤\ufe0f", 0),
        (["***", "bag"], "bag", 1),
        (["snow_boot", "bag"], "snow boots", 0),
    ],
)  # fmt: skip
def test_names_are_found_in_any_script_and_however_typed(classes: list[str], prompt: str, want: int) -> None:
    assert ClassNames(classes, len(classes)).condition(prompt) == want


def test_a_composed_prompt_names_no_other_class() -> None:
    with pytest.raises(UnknownClass):
        ClassNames(["café", "靴"], 2).condition("cafe")


def test_two_classes_in_a_prompt_are_refused_by_name() -> None:
    with pytest.raises(UnknownClass, match="2 classes, shirt and bag"):
        ClassNames(CLOTHES, 10).condition("a shirt and a bag")


def test_classes_without_names_go_by_number() -> None:
    names = ClassNames(None, 1000)
    assert names.condition("class 207") == 207
    with pytest.raises(UnknownClass, match="numbers 0 to 999"):
        names.condition("1000")


def test_a_model_without_classes_takes_any_prompt() -> None:
    assert ClassNames(None, 0).condition("anything") is None
