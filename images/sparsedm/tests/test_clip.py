"""The CLIP score, against its formula by the parts of the library."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from sparsedm.errors import InputError
from sparsedm.measure.clip import ClipScore
from text_tools import write_clip

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def test_a_score_is_a_hundred_times_the_cosine_of_image_and_text(clip: Path) -> None:
    """More images than a batch, of the model's own size, so that preparing them is mean and deviation."""
    import transformers

    bytes_ = torch.randint(0, 256, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    texts = [f"{'red' if i % 2 else 'a blue ball'} {i}" for i in range(20)]
    scores = ClipScore(clip, CPU)(bytes_ / 127.5 - 1, texts)
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    mean, deviation = (
        torch.tensor(each)[:, None, None]
        for each in ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    )
    tokenizer, cosines = transformers.CLIPTokenizer.from_pretrained(clip), []
    with torch.no_grad():
        for image, text in zip((bytes_ / 255 - mean) / deviation, texts, strict=True):
            seen = model.visual_projection(model.vision_model(image[None]).pooler_output)
            tokens = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
            read = model.text_projection(model.text_model(**tokens).pooler_output)
            cosines.append(torch.cosine_similarity(seen, read))
    cosines = torch.cat(cosines)
    assert cosines.min() < 0 < cosines.max()
    torch.testing.assert_close(scores, 100 * cosines.clamp(min=0), rtol=1e-3, atol=1e-3)


def test_a_folder_without_a_clip_model_is_refused_by_name(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(clip, other)
    (other / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(InputError, match=r"^evaluation\.clipUri: .*holds a siglip"):
        ClipScore(other, CPU)
    shutil.copy(clip / "config.json", other)
    (other / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"check evaluation\.clipUri\.$"):
        ClipScore(other, CPU)
    with pytest.raises(InputError, match=r"no readable CLIP model"):
        ClipScore(tmp_path, CPU)
