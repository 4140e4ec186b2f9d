"""Images that must not be served, as errors in their place."""

from __future__ import annotations


class Spoilt(Exception):
    """`code` is the API's; `what` completes "the image of seed 7 ..."."""

    code = "image_spoilt"
    what = "is spoilt"

    def __init__(self, seed: int) -> None:
        super().__init__(f"The image of seed {seed} {self.what}.")


class NotFinite(Spoilt):
    """An image with NaN or infinity, which would be served as black."""

    code = "image_not_finite"
    what = "holds values that are not finite"


class Flat(Spoilt):
    """An image of one colour, which no trained model means."""

    code = "image_flat"
    what = "has one value in all of its pixels"
