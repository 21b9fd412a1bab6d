"""What is signed for a device, what stands in its topics, and what the broker must hold."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from ontology.facts import Metric
from orchestrator.models import Deployment, DeviceShadow, SelfTestVector
from orchestrator.protocol import cose
from orchestrator.protocol.manifest import VENDOR_ID, class_id, decode, encode, open_envelope
from orchestrator.protocol.self_test import self_test_input
from orchestrator.services import deployments, rollouts
from orchestrator.services.manifests import ManifestImpossible, next_sequence
from registry.models import Device, DeviceStatus, Measurement, Variant
from tests.orchestrator.rollout_world import (
    NOW,
    SNUG,
    Status,
    install,
    make_devices,
    make_release,
    report,
    run_to_end,
    seconds,
    sign_pending,
    signing_key,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def pending() -> Deployment:
    make_devices(1)
    started()
    return deployments.pending_manifests(NOW)[0]


def test_the_manifest_says_what_the_device_will_check(pending):
    manifest = deployments.desired_manifest(pending, NOW)
    variant = Variant.objects.get(name="large")
    arena = Measurement.objects.get(
        variant=variant, metric=Metric.ARENA_BYTES, runtime__kernels="reference"
    )
    assert manifest.vendor_id == VENDOR_ID
    assert manifest.class_id == class_id("board-roomy")
    assert (manifest.device_id, manifest.deployment) == ("roomy-000", pending.pk)
    assert manifest.digest.hex() == variant.artifact_id
    assert manifest.size == variant.artifact.size_bytes == 4624
    assert manifest.block_exponents == (10, 12, 0)
    assert manifest.arena_bytes == arena.value
    assert manifest.operators == {"FULLY_CONNECTED": 4}
    assert manifest.runtime == "tflite-micro"
    assert (manifest.input_shape, manifest.output_shape) == ((1, 64), (1, 60))
    assert manifest.issued_at == int(NOW.timestamp())
    assert manifest.expires_at == int(pending.expires_at.timestamp())
    assert decode(encode(manifest)) == manifest


def test_the_self_test_is_what_the_file_itself_answers(pending):
    test = deployments.desired_manifest(pending, NOW).self_test
    with pending.variant.artifact.file.open("rb") as file:
        interpreter = Interpreter(model_content=file.read())
    interpreter.allocate_tensors()
    given = np.frombuffer(self_test_input(test.generator, test.seed, (1, 64)), np.int8)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given.reshape(1, 64))
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert test.expected == answer.tobytes()[:64]
    assert len(set(test.expected)) > 10


def test_the_self_test_is_computed_once_a_variant():
    make_devices(5)
    started()
    sign_pending()
    assert SelfTestVector.objects.count() == 1


def test_a_network_that_is_not_int8_has_no_self_test(pending):
    tensor = {"shape": [1, 64], "dtype": "FLOAT32"}
    variant = pending.variant
    variant.description = {**variant.description, "inputs": [tensor], "outputs": [tensor]}
    assert deployments.desired_manifest(pending, NOW).self_test is None


def test_a_network_that_litert_does_not_run_has_no_self_test(pending):
    variant = pending.variant
    variant.description = {**variant.description, "format": "onnx"}
    assert deployments.desired_manifest(pending, NOW).self_test is None


@pytest.mark.parametrize("shape", [None, [1, None, 4]])
def test_a_network_with_open_lengths_is_not_sent(pending, shape):
    variant = pending.variant
    variant.description = {**variant.description, "inputs": [{"shape": shape, "dtype": "INT8"}]}
    variant.description["format"] = "onnx"
    with pytest.raises(ManifestImpossible, match="leaves a length of its first input open"):
        deployments.desired_manifest(pending, NOW)


def test_a_large_file_is_offered_in_blocks_only(pending, settings):
    settings.WHOLE_FILE_BLOCK_MAX_BYTES = 4623
    assert deployments.desired_manifest(pending, NOW).block_exponents == (10, 12)
    settings.WHOLE_FILE_BLOCK_MAX_BYTES = 4624
    assert deployments.desired_manifest(pending, NOW).block_exponents == (10, 12, 0)


def test_what_is_signed_is_what_was_meant(pending):
    [signed] = sign_pending()
    key_id_to_key = _trusted()
    manifest = open_envelope(bytes(signed.manifest), key_id_to_key)
    assert (manifest.deployment, manifest.sequence) == (signed.pk, signed.sequence)
    assert dict(deployments.open_desired()) == {"roomy-000": bytes(signed.manifest)}


def _trusted():
    public = signing_key().public_key()
    return {cose.key_id(public): public}


def test_sequence_numbers_only_grow_and_never_repeat(pending):
    numbers = [deployments.desired_manifest(pending, NOW).sequence for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert next_sequence() > numbers[-1]


def test_the_number_is_above_what_the_device_has_accepted(pending):
    DeviceShadow.objects.create(device=pending.device, sequence=5000)
    assert deployments.desired_manifest(pending, NOW).sequence == 5001
    assert next_sequence() == 5002


def test_one_devices_absurd_claim_does_not_use_up_the_numbers(pending):
    DeviceShadow.objects.create(device=pending.device, sequence=2**62)
    assert deployments.desired_manifest(pending, NOW).sequence < 100


def test_of_two_that_sign_at_once_the_newer_number_counts(pending):
    other = Deployment.objects.select_related("device", "variant").get(pk=pending.pk)
    deployments.desired_manifest(pending, NOW)
    deployments.desired_manifest(other, NOW)
    assert not deployments.attach_manifest(pending, b"older", NOW)
    assert deployments.attach_manifest(other, b"newer", NOW)
    assert not deployments.attach_manifest(other, b"again", NOW)
    assert dict(deployments.open_desired()) == {"roomy-000": b"newer"}


def test_an_order_cancelled_while_it_was_signed_does_not_go_out(pending):
    deployments.desired_manifest(pending, NOW)
    rollouts.abort(pending.wave.rollout, NOW)
    assert not deployments.attach_manifest(pending, b"late", NOW)
    assert not dict(deployments.open_desired())


def test_many_are_numbered_and_kept_at_once_each_on_its_own_merits():
    make_devices(4)
    started()
    several = deployments.pending_manifests(NOW)
    DeviceShadow.objects.create(device=several[1].device, sequence=5000)
    deployments.number(several)
    numbers = [deployment.sequence for deployment in several]
    assert numbers[1] == 5001 and numbers == sorted(set(numbers))
    renumbered = Deployment.objects.get(pk=several[2].pk)
    deployments.number([renumbered])
    deployments.refuse_to_send(several[3], "the signer refuses", NOW)
    signed = [(each, each.device.device_id.encode()) for each in several]
    assert deployments.attach_manifests(signed, NOW) == 2
    sent = {each.device.device_id for each in several[:2]}
    assert dict(deployments.open_desired()) == {name: name.encode() for name in sent}


def test_what_cannot_be_signed_ends_with_its_reason(pending):
    assert deployments.refuse_to_send(pending, "the signer refuses: too large", NOW)
    pending.refresh_from_db()
    assert (pending.status, pending.result_code) == ("failed", "not_sent")
    assert not deployments.refuse_to_send(pending, "again", NOW)


def test_a_device_without_a_description_gets_no_manifest(pending):
    pending.device.profile = None
    with pytest.raises(ManifestImpossible, match="roomy-000"):
        deployments.desired_manifest(pending, NOW)


def test_nothing_is_sent_to_a_revoked_device():
    make_devices(1)
    started()
    Device.objects.update(status=DeviceStatus.REVOKED)
    assert not deployments.pending_manifests(NOW)


def test_nothing_expired_is_sent():
    make_devices(1)
    started(expires_at=seconds(60))
    assert not deployments.pending_manifests(seconds(60))


def test_artifacts_are_held_as_long_as_a_device_may_fetch_them():
    make_devices(1)
    make_devices(1, SNUG)
    rollout = started(soak_s=60)
    assert not list(deployments.open_artifacts())
    signed = sign_pending()
    wanted = {deployment.variant.artifact_id: (10, 12, 0) for deployment in signed}
    assert dict(deployments.open_artifacts()) == wanted
    install(signed[:1])
    assert len(dict(deployments.open_artifacts())) == len(dict(deployments.open_desired())) == 1
    report(signed[1], Status.FAILED)
    assert not list(deployments.open_artifacts())
    assert not list(deployments.open_desired())
    assert rollout.pk


def test_retained_bytes_stay_within_their_bound(settings):
    """Each artifact counts once for each block size on offer."""
    make_devices(2)
    make_devices(2, SNUG)
    rollout = started(make_release())
    settings.RETAINED_MAX_BYTES = 3 * 4624
    first = deployments.pending_manifests(NOW)
    assert len({deployment.variant_id for deployment in first}) == 1
    settings.RETAINED_MAX_BYTES = 3 * (4624 + 1216) - 1
    assert len({d.variant_id for d in deployments.pending_manifests(NOW)}) == 1
    run_to_end(rollout)
    assert rollout.status == "completed"


def test_manifests_are_given_out_in_pieces():
    make_devices(5)
    started()
    assert len(deployments.pending_manifests(NOW, limit=2)) == 2
