"""Texts become what a network draws after, as CLIP's own library has it, and are never cut in silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsedm.errors import InputError
from sparsedm.models.text_encoder import TextEncoder, TextTooLong
from text_tools import write_text_encoder

TOKENS, WIDTH = 12, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_encoder(tmp_path_factory.mktemp("clip"), TOKENS, WIDTH)


def test_texts_are_padded_with_start_and_end(folder: Path) -> None:
    words = json.loads((folder / "tokenizer/vocab.json").read_text())
    found = TextEncoder(folder).tokens(["red bag", ""])
    start, end = words["<|startoftext|>"], words["<|endoftext|>"]
    red = [start, words["red</w>"], words["b"], words["a"], words["g</w>"], end]
    assert found.tolist() == [red + [end] * (TOKENS - len(red)), [start] + [end] * (TOKENS - 1)]


def test_the_last_hidden_states_are_those_of_transformers(folder: Path) -> None:
    import transformers

    model = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder").eval()
    encoder = TextEncoder(folder)
    texts = ["red", "a red bag", ""]
    with torch.no_grad():
        expected = model(encoder.tokens(texts)).last_hidden_state
    found = encoder(texts)
    assert found.shape == (3, *encoder.shape) == (3, TOKENS, WIDTH)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not torch.equal(found[0], found[1])


def test_a_text_that_is_too_long_is_refused(folder: Path) -> None:
    encoder = TextEncoder(folder)
    assert encoder.tokens(["red " * (TOKENS - 2)]).shape == (1, TOKENS)
    with pytest.raises(TextTooLong, match="13 tokens with its start and end, and this model reads 12"):
        encoder(["red", "red " * (TOKENS - 1)])


def test_a_copy_encodes_alike_and_has_equal_bytes(folder: Path, tmp_path: Path) -> None:
    encoder = TextEncoder(folder)
    for name, data in encoder.files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    again = TextEncoder(tmp_path)
    torch.testing.assert_close(again(["a red bag"]), encoder(["a red bag"]), rtol=0, atol=0)
    assert again.files() == encoder.files()


def test_encoder_and_tokenizer_may_share_a_folder(folder: Path, tmp_path: Path) -> None:
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(folder / part, tmp_path, dirs_exist_ok=True)
    torch.testing.assert_close(TextEncoder(tmp_path)(["red"]), TextEncoder(folder)(["red"]), rtol=0, atol=0)


def _without(name: str):
    return lambda place: (place / name).unlink()


def _other_type(place: Path) -> None:
    (place / "text_encoder/config.json").write_text('{"model_type": "t5"}')


def _less_tensors(place: Path) -> None:
    file = place / "text_encoder/model.safetensors"
    tensors = load_file(file)
    del tensors[next(name for name in tensors if name.endswith("final_layer_norm.bias"))]
    save_file(tensors, file, metadata={"format": "pt"})


def _nan(place: Path) -> None:
    file = place / "text_encoder/model.safetensors"
    tensors = load_file(file)
    next(t for name, t in tensors.items() if name.endswith("final_layer_norm.bias"))[3] = torch.nan
    save_file(tensors, file, metadata={"format": "pt"})


def _more_words(place: Path) -> None:
    file = place / "tokenizer/vocab.json"
    words = json.loads(file.read_text())
    file.write_text(json.dumps({**words, "more</w>": len(words)}))


@pytest.mark.parametrize(
    ("damage", "reason", "says"),
    [
        (_without("text_encoder/config.json"), "TextEncoderNotFound", "check model.textEncoderUri"),
        (_without("text_encoder/model.safetensors"), "TextEncoderNotFound", "model.safetensors"),
        (_without("tokenizer/vocab.json"), "TextEncoderNotFound", "check model.textEncoderUri"),
        (_other_type, "TextEncoderUnsupported", "holds a t5"),
        (_less_tensors, "TextEncoderNotFound", "final_layer_norm.bias is missing"),
        (_nan, "TextEncoderNotFinite", "final_layer_norm.bias"),
        (_more_words, "TextEncoderNotFound", "tokens and the encoder"),
    ],
)
def test_what_is_no_text_encoder_is_refused(
    folder: Path, tmp_path: Path, damage, reason: str, says: str
) -> None:
    place = tmp_path / "clip"
    shutil.copytree(folder, place)
    damage(place)
    with pytest.raises(InputError) as raised:
        TextEncoder(place)
    assert raised.value.reason == reason
    assert says in raised.value.message
