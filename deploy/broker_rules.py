"""Who may connect, publish and read, from Mosquitto's own two files.

The embedded broker reads the password file and the ACL file that Mosquitto would read, so one pair
of files, written by `orchestrator.gateways.broker_files`, serves both brokers. Of the ACL language
this understands `user`, `topic` and `pattern` lines with read, write, readwrite and deny, `%u` and
`%c`; a line of any other form is an error, never a silent permission.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.protocol.enrolment import check_verifier

_WORDS = {"read", "write", "readwrite", "deny"}
_CACHE_LIMIT = 100_000


class RulesError(ValueError):
    """A line of the password or ACL file that means nothing; names file and line."""


class Access(StrEnum):
    """What a rule permits."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Rule:
    """One ACL line: what it permits (nothing: a denial) on topics that match `topic`."""

    access: frozenset[Access]
    topic: str


@dataclass(frozen=True, slots=True)
class AccessList:
    """A parsed ACL file: rules of single users, and patterns for every user."""

    users: dict[str, list[Rule]] = field(default_factory=dict)
    patterns: list[Rule] = field(default_factory=list)

    def rules_for(self, user: str, client: str) -> list[Rule]:
        """All rules of a user, patterns filled in, without those that a name would widen."""
        names = {"%u": user, "%c": client}
        unsafe = {mark for mark, name in names.items() if set(name) & set("+#/")}
        filled = [
            Rule(rule.access, rule.topic.replace("%u", user).replace("%c", client))
            for rule in self.patterns
            if not any(mark in rule.topic for mark in unsafe)
        ]
        return self.users.get(user, []) + filled

    def permits(self, user: str, client: str, access: Access, topic: str) -> bool:
        """Whether the user may publish to (WRITE), receive from or subscribe to (READ) `topic`.

        For a subscription `topic` is a filter, and a rule must cover all of it.
        """
        covering = [rule for rule in self.rules_for(user, client) if covers(rule.topic, topic)]
        denied = any(not rule.access for rule in covering)
        return not denied and any(access in rule.access for rule in covering)


def parse_passwords(text: str, name: str = "passwords") -> dict[str, str]:
    """User to verifier, of lines `user:$7$...`."""
    verifiers: dict[str, str] = {}
    for number, line in _lines(text):
        user, colon, verifier = line.partition(":")
        if not (user and colon and verifier):
            raise RulesError(f"{name}, line {number}: not of the form user:verifier")
        verifiers[user] = verifier
    return verifiers


def parse_access_list(text: str, name: str = "acl") -> AccessList:
    """The rules of an ACL file."""
    access_list = AccessList()
    rules: list[Rule] | None = None
    for number, line in _lines(text):
        keyword, _, rest = line.partition(" ")
        if keyword == "user" and rest:
            rules = access_list.users.setdefault(rest.strip(), [])
        elif keyword == "pattern" and rest:
            access_list.patterns.append(_rule(rest))
        elif keyword == "topic" and rest and rules is not None:
            rules.append(_rule(rest))
        else:
            raise RulesError(f"{name}, line {number}: {line[:60]!r} is no rule known here")
    return access_list


def matches(topic: str, a_filter: str) -> bool:
    """Whether a topic (without wildcards) matches a filter (MQTT 3.1.1, section 4.7)."""
    return covers(a_filter, topic)


def covers(rule: str, a_filter: str) -> bool:
    """Whether `rule` matches every topic that `a_filter` matches, itself topic or filter."""
    if a_filter.startswith("$") != rule.startswith("$"):
        return False  # 4.7.2-1: wildcards at the start match no topic beginning with $
    wanted = a_filter.split("/")
    allowed = rule.split("/")
    for position, level in enumerate(allowed):
        if level == "#":
            return True
        if position >= len(wanted) or wanted[position] == "#":
            return False
        if level not in ("+", wanted[position]):
            return False
    return len(allowed) == len(wanted)


class AccessRules:
    """The two files as they stand now; looked at again whenever one of them was replaced."""

    def __init__(self, passwords: Path, acl: Path) -> None:
        self._passwords_path = passwords
        self._acl_path = acl
        self._stamp: tuple[object, ...] = ()
        self._verifiers: dict[str, str] = {}
        self._access_list = AccessList()
        self._answers: dict[tuple[str, str, Access, str], bool] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the files again where they changed; True where they did.

        Raises RulesError, and keeps what it had, where a file has become senseless.
        """
        stamp = (_stamp(self._passwords_path), _stamp(self._acl_path))
        if stamp == self._stamp:
            return False
        verifiers = parse_passwords(_text(self._passwords_path), self._passwords_path.name)
        access_list = parse_access_list(_text(self._acl_path), self._acl_path.name)
        self._verifiers, self._access_list = verifiers, access_list
        self._answers.clear()
        self._stamp = stamp
        return True

    def verifier(self, user: str) -> str | None:
        """What the user's secret is checked against; None for a stranger."""
        return self._verifiers.get(user)

    def check_login(self, user: str | None, secret: str | None) -> bool:
        """Whether the secret is the user's."""
        verifier = self._verifiers.get(user or "")
        return verifier is not None and check_verifier(secret or "", verifier)

    def may(self, user: str, client: str, access: Access, topic: str) -> bool:
        """As `AccessList.permits`; answers are kept until a file changes."""
        key = (user, client, access, topic)
        if key not in self._answers:
            if len(self._answers) >= _CACHE_LIMIT:
                self._answers.clear()
            self._answers[key] = self._access_list.permits(user, client, access, topic)
        return self._answers[key]


def _rule(text: str) -> Rule:
    word, _, topic = text.strip().partition(" ")
    if word not in _WORDS or not topic:
        return Rule(frozenset(Access), text.strip())
    allowed = {a for a in Access if a.value in word} if word != "deny" else set()
    return Rule(frozenset(allowed), topic.strip())


def _lines(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _text(path: Path) -> str:
    """A file that is not there yet holds no permission."""
    return path.read_text() if path.exists() else ""


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes with each replacement, even two within one tick of the clock."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
