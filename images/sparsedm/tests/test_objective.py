"""The loss over networks of every kind: what is dropped, what a variance learns from, how a run begins."""

from __future__ import annotations

import torch
from torch import nn

from sparsedm.diffusion.objective import Batch, Objective, noisy_batch
from sparsedm.models import DiffusersConfig, ModelConfig, UViTConfig

CLASSES = UViTConfig(8, 4, 1, width=16, depth=3, heads=2, num_classes=3)
TEXT = UViTConfig(8, 4, 1, width=16, depth=3, heads=2, context_tokens=2, context_width=3)
CLASSES_WITHOUT_NONE = DiffusersConfig(
    "unet", {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1, "num_class_embeds": 3}
)
COUNT = 2000


def conditions(
    config: ModelConfig, labels: torch.Tensor, nothing: torch.Tensor | None = None
) -> torch.Tensor:
    x0 = torch.zeros(len(labels), 1, 2, 2)
    batch = noisy_batch(x0, labels, config, torch.Generator().manual_seed(0), nothing)
    assert batch.labels is not None
    return batch.labels


def test_a_tenth_of_the_labels_becomes_none() -> None:
    got = conditions(CLASSES, torch.ones(COUNT, dtype=torch.int64))
    assert set(got.tolist()) == {1, CLASSES.null_label}
    # The share has a standard error of sqrt(0.1 * 0.9 / 2000) = 0.0067.
    assert abs((got != 1).float().mean().item() - CLASSES.label_dropout) < 0.03


def test_a_tenth_of_the_texts_becomes_the_empty_one_and_those_of_the_same_places() -> None:
    nothing = torch.full((2, 3), -1.0)
    got = conditions(TEXT, torch.ones(COUNT, 2, 3), nothing)
    dropped = (got == -1).all(dim=(1, 2))
    assert torch.equal(dropped, conditions(CLASSES, torch.ones(COUNT, dtype=torch.int64)) != 1)
    assert (got[~dropped] == 1).all()


def test_without_a_label_for_none_all_labels_stay() -> None:
    labels = torch.arange(COUNT) % 3
    assert torch.equal(conditions(CLASSES_WITHOUT_NONE, labels), labels)


def test_the_shares_of_a_batch_are_parts_of_the_whole_one() -> None:
    x0, labels = torch.randn(12, 1, 8, 8), torch.arange(12) % 3

    def drawn(part: slice) -> Batch:
        generator = torch.Generator().manual_seed(0)
        return noisy_batch(x0[part], labels[part], CLASSES, generator, whole=12, first=part.start)

    whole, shares = drawn(slice(0, 12)), [drawn(slice(first, first + 4)) for first in (0, 4, 8)]
    for name in ("x_t", "t", "labels", "target"):
        assert torch.equal(torch.cat([getattr(share, name) for share in shares]), getattr(whole, name)), name


class Constant(nn.Module):
    """Outputs `values`, one for each channel, with a dropout that halves or doubles them in training."""

    def __init__(self, values: list[float], dropout: float = 0.0) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        said = self.values[None, :, None, None].expand(len(x), -1, *x.shape[2:])
        return self.dropout(said)


def a_batch() -> Batch:
    return Batch(torch.zeros(4, 1, 8, 8), torch.full((4,), 0.5), None, torch.full((4, 1, 8, 8), 3.0))


def test_a_learned_variance_follows_the_teacher_alone() -> None:
    """Noise 1 against 3, and against the teacher's 2; variance 5 against its 7: 4 + 0.5 (1² + 2²) / 2."""
    student, teacher = Constant([1.0, 5.0]), Constant([2.0, 7.0])
    loss = Objective(student, teacher, 0.5, "fp32")(a_batch())
    loss.backward()
    assert loss.item() == 4 + 0.5 * (1 + 4) / 2
    alone = Constant([1.0, 5.0])
    Objective(alone, None, 0.0, "fp32")(a_batch()).backward()
    assert alone.values.grad is not None
    assert alone.values.grad.tolist() == [-4.0, 0.0]


def test_a_model_with_dropout_begins_as_the_dense_one() -> None:
    student, dense = Constant([1.0], dropout=0.5).train(), Constant([1.0], dropout=0.5).eval()
    Objective(student, None, 0.0, "fp32").check_start(a_batch(), dense)
    assert student.training


class Scaled(nn.Module):
    """A network with one weight: w * x_t."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return self.weight * x_t


def test_the_gradient_of_both_parts_of_the_loss_by_hand() -> None:
    # x = [1, 2], so the student says [3, 6], the teacher [1, 2], and the target is [0, 2].
    # Error: mean of [9, 16]; gradient (2 / 2) * (3 * 1 + 4 * 2) = 11. Distance from the teacher: mean of
    # [4, 16]; gradient 2 * 1 + 4 * 2 = 10. With alpha 0.5: 12.5 + 0.5 * 10 = 17.5 and 11 + 0.5 * 10 = 16.
    student, teacher = Scaled(3.0), Scaled(1.0).requires_grad_(False)
    batch = Batch(torch.tensor([[1.0, 2.0]]), torch.ones(1), None, torch.tensor([[0.0, 2.0]]))
    for alpha, loss, gradient in ((0.0, 12.5, 11.0), (0.5, 17.5, 16.0)):
        student.zero_grad()
        found = Objective(student, teacher, alpha, "fp32")(batch)
        found.backward()
        assert (found.item(), student.weight.grad.item()) == (loss, gradient)
        assert teacher.weight.grad is None
