"""Reference statistics to and from a file, and the errors for unusable ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sparsedm.errors import InputError
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.measure.reference import FeatureSample, Reference, some_of


def reference_of(features: np.ndarray) -> Reference:
    stats = FrechetStats()
    stats.update(features)
    return Reference(stats, torch.from_numpy(features).float())


@pytest.fixture
def reference() -> Reference:
    return reference_of(np.random.default_rng(6).standard_normal((40, 5)))


def test_a_reference_survives_the_file(tmp_path: Path, reference: Reference) -> None:
    reference.save(tmp_path / "reference.npz", "d1")
    back = Reference.load(tmp_path / "reference.npz", "d1", 5)
    assert back.stats.n == 40
    assert frechet_distance(back.stats, reference.stats) == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(back.stats.mean, reference.stats.mean)
    np.testing.assert_allclose(back.stats.cov, reference.stats.cov, rtol=1e-15)
    assert torch.equal(back.features, reference.features)
    assert [file.name for file in tmp_path.iterdir()] == ["reference.npz"]


def test_other_tools_read_mu_and_sigma(tmp_path: Path, reference: Reference) -> None:
    reference.save(tmp_path / "reference.npz", "d1")
    with np.load(tmp_path / "reference.npz") as file:
        np.testing.assert_array_equal(file["mu"], reference.stats.mean)
        np.testing.assert_array_equal(file["sigma"], reference.stats.cov)


def test_mu_and_sigma_of_another_tool_win_over_its_other_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", np.zeros((2, 2)), mu=np.ones(3, np.float32), sigma=np.eye(3))
    with np.load(tmp_path / "other.npz") as file:
        assert "arr_0" in file.files
    back = Reference.load(tmp_path / "other.npz", "d1", 3)
    assert back.stats.mean.tolist() == [1, 1, 1]
    assert back.stats.mean.dtype == np.float64
    assert not back.stats.rank_deficient
    assert back.features is None


def test_a_pickle_in_another_array_is_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.zeros(3), sigma=np.eye(3), extra=np.array([{"an": "object"}], object))
    with pytest.raises(InputError, match=r"x\.npz is no readable npz of numbers"):
        Reference.load(tmp_path / "x.npz", "d1", 3)


SPOILT = np.eye(3)
SPOILT[1, 1] = np.nan


@pytest.mark.parametrize(
    ("write", "want"),
    [
        pytest.param(lambda p: None, r"no reference statistics at .*x\.npz", id="missing"),
        pytest.param(lambda p: p.write_bytes(b"no archive"), r"x\.npz is no readable npz", id="no archive"),
        pytest.param(lambda p: p.write_bytes(b"PK\x03\x04cut"), r"x\.npz is no readable npz", id="cut off"),
        pytest.param(
            lambda p: np.savez(p, np.zeros(3), features=np.zeros(3)),
            r"x\.npz holds arr_0, features, and not mu and sigma",
            id="wrong keys",
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.zeros(3)),
            r"x\.npz holds mu, and not mu and sigma",
            id="half of the keys",
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.zeros(3), sigma=np.zeros((2, 2))),
            r"x\.npz has mu of shape \(3,\) and sigma of shape \(2, 2\)",
            id="sigma of another size",
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.zeros(2048), sigma=np.zeros((2048, 2048))),
            r"x\.npz has mu of shape \(2048,\) .* and the extractor gives 3 features",
            id="another extractor's size",
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.zeros(3), sigma=SPOILT), r"x\.npz holds NaN or infinity", id="a NaN"
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.zeros(3), sigma=np.eye(3), extractor_digest="d2"),
            r"x\.npz was made with the extractor d2, not d1",
            id="another extractor",
        ),
        pytest.param(
            lambda p: np.savez(p, mu=np.array([{"an": "object"}], dtype=object), sigma=np.eye(1)),
            r"x\.npz is no readable npz of numbers",
            id="objects",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, write: Callable[[Path], object], want: str
) -> None:
    write(tmp_path / "x.npz")
    with pytest.raises(InputError, match=want):
        Reference.load(tmp_path / "x.npz", "d1", 3)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_kept_features_do_not_depend_on_the_batches(batch: int) -> None:
    features = torch.arange(100.0)[:, None]
    whole, parts = FeatureSample(100, limit=20), FeatureSample(100, limit=20)
    whole.update(features)
    for part in features.split(batch):
        parts.update(part)
    kept = whole.features()
    assert torch.equal(parts.features(), kept)
    assert kept.shape == (20, 1)
    assert len(kept.unique()) == 20


def test_some_features_are_always_the_same_ones_in_order_and_of_every_class() -> None:
    features = torch.arange(1000.0)[:, None]
    some = some_of(features, 100)
    assert torch.equal(some_of(features, 100), some)
    assert torch.equal(some.flatten(), some.flatten().unique()), "in order, each once"
    assert (some.flatten() % 10).unique().numel() == 10, "as many classes as samples in turn have"
    assert torch.equal(some_of(features, 1000), features)


def test_fewer_images_than_the_limit_are_all_kept_in_order() -> None:
    sample = FeatureSample(6, limit=20)
    sample.update(torch.arange(6.0)[:, None])
    assert sample.features().flatten().tolist() == [0, 1, 2, 3, 4, 5]
