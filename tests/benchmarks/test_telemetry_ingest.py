"""How many packs a second the server keeps, beside a fleet that sends one each a second."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from orchestrator.models import Telemetry
from orchestrator.protocol.messages import TelemetryPack
from orchestrator.services import telemetry
from registry.models import Device, DeviceStatus
from tests.benchmarks.conftest import median_s

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
DEVICES = 100
BATCH = 500
PACKS_PER_DEVICE_PER_S = 1.0


pytestmark = [pytest.mark.bench, pytest.mark.django_db]


def test_keeping_telemetry_beside_what_is_sent(record):
    names = [f"pump-{number}" for number in range(DEVICES)]
    status = DeviceStatus.ACCEPTED
    Device.objects.bulk_create(Device(device_id=name, status=status) for name in names)
    sequences = itertools.count(1)

    def one_batch() -> None:
        packs = []
        for sequence in itertools.islice(sequences, BATCH // DEVICES):
            pack = TelemetryPack(boot=1, sequence=sequence, samples=20, labelled=20, accuracy=0.9)
            packs += [(name, pack) for name in names]
        telemetry.ingest(packs, NOW)

    taken_s = median_s(one_batch)
    assert Telemetry.objects.count() == 8 * BATCH
    kept_per_s, sent_per_s = BATCH / taken_s, DEVICES * PACKS_PER_DEVICE_PER_S
    record(kept_per_s=kept_per_s, sent_per_s=sent_per_s, ratio=kept_per_s / sent_per_s)
    assert kept_per_s > sent_per_s
