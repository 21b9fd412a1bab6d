"""Devices and fleets as enrolment and people change them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from registry.models import Device, DeviceStatus, Fleet, GraphChange
from registry.services import inventory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def marks() -> set[tuple[str, str]]:
    found = set(GraphChange.objects.values_list("kind", "subject"))
    GraphChange.objects.all().delete()
    return found


def test_a_device_is_accepted_and_accepted_again_with_a_new_key() -> None:
    inventory.accept_device("cam-01", public_key="first", at=NOW)
    assert marks() == {("device", "cam-01")}
    row = inventory.accept_device("cam-01", public_key="second", at=NOW)
    assert (row.status, row.public_key, row.accepted_at) == (DeviceStatus.ACCEPTED, "second", NOW)
    assert Device.objects.count() == 1


def test_what_a_device_runs_is_recorded_once(make_device, make_variant) -> None:
    device, variant = make_device("cam-01"), make_variant("base")
    marks()
    inventory.set_installed(device, variant, NOW)
    assert marks() == {("device", "cam-01")}
    inventory.set_installed(device, variant, NOW + timedelta(hours=1))
    assert marks() == set()
    row = Device.objects.get(pk=device.pk)
    assert (row.installed, row.installed_at) == (variant, NOW)
    inventory.set_installed(device, None, NOW)
    assert Device.objects.get(pk=device.pk).installed is None


def test_a_device_is_revoked_once(make_device) -> None:
    device = make_device("cam-01")
    marks()
    inventory.set_device_status(device, DeviceStatus.REVOKED)
    inventory.set_device_status(device, DeviceStatus.REVOKED)
    assert marks() == {("device", "cam-01")}
    assert Device.objects.get().status == DeviceStatus.REVOKED


def test_members_of_a_fleet_change_together_with_it(make_device) -> None:
    first, second = make_device("cam-01"), make_device("cam-02")
    marks()
    fleet = inventory.save_fleet(Fleet(slug="hall", name="Hall"), [first])
    assert marks() == {("device", "cam-01"), ("fleet", "hall")}
    inventory.save_fleet(fleet, [second])
    assert marks() == {("device", "cam-01"), ("device", "cam-02"), ("fleet", "hall")}
    inventory.save_fleet(fleet)
    assert marks() == {("fleet", "hall")}
    assert list(fleet.devices.all()) == [second]
    inventory.delete_fleet(fleet)
    assert marks() == {("device", "cam-02"), ("fleet", "hall")}
    assert Device.objects.count() == 2
