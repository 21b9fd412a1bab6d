"""The one error that reading a model file raises."""

from __future__ import annotations


class FormatError(ValueError):
    """The bytes are not a model that this product can read.

    `what` is wrong, `where` in the file (a path such as `subgraphs[0].tensors[3].shape`), and the
    `remedy`: what the person who brought the file can do.
    """

    def __init__(self, what: str, where: str, remedy: str) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(f"{what} (at {where}). {remedy}")
