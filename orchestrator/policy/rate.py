"""How many messages one sender may send: a token bucket. Pure; times are seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a sender had left at a moment; each message takes one token."""

    tokens: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` messages a second in the long run, and `burst` of them at once."""

    per_s: float
    burst: float

    def refilled(self, bucket: Bucket, now_s: float) -> Bucket:
        """The bucket as it stands now; a clock that was set back adds nothing."""
        grown = bucket.tokens + max(0.0, now_s - bucket.at_s) * self.per_s
        return Bucket(min(grown, self.burst), now_s)

    def spent(self, bucket: Bucket | None, now_s: float) -> Bucket | None:
        """The bucket after one more message; None where that message is one too many.

        Who was not heard before, or long ago, has a full one.
        """
        present = self.refilled(bucket, now_s) if bucket else Bucket(self.burst, now_s)
        return Bucket(present.tokens - 1, now_s) if present.tokens >= 1 else None
