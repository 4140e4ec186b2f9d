"""FID's network: which file makes it, what it is called, and that its features are the library's.

The published weights are no part of the package: here are random ones of the same names and shapes.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch_fidelity import feature_extractor_inceptionv3 as library
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.measure import inception as module
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.extractor import load_extractor
from sparsedm.measure.inception import STANDARD_SHA256, WEIGHTS_NAME, prepared
from tiny_run import CONFIG


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """The library's, as it is before it loads weights."""
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        built = library.FeatureExtractorInceptionV3(
            "random", ["2048"], feature_extractor_weights_path=nothing
        )
    for part in built.modules():
        if isinstance(part, nn.Conv2d):  # so that features neither vanish nor grow on their way
            nn.init.kaiming_normal_(part.weight)
    return built


@pytest.fixture(scope="module")
def weights(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Under the published name, which alone makes nothing an FID."""
    path = tmp_path_factory.mktemp("inception") / WEIGHTS_NAME
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(1)).byte()


def evaluator(extractor: Path, metric: str) -> Evaluator:
    return Evaluator(
        CONFIG, Plan(4, 1, 0.0, "dpm-solver++", 0), extractor, torch.device("cpu"), metric=metric
    )


def test_the_digest_is_the_one_in_the_published_name() -> None:
    assert len(STANDARD_SHA256) == 64
    assert f"pt_inception-2015-12-05-{STANDARD_SHA256[:8]}.pth" == WEIGHTS_NAME


def test_other_weights_are_never_called_fid(weights: Path) -> None:
    extractor, name, digest = load_extractor(weights)
    assert digest == file_sha256(weights)
    assert (name, extractor.metric) == (f"inception-{digest[:8]}", f"fd-inception-{digest[:8]}")
    assert extractor.preprocessing.startswith("pytorch-fid: ")


def test_the_published_digest_makes_it_the_fid(weights: Path) -> None:
    """Here the digest of the random weights counts as the published one."""
    extractor, name, _ = load_extractor(weights, standard_sha256=file_sha256(weights))
    assert (name, extractor.metric) == ("inception-2015-12-05", "FID")


def test_asked_for_fid_other_weights_are_refused_before_the_training(weights: Path) -> None:
    with pytest.raises(InputError, match=f"{STANDARD_SHA256}, and .* has {file_sha256(weights)}: name that"):
        evaluator(weights, "fid")
    assert evaluator(weights, "fd").extractor.metric.startswith("fd-inception-")


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"no extractor at .*gone\.pth.* FID needs {WEIGHTS_NAME}"
    ) as caught:
        evaluator(tmp_path / "gone.pth", "fid")
    assert caught.value.reason == "ExtractorNotFound"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    ("content", "want"),
    [
        (lambda folder: {"model": Trap(folder)}, "hold more than tensors"),
        (lambda folder: {"fc.weight": torch.zeros(3)}, "Error.s. in loading state_dict"),
        (lambda folder: [torch.zeros(1)], "hold no state dict"),
    ],
)
def test_a_file_that_is_not_the_network_is_refused_and_runs_nothing(
    tmp_path: Path, content, want: str
) -> None:
    folder, file = tmp_path / "unpickled", tmp_path / "x.pth"
    torch.save(content(folder), file)
    with pytest.raises(InputError, match=want) as caught:
        load_extractor(file)
    assert caught.value.reason == "ExtractorUnreadable"
    assert "x.pth does not hold the weights of FID's Inception network" in caught.value.message
    assert not folder.exists()


def test_weights_that_are_not_finite_are_refused_by_name(network: nn.Module, tmp_path: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tensors["Conv2d_1a_3x3.bn.bias"][0] = float("inf")
    torch.save(tensors, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth hold NaN or infinity in Conv2d_1a_3x3\.bn\.bias") as caught:
        load_extractor(tmp_path / "x.pth")
    assert caught.value.reason == "ExtractorNotFinite"


def test_the_features_are_the_librarys_before_its_own_resizing(
    network: nn.Module, weights: Path, pixels: torch.Tensor
) -> None:
    extractor, _, _ = load_extractor(weights)
    resized = interpolate_bilinear_2d_like_tensorflow1x(pixels.float(), size=(299, 299), align_corners=False)
    want = network(pixels)[0]
    assert want.shape == (3, extractor.dims)
    assert 0.1 < want.std() < 10
    assert torch.equal(extractor.features((resized - 128) / 128), want)


def test_images_are_resized_about_the_centres_of_their_pixels() -> None:
    """By hand, from left to right: the value at place i is that at (i + 1/2) · 2 / 299 - 1/2."""
    row = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 2, 2)
    places = np.clip((np.arange(299) + 0.5) * 2 / 299 - 0.5, 0, 1)
    np.testing.assert_allclose(prepared(row)[0, 1, 150], 2 * places - 1, atol=1e-5)


def test_grey_images_are_taken_as_red_green_and_blue() -> None:
    grey = torch.randint(0, 256, (2, 1, 8, 8), generator=torch.Generator().manual_seed(2)).byte()
    assert torch.equal(prepared(grey), prepared(grey.repeat(1, 3, 1, 1)))


def test_features_depend_neither_on_batches_nor_on_the_kind_of_numbers(
    weights: Path, pixels: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, _, _ = load_extractor(weights)
    want = extractor(pixels)
    images = pixels.float() / 127.5 - 1
    assert torch.equal(extractor(images), want)
    monkeypatch.setattr(module, "BATCH", 2)
    torch.testing.assert_close(extractor(images), want, rtol=1e-4, atol=1e-4)


def test_classes_are_not_its_business(weights: Path, pixels: torch.Tensor) -> None:
    with pytest.raises(InputError, match="does not know the classes of the data"):
        load_extractor(weights)[0].classify(pixels)
