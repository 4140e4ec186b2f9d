"""Images that must not be served, as errors in their place."""

from __future__ import annotations

from typing import ClassVar

from sparsedm.serve.metrics import Outcome


class Spoilt(Exception):
    """`what` completes "the image of seed 7 ..."."""

    outcome: ClassVar[Outcome]
    what: ClassVar[str]

    @property
    def code(self) -> str:
        """The API's."""
        return f"image_{self.outcome}"

    def __init__(self, seed: int) -> None:
        super().__init__(f"The image of seed {seed} {self.what}.")


class NotFinite(Spoilt):
    """An image with NaN or infinity, which would be served as black."""

    outcome = "not_finite"
    what = "holds values that are not finite"


class Flat(Spoilt):
    """An image of one colour, which no trained model means."""

    outcome = "flat"
    what = "has one value in all of its pixels"
