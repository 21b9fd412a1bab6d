"""Broker and gateway under the supervisor of `manage.py up`, in one process for tests to talk to.

Each line of JSON on stdin is an order, and answered by one on stdout: `admit DEVICE VERIFIER` and
`admit-again DEVICE VERIFIER`; `revoke DEVICE` by the button in the admin; `revoke-and-die DEVICE`
as if the process had been killed after its commit; `freeze`, `thaw` and `kill` with the name of a
process. The answer to a revocation is the moment of its commit, on the machine's monotonic clock.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any
from unittest import mock

import django
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tests.device.supervised import supervise

NEEDED = {"broker", "gateway"}
SIGNALS = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT, "kill": signal.SIGKILL}


def prepare() -> None:
    """What `up` does before it starts."""
    from orchestrator.gateways.broker_files import write_acl_file, write_password_file

    settings.BROKER_DIR.mkdir(parents=True, exist_ok=True)
    write_acl_file()
    write_password_file()


def admit(device_id: str, verifier: str) -> None:
    """A device enrols and an operator lets it in."""
    from orchestrator.models import DeviceCredential
    from orchestrator.services.enrolment import accept_pending
    from registry.models import Device

    device = Device.objects.create(device_id=device_id, public_key=f"key of {device_id}")
    values = {"verifier": verifier, "enrolled_at": timezone.now()}
    DeviceCredential.objects.create(device=device, **values)
    accept_pending(device, timezone.now())


def admit_again(device_id: str, verifier: str) -> None:
    """The device comes with a fresh token."""
    from orchestrator.protocol.messages import Enrolment
    from orchestrator.services import enrolment

    token = enrolment.issue_token(device_id, timezone.now())
    asks = Enrolment(device_id, token, f"new key of {device_id}", verifier, "")
    with mock.patch("orchestrator.services.enrolment.verify_enrolment", return_value=True):
        assert enrolment.enrol(asks, timezone.now()).answer == "accepted"


def revoke(device_id: str) -> float:
    """Press the button; the moment of the commit."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import reverse

    from registry.models import Device, DeviceStatus

    users = get_user_model().objects
    user = users.filter(username="a").first() or users.create_superuser("a")
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user)
    device = Device.objects.get(device_id=device_id)
    moments: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: moments.append(time.monotonic()))
        browser.post(reverse("admin:registry_device_revoke", args=[device.pk]), {"confirmed": "1"})
    device.refresh_from_db()
    assert device.status == DeviceStatus.REVOKED
    return moments[0]


def revoke_and_die(device_id: str) -> float:
    """Commit, and come to nothing that was to follow."""
    with mock.patch("orchestrator.services.enrolment.write_password_file"):
        return revoke(device_id)


def main() -> None:
    django.setup()
    prepare()
    supervise(NEEDED, json.dumps("ready"), _answer)


def _answer(supervisor: Any, line: str) -> None:
    print(json.dumps(_follow(supervisor, *json.loads(line))), flush=True)


def _follow(supervisor: Any, word: str, *rest: str) -> Any:
    if word in SIGNALS:
        pids = {view.name: view.pid for view in supervisor.views()}
        os.kill(pids[rest[0]], SIGNALS[word])
        return None
    orders = {
        "admit": admit,
        "admit-again": admit_again,
        "revoke": revoke,
        "revoke-and-die": revoke_and_die,
    }
    return orders[word](*rest)


if __name__ == "__main__":
    main()
