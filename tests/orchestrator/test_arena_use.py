"""What a running device says of its arena is a measured figure, and no liar alone makes it."""

from __future__ import annotations

from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Answer, Constraint, Metric, Status
from orchestrator.models import ArenaReport
from orchestrator.policy.arena import Stated, agreed_use, believed
from orchestrator.protocol.messages import (
    DeploymentStatus,
    Report,
    ResultCode,
    Shortage,
    TelemetryPack,
)
from orchestrator.services import deployments, telemetry
from registry.models import CapabilityProfile, Device, GraphChange, Measurement, Release, Variant
from registry.services.matching import assess_pair
from tests.orchestrator.rollout_world import (
    NOW,
    install,
    make_devices,
    make_release,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db

BUDGET = 65536  # of a roomy device
USE = 12_345


@pytest.fixture
def release() -> Release:
    """Two variants, of which every roomy device gets `large`."""
    return make_release()


def large(release: Release) -> Variant:
    return release.variants.get(name="large")


def running(release: Release, devices: int) -> list[Device]:
    """So many accepted devices that run `large`."""
    names = [device.device_id for device in make_devices(devices)]
    started(release)
    install(sign_pending())
    return list(Device.objects.filter(device_id__in=names).order_by("device_id"))


numbers = count(1)


def say(device: Device, use: int | None = USE, **fields) -> None:
    """One pack of the device, as it is in the inventory now."""
    digest = Device.objects.get(pk=device.pk).installed.artifact_id
    fields = {"digest": digest, "arena_used_bytes": use} | fields
    pack = TelemetryPack(boot=1, sequence=next(numbers), **fields)
    telemetry.ingest([(device.device_id, pack)], NOW)


def measured(row: Variant) -> list[Measurement]:
    figures = Measurement.objects.filter(variant=row, metric=Metric.ARENA_BYTES.value)
    return list(figures.filter(status=Status.MEASURED.value))


def test_the_only_device_of_its_kind_is_believed(release) -> None:
    (device,) = running(release, 1)
    GraphChange.objects.all().delete()
    say(device)
    (row,) = measured(large(release))
    profile = device.profile
    assert (row.value, row.unit) == (USE, "B")
    assert (row.board, row.runtime) == (profile.board, profile.firmware.runtime)
    assert (row.source, row.note) == ("reported by devices", f"{device.device_id} (sim 1)")
    reason = next(
        reason
        for reason in assess_pair(device, row.variant).reasons
        if reason.constraint is Constraint.RAM
    )
    assert (reason.need, reason.have, reason.holds) == (USE, BUDGET, True)
    assert GraphChange.objects.filter(kind="variant", subject=str(row.variant_id)).exists()


def test_it_is_shown_with_status_and_source(release, client, django_user_model) -> None:
    (device,) = running(release, 1)
    say(device)
    client.force_login(django_user_model.objects.create_superuser("owner"))
    shown = client.get(f"/api/v1/variants/{large(release).pk}/").json()["measurements"]
    (figure,) = [each for each in shown if each["status"] == "measured" and each["unit"] == "B"]
    assert (figure["value"], figure["source"]) == (USE, "reported by devices")
    assert device.device_id in figure["note"]


def test_two_that_agree_are_believed_one_of_several_is_not(release) -> None:
    first, second, _ = running(release, 3)
    say(first)
    assert measured(large(release)) == []
    say(second)
    assert [row.value for row in measured(large(release))] == [USE]


@pytest.mark.parametrize("lie", [1, BUDGET])
def test_one_that_lies_moves_nothing(release, lie) -> None:
    devices = running(release, 4)
    say(devices[0], lie)
    for device in devices[1:]:
        say(device)
    assert [row.value for row in measured(large(release))] == [USE]
    assert assess_pair(devices[3], large(release)).answer is Answer.FITS


def test_two_that_contradict_each_other_say_nothing(release) -> None:
    first, second = running(release, 2)
    say(first, 1)
    say(second)
    assert measured(large(release)) == []


def test_the_same_word_again_writes_nothing(release) -> None:
    (device,) = running(release, 1)
    say(device)
    GraphChange.objects.all().delete()
    before = list(ArenaReport.objects.values())
    for use in (USE, USE - 1, 1):
        say(device, use)
    assert list(ArenaReport.objects.values()) == before
    assert len(measured(large(release))) == 1
    assert not GraphChange.objects.exists()


def test_the_most_of_several_words_counts_in_any_order(release) -> None:
    (device,) = running(release, 1)
    for use in (USE, USE + 7, USE + 3):
        say(device, use)
    assert [row.value for row in measured(large(release))] == [USE + 7]


@pytest.mark.parametrize(
    "said",
    [
        {"use": None},
        {"use": 0},
        {"use": BUDGET + 1},
        {"use": 10**15},
        {"digest": None},
        {"digest": "ab" * 32},
        {"adapted_samples": 3},
    ],
)
def test_what_says_nothing_of_the_installed_network_is_left_out(release, said) -> None:
    (device,) = running(release, 1)
    say(device, **said)
    assert not ArenaReport.objects.exists()
    assert measured(large(release)) == []


def test_a_device_that_is_not_a_member_has_no_say(release) -> None:
    (device,) = running(release, 1)
    Device.objects.update(status="revoked")
    say(device)
    Device.objects.update(status="accepted", profile=None)
    say(device)
    assert not ArenaReport.objects.exists()


def refuse(device: Device, release: Release, need: int, have: int) -> None:
    """The device ends a new order of `large` for want of memory."""
    started(release, name=f"{device.device_id} {need}", target={"devices": [device.device_id]})
    (order,) = sign_pending()
    said = Report(
        deployment=order.pk,
        status=DeploymentStatus.REJECTED,
        code=ResultCode.ARENA_TOO_SMALL,
        boot=1,
        sequence=order.sequence,
        shortage=Shortage(need, have),
    )
    assert deployments.apply_report(device, said, NOW)


def test_who_runs_it_after_all_takes_its_refusal_back(release) -> None:
    (device,) = make_devices(1)
    refuse(device, release, 70_000, BUDGET)
    assert assess_pair(device, large(release)).answer is Answer.DOES_NOT_FIT
    Device.objects.filter(pk=device.pk).update(installed=large(release))
    say(device)
    assert ArenaReport.objects.get().finding == "in_use"
    assert [row.value for row in measured(large(release))] == [USE]
    assert assess_pair(device, large(release)).answer is Answer.FITS


def test_refusing_does_not_make_a_network_smaller(release) -> None:
    """A need below what is known anyway is none that a device could have found by refusing."""
    (device,) = make_devices(1)
    refuse(device, release, 2, 1)
    assert ArenaReport.objects.get().need_bytes == 2
    assert measured(large(release)) == []


def test_a_device_with_new_firmware_speaks_anew(release) -> None:
    (device,) = running(release, 1)
    say(device)
    firmware = device.profile.firmware
    firmware.pk, firmware.version, firmware.capacity_digest = None, "2", "newer"
    firmware.save()
    profile = CapabilityProfile.objects.create(
        board=firmware.board, firmware=firmware, digest="ff" * 32
    )
    Device.objects.update(profile=profile)
    say(device, USE - 100)
    (row,) = measured(large(release))
    assert (row.value, row.note) == (USE - 100, f"{device.device_id} (sim 2)")


def test_a_note_names_few_of_many(release) -> None:
    devices = running(release, 6)
    for device in devices:
        say(device)
    (row,) = measured(large(release))
    assert row.note == ", ".join(f"roomy-00{n} (sim 1)" for n in range(3)) + " and others"


def test_words_of_a_whole_fleet_are_one_correction(release) -> None:
    devices = running(release, 40)
    digest = large(release).artifact_id

    def queries(sequence: int, use: int | None) -> int:
        pack = TelemetryPack(1, sequence, digest=digest, arena_used_bytes=use)
        with CaptureQueriesContext(connection) as asked:
            telemetry.ingest([(device.device_id, pack) for device in devices], NOW)
        return len(asked)

    queries(1, None)
    without, first, again = queries(2, None), queries(3, USE), queries(4, USE)
    assert first - without < len(devices)
    assert again - without == 1
    assert [row.value for row in measured(large(release))] == [USE]


words = st.lists(st.integers(1, 100), max_size=8)


@given(words, st.integers(1, 4))
def test_an_agreed_use_has_so_many_on_both_sides(uses, quorum) -> None:
    agreed = agreed_use(uses, quorum)
    fitting = [
        use
        for use in uses
        if sum(each >= use for each in uses) >= quorum
        and sum(each <= use for each in uses) >= quorum
    ]
    assert agreed == max(fitting, default=None)


@given(st.integers(1, 100), st.integers(2, 6), st.integers(0, 1000), st.booleans())
def test_one_liar_among_honest_devices_changes_nothing(truth, honest, lie, refuses) -> None:
    uses = [truth] * honest
    stated = Stated(refused=[lie], in_use=uses) if refuses else Stated(in_use=[*uses, lie])
    assert believed(stated, 2) == truth


@given(words, st.integers(1, 4), st.integers(1, 100))
def test_refusals_never_lower_what_is_known(refused, quorum, known) -> None:
    need = believed(Stated(refused=refused), quorum, known)
    assert need is None or need > known
