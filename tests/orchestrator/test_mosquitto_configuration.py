"""Mosquitto's configuration: with its plug-in where there is one, and what is said where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from deploy import mosquitto, processes
from orchestrator.gateways.dynamic_security import security_file
from tests.orchestrator.brokers import skip_unless_there
from tests.orchestrator.members import known_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def configured(installation, settings) -> Callable[[], str]:
    """The configuration that `up` would write now."""
    skip_unless_there("mosquitto-files")
    settings.BROKER = "mosquitto"
    settings.BROKER_DIR.mkdir()

    def configuration() -> str:
        spec = processes.broker()
        return Path(spec.argv[-1]).read_text()

    return configuration


def test_a_named_plug_in_is_loaded_and_its_file_written_at_each_start(
    configured, settings, tmp_path
) -> None:
    named = tmp_path / "some.so"
    named.touch()
    settings.MOSQUITTO_PLUGIN = str(named)
    assert f"plugin {named}\nplugin_opt_config_file {security_file()}" in configured()
    spec = processes.broker()
    known_member("pump-1")
    spec.before_start()
    assert '"pump-1"' in security_file().read_text()
    assert spec.remark == ""


def test_without_the_plug_in_the_two_files_decide_and_up_says_so(configured, settings) -> None:
    security_file().write_text("of an earlier start")
    settings.MOSQUITTO_PLUGIN = "none"
    assert "\nplugin " not in configured()
    assert not security_file().exists()  # or the gateway would wait for a plug-in
    spec = processes.broker()
    spec.before_start()
    assert not security_file().exists()
    assert "TINYFLEET_MOSQUITTO_PLUGIN" in spec.remark


def test_the_embedded_broker_leaves_no_file_that_tells_of_a_plug_in(configured, settings) -> None:
    security_file().write_text("of an earlier start")
    settings.BROKER = "amqtt"
    processes.broker()
    assert not security_file().exists()


def test_a_plug_in_that_is_not_there_is_an_error_that_names_the_setting(
    configured, settings, tmp_path
) -> None:
    settings.MOSQUITTO_PLUGIN = str(tmp_path / "nowhere.so")
    with pytest.raises(ImproperlyConfigured, match="TINYFLEET_MOSQUITTO_PLUGIN"):
        configured()


def test_it_is_found_in_a_folder_of_an_architecture(monkeypatch, tmp_path, settings) -> None:
    settings.MOSQUITTO_PLUGIN = "auto"
    monkeypatch.setattr(mosquitto, "_LIBRARIES", (str(tmp_path),))
    assert mosquitto.plugin() is None
    folder = tmp_path / "riscv64-linux-gnu"
    folder.mkdir()
    (folder / "mosquitto_dynamic_security.so").touch()
    assert mosquitto.plugin() == folder / "mosquitto_dynamic_security.so"
