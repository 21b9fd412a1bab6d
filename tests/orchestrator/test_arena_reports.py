"""A device that finds a network too large corrects what is believed, and no liar alone does."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Answer, Constraint, Metric, Status
from ontology.store import MemoryStore
from orchestrator.models import ArenaReport, Deployment
from orchestrator.policy.arena import believed_need, quorum_of
from orchestrator.protocol.messages import DeploymentStatus, Report, ResultCode, Shortage
from orchestrator.services import deployments, rollouts
from registry.models import (
    Device,
    FirmwareBuild,
    GraphChange,
    Measurement,
    Release,
    Runtime,
    Variant,
)
from registry.services.graph_outbox import mark_everything
from registry.services.graph_sync import drain
from registry.services.matching import assess_pair
from registry.services.profiles import profile_for
from tests.orchestrator.rollout_world import (
    NOW,
    install,
    make_devices,
    make_release,
    make_rollout,
    report,
    sign_pending,
    started,
    statuses,
)
from tests.registry import asking

pytestmark = pytest.mark.django_db

HAVE = 65536  # the arena of a roomy device
NEED = 70_000


@pytest.fixture
def release() -> Release:
    """Two variants: `large`, which is the better one, and `small`."""
    return make_release()


def variant(release: Release, name: str) -> Variant:
    return release.variants.get(name=name)


def refuse(deployment: Deployment, need: int = NEED, have: int = HAVE) -> bool:
    """The device's own count of the arena."""
    said = Report(
        deployment=deployment.pk,
        status=DeploymentStatus.REJECTED,
        code=ResultCode.ARENA_TOO_SMALL,
        boot=1,
        sequence=deployment.sequence,
        detail=f"needs {need}",
        shortage=Shortage(need, have),
    )
    return deployments.apply_report(deployment.device, said, NOW)


def sent(release: Release, **options) -> list[Deployment]:
    started(release, **options)
    return sign_pending()


def measured(row: Variant) -> list[Measurement]:
    figures = Measurement.objects.filter(metric=Metric.ARENA_BYTES.value)
    return list(figures.filter(variant=row, status=Status.MEASURED.value))


def corrected(release: Release) -> list[float]:
    rows = measured(variant(release, "large"))
    return [row.value for row in rows]


def ram(device: Device, row: Variant):
    verdict = assess_pair(device, row)
    return verdict.answer, next(r for r in verdict.reasons if r.constraint is Constraint.RAM)


def test_the_only_device_of_its_kind_corrects_the_figure(release) -> None:
    (device,) = make_devices(1)
    large = variant(release, "large")
    assert ram(device, large)[0] is Answer.FITS
    (deployment,) = sent(release)
    GraphChange.objects.all().delete()
    refuse(deployment)
    deployment.refresh_from_db()
    assert (deployment.status, deployment.result_code) == ("rejected", "arena_too_small")
    (row,) = measured(large)
    runtime = device.profile.firmware.runtime
    assert (row.value, row.board, row.runtime) == (NEED, device.profile.board, runtime)
    assert row.source == "reported by devices"
    answer, reason = ram(device, large)
    assert (answer, reason.need, reason.have) == (Answer.DOES_NOT_FIT, NEED, HAVE)
    assert GraphChange.objects.filter(kind="variant", subject=str(large.pk)).exists()


def test_the_graph_says_so_too(release) -> None:
    (device,) = make_devices(1)
    mark_everything()
    large, unit = asking.variant(variant(release, "large")), asking.device(device.device_id)
    store = MemoryStore()
    drain(store)
    assert asking.answers(store, "why-not", variant=large, device=unit) == []
    refuse(*sent(release))
    drain(store)
    (why,) = asking.answers(store, "why-not", variant=large, device=unit)
    assert (why["constraint"], why["need"], why["have"]) == ("ram", NEED, HAVE)


def test_the_next_rollout_sends_another_variant(release) -> None:
    make_devices(1)
    refuse(*sent(release))
    (second,) = sent(release, name="second")
    assert second.variant == variant(release, "small")


def test_or_none_with_the_reason(release) -> None:
    make_devices(1)
    refuse(*sent(release))
    refuse(*sent(release, name="second"), need=NEED + 1)
    with pytest.raises(rollouts.RolloutError, match="70,000"):
        make_rollout(release, name="third")


def test_another_board_is_judged_as_before(release) -> None:
    make_devices(1)
    (other,) = make_devices(1, "snug")
    refuse(*sent(release, target={"devices": ["roomy-000"]}))
    assert ram(other, variant(release, "large"))[1].holds is True


def test_one_device_of_several_changes_nothing_for_the_others(release) -> None:
    devices = make_devices(3)
    deployments_sent = sent(release)
    refuse(deployments_sent[0], need=10**12)
    assert corrected(release) == []
    assert ram(devices[1], variant(release, "large"))[0] is Answer.FITS


def test_it_is_not_sent_the_same_again_and_hears_why(release) -> None:
    make_devices(3)
    liar, *others = sent(release)
    refuse(liar)
    install(others)
    rollout = make_rollout(variant=variant(release, "large"), name="second")
    shares = {share.device.pk: share for share in rollouts.plan(rollout).assignments}
    told = shares[liar.device_id]
    assert told.outcome is DeploymentStatus.NOT_APPLICABLE
    assert "70,000" in told.detail
    assert {shares[o.device_id].outcome for o in others} == {DeploymentStatus.ALREADY_INSTALLED}
    again = started(release, name="third")
    names = {d.device_id: d.variant.name for d in again.waves.get().deployments.all()}
    assert names == {liar.device_id: "small"} | {o.device_id: "large" for o in others}


def test_two_that_agree_are_believed_as_far_as_both_go(release) -> None:
    make_devices(3)
    liar, honest, _ = sent(release)
    refuse(liar, need=10**12)
    refuse(honest)
    assert corrected(release) == [NEED]


def test_an_operator_may_confirm_one_devices_word(release) -> None:
    devices = make_devices(3)
    refuse(sent(release)[0])
    found = ArenaReport.objects.get()
    operator = Client()
    operator.force_login(User.objects.create_superuser("root"))
    page = reverse("admin:orchestrator_arenareport_confirm", args=[found.pk])
    assert operator.get(page).status_code == 200
    assert corrected(release) == []
    operator.post(page)
    assert corrected(release) == [NEED]
    assert ram(devices[2], variant(release, "large"))[0] is Answer.DOES_NOT_FIT


def test_what_was_confirmed_is_not_what_the_device_says_later(release) -> None:
    make_devices(3)
    deployment = sent(release)[0]
    refuse(deployment)
    ArenaReport.objects.update(confirmed_at=NOW)
    Deployment.objects.filter(pk=deployment.pk).update(status="notified", is_open=True)
    refuse(deployment, need=10**12)
    assert ArenaReport.objects.get().confirmed_at is None
    assert corrected(release) == []


def test_the_same_report_again_counts_once(release) -> None:
    make_devices(3)
    deployment = sent(release)[0]
    assert refuse(deployment)
    assert not refuse(deployment, need=NEED + 5)
    assert ArenaReport.objects.get().need_bytes == NEED


@pytest.mark.parametrize(("need", "have"), [(10, 20), (20, 20), (0, 0)])
def test_a_shortage_that_is_none_corrects_nothing(release, need, have) -> None:
    make_devices(1)
    refuse(*sent(release), need=need, have=have)
    assert not ArenaReport.objects.exists()
    assert corrected(release) == []


def test_a_refusal_by_the_manifests_own_figure_is_no_measurement(release) -> None:
    make_devices(1)
    (deployment,) = sent(release)
    report(deployment, DeploymentStatus.REJECTED, ResultCode.ARENA_TOO_SMALL)
    assert not ArenaReport.objects.exists()


def test_nobody_speaks_about_anothers_deployment(release) -> None:
    make_devices(2)
    first, second = sent(release)
    first.device, second.device = second.device, first.device
    assert not refuse(first)
    assert not ArenaReport.objects.exists()


def test_a_device_with_new_firmware_is_judged_anew(release) -> None:
    make_devices(2)
    liar = sent(release)[0].device
    refuse(Deployment.objects.get(device=liar))
    other = make_devices(1, "snug")[0]
    Device.objects.filter(pk=liar.pk).update(profile=other.profile)
    rollout = make_rollout(release, name="second", target={"devices": [liar.device_id]})
    share = rollouts.plan(rollout).assignments[0]
    assert share.variant.name == "small" and "70,000" not in share.detail


def test_a_whole_wave_that_refuses_is_one_correction(release, django_assert_max_num_queries):
    make_devices(40)
    said = [
        (
            deployment.device,
            Report(
                deployment=deployment.pk,
                status=DeploymentStatus.REJECTED,
                code=ResultCode.ARENA_TOO_SMALL,
                boot=1,
                sequence=deployment.sequence,
                shortage=Shortage(NEED, HAVE),
            ),
        )
        for deployment in sent(release)
    ]
    with django_assert_max_num_queries(70):
        assert deployments.apply_reports(said, NOW) == len(said)
    assert corrected(release) == [NEED]
    assert set(statuses(rollouts.Rollout.objects.get()).values()) == {"rejected"}


@given(st.lists(st.integers(1, 100), max_size=8), st.integers(1, 5))
def test_a_figure_is_what_so_many_say_at_least(needs, quorum) -> None:
    believed = believed_need(needs, [], quorum)
    if len(needs) < quorum:
        assert believed is None
    else:
        assert believed is not None
        assert sum(need >= believed for need in needs) >= quorum
        assert sum(need > believed for need in needs) < quorum


def test_a_quorum_is_never_more_than_there_are() -> None:
    assert [quorum_of(2, members) for members in (0, 1, 2, 9)] == [1, 1, 2, 2]


def test_a_word_spoken_under_another_runtime_does_not_count(release) -> None:
    """The first one has other firmware by now, so the second speaks alone."""
    moved, second, _ = make_devices(3)
    orders = {each.device: each for each in sent(release)}
    refuse(orders[moved])
    profile, firmware = moved.profile, moved.profile.firmware
    other = Runtime.objects.create(name="tflite-micro", version="2099", kernels="reference")
    newer = FirmwareBuild.objects.create(
        board=firmware.board, name="sim", version="2", runtime=other, capacity_digest="newer"
    )
    newer_profile = profile_for(profile.board, newer, [])
    Device.objects.update(profile=newer_profile)
    refuse(Deployment.objects.get(pk=orders[second].pk))
    assert corrected(release) == []
