"""Topics: what is built parses back, and nothing else parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import topics
from orchestrator.protocol.topics import Topic, TopicError, TopicKind
from tests.contract.samples import fixed

SHA = "0123456789abcdef" * 4
DEVICE_TOPICS = {
    TopicKind.ENROL: (topics.enrol, "tinyfleet/v1/enrol/d-1"),
    TopicKind.ENROL_RESULT: (topics.enrol_result, "tinyfleet/v1/enrol/d-1/result"),
    TopicKind.TD: (topics.td, "tinyfleet/v1/d-1/td"),
    TopicKind.ONLINE: (topics.online, "tinyfleet/v1/d-1/online"),
    TopicKind.STATE: (topics.state, "tinyfleet/v1/d-1/state"),
    TopicKind.DESIRED: (topics.desired, "tinyfleet/v1/d-1/desired"),
    TopicKind.REPORT: (topics.report, "tinyfleet/v1/d-1/report"),
    TopicKind.TELEMETRY: (topics.telemetry, "tinyfleet/v1/d-1/telemetry"),
    TopicKind.ACKED: (topics.acked, "tinyfleet/v1/d-1/acked"),
    TopicKind.LEARN_TASK: (topics.learn_task, "tinyfleet/v1/d-1/learn/task"),
    TopicKind.LEARN_UPDATE: (topics.learn_update, "tinyfleet/v1/d-1/learn/update"),
}


def test_every_kind_of_topic_is_built_or_is_a_block():
    assert set(DEVICE_TOPICS) | {TopicKind.ARTIFACT_BLOCK} == set(TopicKind)


@pytest.mark.parametrize("kind", DEVICE_TOPICS)
def test_device_topics_build_and_parse(kind):
    build, expected = DEVICE_TOPICS[kind]
    assert build("d-1") == expected
    assert topics.parse(expected) == Topic(kind, "d-1")


@pytest.mark.parametrize(
    ("exponent", "block"), [(0, 0), (8, 3), (10, 0), (12, 41), (20, 2**20 - 1)]
)
def test_blocks_build_and_parse(exponent, block):
    built = topics.artifact_block(SHA, exponent, block)
    assert built == f"tinyfleet/v1/artifacts/{SHA}/{exponent}/{block}"
    assert topics.parse(built) == Topic(TopicKind.ARTIFACT_BLOCK, None, SHA, exponent, block)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "tinyfleet/v1",
        "tinyfleet/v1/",
        "tinyfleet/v2/d-1/td",
        "/tinyfleet/v1/d-1/td",
        "tinyfleet/v1/d-1/td/",
        "tinyfleet/v1/d-1/unknown",
        "tinyfleet/v1/d-1/learn",
        "tinyfleet/v1/+/td",
        "tinyfleet/v1/#",
        "tinyfleet/v1/d-1",
        "tinyfleet/v1/D-1/td",
        "tinyfleet/v1/-d/td",
        "tinyfleet/v1/d\u0661/td",
        "tinyfleet/v1/enrol/enrol",
        "tinyfleet/v1/gateway/td",
        "tinyfleet/v1/artifacts/td",
        f"tinyfleet/v1/{'d' * 64}/td",
        f"tinyfleet/v1/artifacts/{SHA.upper()}/10/0",
        f"tinyfleet/v1/artifacts/{SHA[:-1]}/10/0",
        f"tinyfleet/v1/artifacts/{SHA}/010/0",
        f"tinyfleet/v1/artifacts/{SHA}/10/-1",
        f"tinyfleet/v1/artifacts/{SHA}/0/1",
        f"tinyfleet/v1/artifacts/{SHA}/7/0",
        f"tinyfleet/v1/artifacts/{SHA}/21/0",
        f"tinyfleet/v1/artifacts/{SHA}/10/1048576",
        f"tinyfleet/v1/artifacts/{SHA}/10/\u0661",
    ],
)
def test_other_topics_are_refused(topic):
    with pytest.raises(TopicError):
        topics.parse(topic)


@fixed
@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused(text):
    for topic in (text, f"tinyfleet/v1/{text}"):
        try:
            parsed = topics.parse(topic)
        except TopicError:
            continue
        assert parsed.kind in TopicKind


@fixed
@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
def test_every_device_id_travels(device):
    if device not in topics.RESERVED_NAMES:
        assert topics.parse(topics.state(device)).device == device
        assert topics.parse(topics.enrol(device)).device == device


@pytest.mark.parametrize("name", ["enrol", "artifacts", "gateway", "", "a b", "a/b", "a+", "é"])
def test_bad_device_ids_build_no_topic(name):
    with pytest.raises(TopicError):
        topics.desired(name)


def test_the_gateway_reads_what_devices_write_and_nothing_of_its_own():
    def matches(pattern: str, topic: str) -> bool:
        pairs = zip(pattern.split("/"), topic.split("/"), strict=False)
        same_depth = pattern.count("/") == topic.count("/")
        return same_depth and all(p in ("+", t) for p, t in pairs)

    of_the_server = {
        TopicKind.ENROL_RESULT,
        TopicKind.DESIRED,
        TopicKind.ACKED,
        TopicKind.LEARN_TASK,
    }
    for kind, (_, topic) in DEVICE_TOPICS.items():
        read = any(matches(pattern, topic) for pattern in topics.GATEWAY_SUBSCRIPTIONS)
        assert read is (kind not in of_the_server)
