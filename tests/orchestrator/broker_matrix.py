"""What clients try at a broker, and whether it may succeed: one table for every broker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.protocol import topics

SECRETS = {
    "gateway": "the server's",
    "enrol": "everybody's",
    "pump-1": "the pump's own",
    "pump-2": "the other's",
    "gone-1": "of one that was revoked",
    "waiting-1": "of one that waits",
}
MEMBERS, REVOKED, PENDING = ("pump-1", "pump-2"), "gone-1", "waiting-1"

ROOT = topics.ROOT
BLOCK = topics.artifact_block("ab" * 32, 10, 0)
OWN, OTHER = "pump-1", "pump-2"
ENROLLING = "enrol-pump-9"

MOSQUITTO = frozenset({"mosquitto", "mosquitto-files"})
FILES = frozenset({"mosquitto-files"})


class Does(StrEnum):
    """What is tried."""

    CONNECT = "connect"
    PUBLISH = "publish"
    RETAIN = "retain"
    WILL = "will"
    RETAINED_WILL = "retained will"
    SUBSCRIBE = "subscribe"


@dataclass(frozen=True)
class Attempt:
    """`open_on`: kinds of broker that cannot hold it, as docs/how-to/broker.md says."""

    user: str
    client_id: str
    does: Does
    topic: str = ""
    allowed: bool = False
    open_on: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.user} as {self.client_id or 'nobody'}: {self.does} {self.topic}".strip()


def _of(user: str, client_id: str, does: Does, *names: str, allowed: bool = False) -> list[Attempt]:
    return [Attempt(user, client_id, does, name, allowed) for name in names]


def _connecting(
    user: str,
    *client_ids: str,
    allowed: bool = False,
    open_on: frozenset[str] = frozenset(),
) -> list[Attempt]:
    return [Attempt(user, name, Does.CONNECT, "", allowed, open_on) for name in client_ids]


_OWN_WRITES = [f"{ROOT}/{OWN}/{tail}" for tail in ("td", "online", "state", "report", "telemetry")]
_OWN_WRITES += [topics.learn_update(OWN)]
_OWN_READS = [topics.desired(OWN), topics.acked(OWN), topics.learn_task(OWN), BLOCK]
_OWN_READS += [f"{ROOT}/artifacts/{'ab' * 32}/10/+", f"{ROOT}/artifacts/#"]

_FOREIGN_WRITES = [
    topics.td(OTHER),
    topics.online(OTHER),
    topics.state(OTHER),
    topics.report(OTHER),
    topics.telemetry(OTHER),
    topics.learn_update(OTHER),
    topics.desired(OTHER),
    topics.desired(OWN),
    topics.acked(OWN),
    topics.learn_task(OWN),
    BLOCK,
    topics.enrol("pump-9"),
    topics.enrol_result("pump-9"),
    f"{ROOT}/{OWN}",
    f"{ROOT}/{OWN}/anything",
    f"{ROOT}/{OWN}/td/more",
    f"{ROOT}/PUMP-1/td",
    f"{ROOT}//td",
    f"/{ROOT}/{OWN}/td",
    "tinyfleet/v2/pump-1/td",
    "elsewhere",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    f"$share/all/{ROOT}/{OWN}/td",
]

_FOREIGN_READS = [
    "#",
    "+/#",
    "+/+/+/+",
    "tinyfleet/#",
    f"{ROOT}/#",
    f"{ROOT}/+",
    f"{ROOT}/+/#",
    f"{ROOT}/+/desired",
    f"{ROOT}/+/+",
    f"+/v1/{OWN}/desired",
    f"tinyfleet/+/{OTHER}/desired",
    topics.desired(OTHER),
    topics.acked(OTHER),
    topics.learn_task(OTHER),
    topics.td(OTHER),
    f"{ROOT}/{OTHER}/#",
    f"{ROOT}/{OTHER}/+",
    topics.enrol("pump-9"),
    topics.enrol_result(OWN),
    f"{ROOT}/enrol/+",
    f"{ROOT}/enrol/#",
    "$SYS/#",
    "$SYS/broker/uptime",
    "$CONTROL/#",
    "$CONTROL/dynamic-security/v1/response",
    f"$share/all/{topics.desired(OWN)}",
    f"$share/all/{topics.desired(OTHER)}",
    f"$share/all/{ROOT}/#",
    f"$share/all/{ROOT}/+/telemetry",
    "$share/all/#",
    f"$share/all/{BLOCK}",
]

_OF_AN_ENROLLING_CLIENT = [
    topics.td("pump-9"),
    topics.td(OWN),
    topics.state(OWN),
    topics.desired(OWN),
    topics.enrol_result("pump-9"),
    BLOCK,
    f"{ROOT}/enrol/pump-9/more",
    f"{ROOT}/enrol",
    "$CONTROL/dynamic-security/v1",
]

ATTEMPTS: list[Attempt] = [
    *_connecting(OWN, OWN, allowed=True),
    *_connecting(
        OWN,
        *(OTHER, "tinyfleet-gateway", "tinyfleet-access", "gateway", "enrol-pump-1", "PUMP-1"),
        *("pump-1 ", "pump-10", "anything", ""),
        open_on=FILES,
    ),
    *_connecting("enrol", ENROLLING, allowed=True),
    *_connecting(
        "enrol", OWN, "tinyfleet-gateway", "enrol", "enrol-", "enrol-a/b", "", open_on=MOSQUITTO
    ),
    *_connecting(REVOKED, REVOKED),
    *_connecting(PENDING, PENDING),
    *_connecting("stranger", "stranger"),
    *_of(OWN, OWN, Does.PUBLISH, *_OWN_WRITES, allowed=True),
    *_of(OWN, OWN, Does.RETAIN, topics.td(OWN), topics.state(OWN), allowed=True),
    *_of(OWN, OWN, Does.SUBSCRIBE, *_OWN_READS, allowed=True),
    *_of(OWN, OWN, Does.RETAINED_WILL, topics.online(OWN), allowed=True),
    *_of(OWN, OWN, Does.PUBLISH, *_FOREIGN_WRITES),
    *_of(OWN, OWN, Does.RETAIN, *_FOREIGN_WRITES),
    *_of(OWN, OWN, Does.SUBSCRIBE, *_FOREIGN_READS),
    *_of(OWN, OWN, Does.WILL, topics.online(OTHER), topics.desired(OWN), "elsewhere"),
    *_of(OWN, OWN, Does.RETAINED_WILL, topics.online(OTHER), topics.desired(OTHER), BLOCK),
    *_of("enrol", ENROLLING, Does.PUBLISH, topics.enrol("pump-9"), allowed=True),
    *_of("enrol", ENROLLING, Does.SUBSCRIBE, topics.enrol_result("pump-9"), allowed=True),
    *_of("enrol", ENROLLING, Does.PUBLISH, *_OF_AN_ENROLLING_CLIENT),
    *_of("enrol", ENROLLING, Does.RETAIN, topics.td(OWN), BLOCK),
    *_of("enrol", ENROLLING, Does.WILL, topics.online(OWN), topics.enrol_result("pump-9")),
    *_of(
        *("enrol", ENROLLING, Does.SUBSCRIBE),
        *("#", f"{ROOT}/#", f"{ROOT}/enrol/#", f"{ROOT}/enrol/+", f"{ROOT}/+/desired"),
        *(topics.desired(OWN), topics.td(OWN), BLOCK, f"{ROOT}/artifacts/#", "$SYS/#"),
        *(topics.enrol("pump-9"), f"{ROOT}/enrol/desired", "$CONTROL/#"),
        f"$share/all/{ROOT}/enrol/+/result",
    ),
]
