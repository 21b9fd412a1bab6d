"""A new kind of device offers a compression; a person accepts it, nothing starts by itself."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from orchestrator.models import CompressionOffer, Job
from orchestrator.services import compression_offers
from orchestrator.services.compression_offers import OfferRefusal, OfferRounds, make_offers
from orchestrator.services.scheduling import parts
from registry.models import Device, DeviceStatus, Fleet, RegisteredModel
from tests.orchestrator.compression_world import TASK, ordered, run
from tests.orchestrator.rollout_world import NOW, ROOMY, SNUG, make_devices

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sizes_task")]
ADDRESS = "/api/v1/compression-offers/"


@pytest.fixture
def compressed() -> Fleet:
    """A fleet of one kind of device, for which a model has been compressed."""
    north = Fleet.objects.create(slug="north", name="North")
    north.devices.set(make_devices(2, ROOMY))
    run(ordered(fleet="north", trials=3))
    return north


@pytest.fixture
def engineer(django_user_model) -> Client:
    call_command("load_roles", stdout=io.StringIO())
    user = django_user_model.objects.create_user("engineer", is_staff=True)
    user.groups.add(Group.objects.get(name="Model engineer"))
    client = APIClient()
    client.force_login(user)
    return client


def test_where_every_kind_is_known_nothing_is_offered(compressed) -> None:
    assert make_offers(NOW) == 0
    make_devices(0)
    assert not CompressionOffer.objects.exists()


def test_a_new_board_in_the_fleet_is_offered_once_and_starts_nothing(compressed) -> None:
    compressed.devices.add(*make_devices(1, SNUG))
    assert make_offers(NOW) == 1
    assert make_offers(NOW) == 0
    offer = CompressionOffer.objects.get()
    assert (offer.model.name, offer.fleet, offer.status) == (TASK, compressed, "open")
    assert [profile.board.slug for profile in offer.profiles.all()] == ["board-snug"]
    assert Job.objects.filter(kind="compress").count() == 1


def test_a_device_that_is_not_accepted_is_no_reason(compressed) -> None:
    new = make_devices(1, SNUG)
    compressed.devices.add(*new)
    Device.objects.filter(pk=new[0].pk).update(status=DeviceStatus.PENDING)
    assert make_offers(NOW) == 0


def test_a_device_of_no_fleet_is_offered_for_everybody(compressed) -> None:
    make_devices(1, SNUG)
    make_offers(NOW)
    offer = CompressionOffer.objects.get()
    assert offer.fleet is None
    job = compression_offers.accept(offer, None, NOW)
    assert job.payload["fleet"] == "all"


def test_who_accepts_orders_the_job_and_then_the_kind_is_known(compressed) -> None:
    compressed.devices.add(*make_devices(1, SNUG))
    make_offers(NOW)
    offer = CompressionOffer.objects.get()
    job = compression_offers.accept(offer, None, NOW)
    assert (job.payload["model"], job.payload["fleet"]) == (TASK, "north")
    assert (offer.status, offer.job) == ("accepted", job)
    with pytest.raises(OfferRefusal, match="has been accepted"):
        compression_offers.dismiss(offer, None, NOW)
    assert run(job).status == "succeeded"
    assert len(job.result["standings"]) == 2
    assert make_offers(NOW) == 0


def test_what_was_dismissed_is_not_offered_again(compressed) -> None:
    compressed.devices.add(*make_devices(1, SNUG))
    make_offers(NOW)
    compression_offers.dismiss(CompressionOffer.objects.get(), None, NOW)
    assert make_offers(NOW) == 0


def test_a_model_that_cannot_be_trained_here_is_not_offered(compressed) -> None:
    RegisteredModel.objects.update(task="something else")
    compressed.devices.add(*make_devices(1, SNUG))
    assert make_offers(NOW) == 0


def test_the_scheduler_looks_once_an_interval(compressed, settings) -> None:
    settings.COMPRESSION_OFFER_INTERVAL_S = 10.0
    rounds = OfferRounds()
    assert rounds.tick(NOW) == 0
    compressed.devices.add(*make_devices(1, SNUG))
    assert rounds.tick(NOW + timedelta(seconds=9)) == 0
    assert rounds.tick(NOW + timedelta(seconds=10)) == 1
    assert "offers" in [part.name for part in parts()]


def test_rest_accepts_and_dismisses(compressed, engineer) -> None:
    compressed.devices.add(*make_devices(1, SNUG))
    make_offers(NOW)
    (offer,) = engineer.get(ADDRESS, {"status": "open"}).data["results"]
    assert (offer["model"], offer["fleet"], offer["boards"]) == (TASK, "north", ["board-snug"])
    place = f"{ADDRESS}{offer['id']}/"
    answer = engineer.post(f"{place}accept/")
    assert (answer.status_code, answer.data["payload"]["fleet"]) == (201, "north")
    assert engineer.post(f"{place}dismiss/").status_code == 409


def test_the_admin_asks_before_it_accepts(compressed, engineer) -> None:
    compressed.devices.add(*make_devices(1, SNUG))
    make_offers(NOW)
    offer = CompressionOffer.objects.get()
    page = f"/admin/orchestrator/compressionoffer/{offer.pk}"
    assert b"nothing is sent to any device" in engineer.get(f"{page}/accept/").content
    assert Job.objects.filter(kind="compress").count() == 1
    engineer.post(f"{page}/accept/")
    assert Job.objects.filter(kind="compress").count() == 2
    assert b"Accepted" in engineer.get(f"{page}/change/").content


def test_only_who_may_decide_does(compressed, django_user_model) -> None:
    call_command("load_roles", stdout=io.StringIO())
    compressed.devices.add(*make_devices(1, SNUG))
    make_offers(NOW)
    operator = django_user_model.objects.create_user("operator", is_staff=True)
    operator.groups.add(Group.objects.get(name="Operator"))
    client = APIClient()
    client.force_login(operator)
    place = f"{ADDRESS}{CompressionOffer.objects.get().pk}/"
    assert client.post(f"{place}accept/").status_code == 403
    assert client.get(place).status_code == 200
