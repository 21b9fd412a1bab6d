"""Who sends too much: each device has a share of the gateway, and what exceeds it is dropped.

Dropping loses nothing for good. Devices repeat enrolments, states and reports, and telemetry until
it is acknowledged; what they send again within the limit is kept. Each gateway counts for itself
and forgets when it ends, so of several a device may use several shares.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from orchestrator.policy.rate import Bucket, Rate
from orchestrator.protocol import topics

_LOOK_S = 60.0


class MessageRates:
    """One bucket for each sender that was heard lately; a full one is as good as none."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._tidied_s = 0.0

    def admits(self, topic: str, now: datetime) -> bool:
        """Whether one more message on `topic` is within its sender's share."""
        rate = Rate(settings.MQTT_MESSAGES_PER_S, settings.MQTT_MESSAGES_BURST)
        sender, now_s = sender_of(topic), now.timestamp()
        self._tidy(rate, now_s)
        bucket = rate.spent(self._buckets.get(sender), now_s)
        if bucket is None:
            return False
        self._buckets[sender] = bucket
        return True

    def __len__(self) -> int:
        """How many senders are remembered."""
        return len(self._buckets)

    def _tidy(self, rate: Rate, now_s: float) -> None:
        if abs(now_s - self._tidied_s) < _LOOK_S:
            return
        self._tidied_s = now_s
        present = {name: rate.refilled(bucket, now_s) for name, bucket in self._buckets.items()}
        self._buckets = {n: bucket for n, bucket in present.items() if bucket.tokens < rate.burst}


def sender_of(topic: str) -> str:
    """Whose share a message takes, as far as its topic says: the broker lets a device write only
    its own, and holds enrolments apart, which anybody with their account may send in any name."""
    parts = topic.removeprefix(f"{topics.ROOT}/").split("/", 2)
    return "/".join(parts[:2]) if parts[0] == "enrol" else parts[0]
