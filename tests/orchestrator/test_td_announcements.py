"""What devices announce of themselves is held to the same rules as what people bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.models import DroppedMessage
from orchestrator.protocol import topics
from orchestrator.services.inbox import Arrival, take
from registry.models import Device
from tests.orchestrator.members import NOW, member
from tests.registry.td_samples import REMOVED, THING, with_change

pytestmark = pytest.mark.django_db


def announce(**descriptions: dict[str, Any] | bytes) -> None:
    """All in one batch, as they may come."""
    arrivals = []
    for device_id, td in descriptions.items():
        member(device_id)
        payload = td if isinstance(td, bytes) else json.dumps(td).encode()
        arrivals.append(Arrival(topics.td(device_id), payload, retained=True))
    take(arrivals, NOW)


def test_an_announcement_is_kept_byte_for_byte() -> None:
    text = json.dumps(THING, indent=1).replace("\n", "\r\n").encode()
    announce(mast=text)
    assert Device.objects.get(device_id="mast").td.encode() == text


@pytest.mark.parametrize("identity", [REMOVED, "urn:tinyfleet:device:mast", "urn:dev:ops:32473-1"])
def test_the_topic_says_who_it_is(identity: Any) -> None:
    announce(mast=with_change("id", identity))
    assert Device.objects.get(device_id="mast").td


def test_a_bad_one_is_dropped_with_its_reason_and_the_others_are_kept() -> None:
    announce(
        one=THING,
        two=with_change("id", "urn:tinyfleet:device:one"),
        three=with_change("properties|temperature|forms|0|op", "subscribeevent"),
        four=THING,
    )
    described = Device.objects.exclude(td="").values_list("device_id", flat=True)
    assert set(described) == {"one", "four"}
    row = DroppedMessage.objects.get()
    assert (row.reason, row.count) == ("description", 2)
    assert row.last_detail.startswith("/properties/temperature/forms/0/op is 'subscribeevent'")


def test_the_published_examples_fare_as_they_do_when_imported(data_dir: Path) -> None:
    files = sorted((data_dir / "w3c-wot" / "tds").glob("*/*.json"))
    announce(**{f"thing-{number}": file.read_bytes() for number, file in enumerate(files)})
    kept = {device.device_id for device in Device.objects.exclude(td="")}
    good = {f"thing-{n}" for n, file in enumerate(files) if file.parent.name != "invalid"}
    assert kept == good
