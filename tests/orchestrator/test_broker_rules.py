"""Who may connect to every broker, and the language of the rules; broker_matrix.py has the rest."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from deploy.broker_rules import Access, AccessRules, RulesError, covers, parse_access_list
from orchestrator.gateways import broker_files
from orchestrator.protocol import topics
from tests.orchestrator.brokers import (
    Client,
    RunningBroker,
    skip_unless_there,
    wait_for,
    write_files,
)

SECRETS = {
    "gateway": "the server's",
    "enrol": "everybody's",
    "pump-1": "first secret",
    "pump-2": "second secret",
}
BLOCK = topics.artifact_block("ab" * 32, 10, 0)


@pytest.fixture(scope="module", params=["amqtt", "mosquitto", "mosquitto-files"])
def broker(request, tmp_path_factory) -> Iterator[RunningBroker]:
    """One broker with two accepted devices."""
    skip_unless_there(request.param)
    directory = tmp_path_factory.mktemp("broker")
    write_files(directory, request.param, SECRETS)
    running = RunningBroker(request.param, directory).start()
    yield running
    assert running.stop(signal.SIGTERM) == 0


@pytest.fixture
def server(connect) -> Client:
    return connect("gateway", SECRETS["gateway"])


def _can_log_in(broker: RunningBroker, user: str, secret: str) -> bool:
    client = Client(broker.port, user, secret)
    accepted = client.connect()
    client.close()
    return accepted


@pytest.mark.parametrize(
    ("user", "secret"),
    [("pump-1", "second secret"), ("pump-1", ""), ("stranger", "first secret"), ("", "")],
)
def test_a_wrong_password_is_refused(broker, user, secret) -> None:
    assert not _can_log_in(broker, user, secret)


def test_a_withdrawn_credential_ends_the_connection_and_stays_out(broker, connect) -> None:
    client = connect("pump-2", SECRETS["pump-2"])
    path = broker.directory / "passwords"
    before = path.read_text()
    path.write_text("\n".join(line for line in before.splitlines() if "pump-2" not in line))
    broker.reload()
    assert client.disconnected.wait(10)
    assert not _can_log_in(broker, "pump-2", SECRETS["pump-2"])
    path.write_text(before)
    broker.reload()
    wait_for(lambda: _can_log_in(broker, "pump-2", SECRETS["pump-2"]), "the file is in force")


def test_a_device_reads_its_own_topics_and_every_artifact(connect, server) -> None:
    for topic in (topics.desired("pump-1"), topics.acked("pump-1"), BLOCK):
        server.publish(topic, topic.encode(), retain=True)
    client = connect("pump-1", SECRETS["pump-1"])
    for topic in (topics.desired("pump-1"), topics.acked("pump-1"), BLOCK):
        assert client.subscribe(topic)
        received = client.receive()
        assert (received.topic, received.payload, received.retain) == (topic, topic.encode(), True)


def test_the_password_file_is_private_and_changes_only_with_its_accounts(db, installation) -> None:
    path = broker_files.write_password_file()
    before = path.stat()
    assert before.st_mode & 0o777 == 0o600
    assert broker_files.write_password_file().stat().st_ino == before.st_ino
    assert (installation / "keys" / "gateway-mqtt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("rule", "a_filter", "expected"),
    [
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a/+/c", True),
        ("a/#", "#", False),
        ("a/+", "a/b", True),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/+", "a", False),
        ("a/b", "a/+", False),
        ("#", "$SYS/uptime", False),
        ("+/b", "a/b/c", False),
    ],
)
def test_a_rule_covers_a_filter_only_as_a_whole(rule, a_filter, expected) -> None:
    assert covers(rule, a_filter) is expected


def test_an_unknown_rule_is_an_error_and_the_old_rules_stay(tmp_path) -> None:
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    acl.write_text("user a\ntopic read x\n")
    rules = AccessRules(passwords, acl)
    acl.write_text("user a\nallow everything\n")
    with pytest.raises(RulesError, match="acl, line 2"):
        rules.refresh()
    assert rules.may("a", "c", Access.READ, "x")


def test_a_name_with_a_wildcard_gets_no_pattern() -> None:
    access_list = parse_access_list("pattern read x/%u/y\n")
    assert access_list.rules_for("+", "c") == []
    assert len(access_list.rules_for("a", "c")) == 1
