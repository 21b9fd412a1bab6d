"""What the broker has yet to be told of."""

from __future__ import annotations

from django.db import models


class AccessChange(models.Model):
    """A device was let in or shut out, and the broker may not know it yet.

    Written in the transaction that decides, read and removed by the gateway, which looks up what
    holds now: `admits` only orders the rows, for shutting out goes first. No key to the device: a
    row outlives it. `rekeys`: whoever is signed in may be so by a key that counts no more.
    """

    device_id = models.SlugField(max_length=64)
    admits = models.BooleanField()
    rekeys = models.BooleanField(default=False)

    class Meta:
        # Also the order of the work: False sorts before True.
        indexes = [models.Index(fields=["admits", "id"], name="access_change_order")]

    def __str__(self) -> str:
        return f"{'let in' if self.admits else 'shut out'}: {self.device_id}"
