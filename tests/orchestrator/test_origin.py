"""From a device to what it runs, and on to release, run, commit, data and seed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from deploy.navigation import mlflow_address
from orchestrator.gateways.code_version import code_commit
from registry.models import Device, Variant
from registry.services.networks import open_release, register_variant
from tests.orchestrator.rollout_world import make_devices
from tests.orchestrator.small_networks import small_network

pytestmark = pytest.mark.django_db

COMMIT = "0f" * 20


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.fixture
def device() -> Device:
    """It runs a network that was pruned from another, both logged."""
    release = open_release("digits", data_source="optdigits", mlflow_run_id="parent-run")
    large = register_variant(release, "large", small_network(64, 60), sensors=[])
    pruned = register_variant(
        release,
        "pruned",
        small_network(64, 10),
        sensors=[],
        parent=large,
        technique="structured pruning",
        mlflow_version="4",
        mlflow_run_id="own-run",
    )
    Variant.objects.update(training={"seed": 7, "commit": COMMIT, "epochs": 30})
    [row] = make_devices(1)
    Device.objects.filter(pk=row.pk).update(installed=pruned)
    return row


def test_over_rest(client, device):
    def get(path: str) -> dict:
        return client.get(f"/api/v1/{path}/").json()

    variant = get(f"variants/{get(f'devices/{device.device_id}')['installed']['id']}")
    assert (variant["variant"], variant["technique"]) == ("digits/1/pruned", "structured pruning")
    assert (variant["mlflow_run_id"], variant["mlflow_version"]) == ("own-run", "4")
    assert (variant["commit"], variant["seed"]) == (COMMIT, 7)
    assert variant["training"]["epochs"] == 30
    assert get(f"variants/{variant['parent']}")["variant"] == "digits/1/large"
    release = get(f"releases/{variant['release_id']}")
    assert release["mlflow_run_id"] == "parent-run"
    assert release["data_source"] == variant["data_source"] == "optdigits"


def test_in_the_admin(client, device, settings):
    settings.MLFLOW_URL = "https://user:secret@mlflow.example/"
    page = client.get(reverse("admin:registry_device_change", args=[device.pk])).content.decode()
    for said in ("parent-run", "own-run", COMMIT, "Seed: 7", "Data: optdigits"):
        assert said in page
    assert "https://mlflow.example/#/models/digits/versions/4" in page
    assert "secret" not in page
    variant = Variant.objects.get(name="pruned")
    for row in (variant, variant.release, variant.parent):
        link = reverse(f"admin:registry_{row._meta.model_name}_change", args=[row.pk])
        assert re.search(rf'href="{link}[?"]', page)
        assert client.get(link).status_code == 200
    assert (
        COMMIT
        in client.get(reverse("admin:registry_variant_change", args=[variant.pk])).content.decode()
    )


def test_what_is_not_known_is_said_not_to_be(client, device):
    Variant.objects.update(training={"seed": "many"}, mlflow_version="", mlflow_run_id="")
    page = client.get(reverse("admin:registry_device_change", args=[device.pk])).content.decode()
    for step in ("Seed", "Commit", "Run", "Model version"):
        assert f"<div>{step}: not known</div>" in page
    variant = client.get("/api/v1/variants/?model=digits").json()["results"][0]
    assert (variant["seed"], variant["commit"]) == (None, "")


def test_the_commit_is_what_git_says_unless_it_is_stated(settings):
    git = ["git", "rev-parse", "HEAD"]
    said = subprocess.run(git, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    expected = said.stdout.strip() if (Path(settings.BASE_DIR) / ".git").exists() else ""
    assert code_commit().removesuffix("-dirty") == expected
    settings.COMMIT = "abc"
    assert code_commit() == "abc"


def test_without_a_repository_of_our_own_there_is_no_commit(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    assert code_commit() == ""


def test_the_side_bar_shows_no_password(settings, rf):
    settings.MLFLOW_URL = "https://user:secret@mlflow.example:8443/base"
    assert mlflow_address(rf.get("/")) == "https://mlflow.example:8443/base"
