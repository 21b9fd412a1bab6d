"""The list of known ids: each lets one device in without a token, once."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from rest_framework.test import APIClient

from orchestrator.models import DeviceCredential, KnownDevice
from orchestrator.protocol.enrolment import key_fingerprint
from orchestrator.protocol.messages import EnrolmentAnswer
from orchestrator.services import enrolment
from orchestrator.services.known_devices import Listed, ListError, import_list, read_list
from registry.models import Device, DeviceStatus
from tests.orchestrator.members import NOW, Identity, known_member, later, signed_in

pytestmark = pytest.mark.django_db

ACCEPTED = EnrolmentAnswer.ACCEPTED
PENDING = EnrolmentAnswer.PENDING
REJECTED = EnrolmentAnswer.REJECTED
KEY = "ab" * 32


@pytest.fixture(autouse=True)
def _own_state_folder(installation) -> None:
    """Nothing of these tests is written elsewhere."""


def fingerprint(identity: Identity) -> str:
    return key_fingerprint(identity.enrolment().public_key)


def ask(identity: Identity) -> EnrolmentAnswer:
    return enrolment.enrol(identity.enrolment(), NOW).answer


def test_a_known_device_is_accepted_with_the_first_key_that_it_shows() -> None:
    import_list(b"pump-1\n", NOW)
    identity = Identity("pump-1")
    assert [ask(identity) for _ in range(2)] == [ACCEPTED, ACCEPTED]
    assert DeviceCredential.objects.get().verifier == identity.verifier
    assert KnownDevice.objects.get().used_at == NOW


def test_it_is_accepted_so_once() -> None:
    import_list(b"pump-1\n", NOW)
    first = Identity("pump-1")
    assert ask(first) is ACCEPTED
    assert ask(Identity("pump-1")) is PENDING, "a member's new key waits"
    assert Device.objects.get().public_key == first.enrolment().public_key


def test_nobody_comes_by_the_row_of_a_device_that_is_gone() -> None:
    import_list(b"pump-1\n", NOW)
    assert ask(Identity("pump-1")) is ACCEPTED
    Device.objects.all().delete()
    assert import_list(b"pump-1\n", later(1)) == Listed(0, 0, 1)
    assert ask(Identity("pump-1")) is PENDING


@pytest.mark.parametrize("status", [DeviceStatus.REJECTED, DeviceStatus.REVOKED])
def test_the_list_does_not_bring_back_who_was_turned_away(status: DeviceStatus) -> None:
    import_list(b"pump-1\n", NOW)
    Device.objects.create(device_id="pump-1", status=status)
    assert ask(Identity("pump-1")) is REJECTED


def test_a_row_is_used_up_by_a_token_too() -> None:
    import_list(b"pump-1\n", NOW)
    token = enrolment.issue_token("pump-1", NOW)
    assert enrolment.enrol(Identity("pump-1").enrolment(token), NOW).answer is ACCEPTED
    assert KnownDevice.objects.get().used_at == NOW


def test_a_members_id_on_the_list_lets_no_other_key_in() -> None:
    known_member("pump-1")
    import_list(b"pump-1\n", NOW)
    assert ask(Identity("pump-1")) is PENDING


def test_a_device_that_waits_comes_in_when_it_is_listed_and_no_other_key_does() -> None:
    first = Identity("pump-1")
    assert ask(first) is PENDING
    import_list(b"pump-1\n", NOW)
    assert ask(Identity("pump-1")) is PENDING, "this name has shown another key first"
    assert ask(first) is ACCEPTED


def test_a_row_with_a_fingerprint_lets_this_key_in_alone() -> None:
    right, wrong = Identity("pump-1"), Identity("pump-1")
    assert ask(wrong) is PENDING, "it came first, before there was a list"
    import_list(f"device_id,key_sha256\npump-1,{fingerprint(right).upper()}\n".encode(), NOW)
    result = enrolment.enrol(wrong.enrolment(), NOW)
    assert (result.answer, "another key" in result.reason) == (REJECTED, True)
    assert ask(right) is ACCEPTED
    assert Device.objects.get().public_key == right.enrolment().public_key


def test_a_device_known_by_its_description_comes_in_by_the_list() -> None:
    Device.objects.create(device_id="pump-1", td="{}", status=DeviceStatus.ACCEPTED)
    import_list(b"pump-1\n", NOW)
    assert ask(Identity("pump-1")) is ACCEPTED


@pytest.mark.parametrize(
    "content",
    [
        b"pump-1\npump-2\n",
        b"\xef\xbb\xbfpump-1\r\n\r\npump-2\r\n",
        b"device_id\npump-1\npump-2",
        b'batch,device_id\n"7,8",pump-1\n9, pump-2\n',
    ],
)
def test_lists_as_people_have_them(content: bytes) -> None:
    assert read_list(content) == {"pump-1": "", "pump-2": ""}


def test_a_fingerprint_as_openssl_prints_it() -> None:
    printed = ":".join(["AB"] * 32)
    assert read_list(f"pump-1,{printed}".encode()) == {"pump-1": KEY}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"pump-1\nPump\n", "line 2: "),
        (b"pump-1\npump-1\n", "line 2: pump-1 stands on the list already"),
        (b"pump-1,abc\n", "line 1: key_sha256 must be 64 hex digits"),
        (b'pump-1\n"pump-2\n', "line "),
        (b"pump-\xff\n", "not UTF-8"),
        (b"device_id,other\n,x\n", "line 2: "),
        (b"p" * 200, "line 1: "),
    ],
)
def test_a_faulty_list_changes_nothing(content: bytes, problem: str) -> None:
    with pytest.raises(ListError, match=problem):
        import_list(content, NOW)
    assert not KnownDevice.objects.exists()


def test_an_import_again_changes_only_what_is_not_used_up() -> None:
    import_list(b"pump-1\npump-2\n", NOW)
    assert ask(Identity("pump-1")) is ACCEPTED
    counts = import_list(f"pump-1,{KEY}\npump-2,{KEY}\npump-3\n".encode(), NOW)
    assert counts == Listed(added=1, changed=1, unchanged=1)
    assert list(KnownDevice.objects.values_list("key_sha256", flat=True)) == ["", KEY, ""]


@pytest.mark.parametrize(
    ("setting", "limit"), [("KNOWN_DEVICES_MAX", 2), ("KNOWN_LIST_MAX_BYTES", 14)]
)
def test_a_list_has_bounds(settings, setting: str, limit: int) -> None:
    setattr(settings, setting, limit)
    import_list(b"pump-1\npump-2\n", NOW)
    with pytest.raises(ListError, match=f"more than {limit} "):
        import_list(b"pump-1\npump-2\npump-3\n", NOW)


def test_the_command_imports_a_file(tmp_path, capsys) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("pump-1\npump-2\n")
    call_command("import_known_devices", str(file))
    assert capsys.readouterr().out.strip() == "2 added, 0 changed, 0 unchanged"
    file.write_text("Pump\n")
    with pytest.raises(CommandError, match="line 1: "):
        call_command("import_known_devices", str(file))
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_known_devices", str(tmp_path / "none.csv"))


def upload(content: bytes) -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile("ids.csv", content)}


@pytest.mark.parametrize(
    "address", ["/api/v1/known-devices/", "admin:orchestrator_knowndevice_import_list"]
)
def test_a_list_comes_in_over_rest_and_the_admin(address: str) -> None:
    address = reverse(address) if address.startswith("admin:") else address
    operator = signed_in("add_knowndevice", "view_knowndevice")
    refused = operator.post(address, upload(b"pump-1\nPump\n"), "multipart", follow=True)
    assert "line 2: " in refused.content.decode()
    told = operator.post(address, upload(b"pump-1\n"), "multipart", follow=True).content.decode()
    assert "1 added" in told or '"added":1' in told
    assert KnownDevice.objects.get().device_id == "pump-1"


def test_ids_that_may_still_join_are_not_shown_to_everybody(settings) -> None:
    settings.TINYFLEET_PUBLIC_READ = True
    import_list(b"pump-1\n", NOW)
    address = "/api/v1/known-devices/"
    assert APIClient().get(address).status_code in {401, 403}
    reader = signed_in("view_knowndevice")
    assert [row["device_id"] for row in reader.get(address).data["results"]] == ["pump-1"]
    assert reader.post(address, upload(b"pump-2\n"), "multipart").status_code == 403
