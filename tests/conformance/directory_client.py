"""A client of a Thing Description Directory that knows nothing but the standard."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from tests.conformance.plain_http import TIMEOUT_S, Reply, send

TD_TYPE = "application/td+json"
PATCH_TYPE = "application/merge-patch+json"
PROBLEM_TYPE = "application/problem+json"
TD_CONTEXT = "https://www.w3.org/2022/wot/td/v1.1"
DISCOVERY = "https://www.w3.org/2022/wot/discovery"


def description(thing_id: str | None, **members: Any) -> dict[str, Any]:
    """A small valid Thing Description."""
    td = {
        "@context": [TD_CONTEXT],
        **({} if thing_id is None else {"id": thing_id}),
        "title": "Lamp",
        "description": "Shines",
        "securityDefinitions": {"open": {"scheme": "nosec"}},
        "security": ["open"],
        "properties": {"on": {"type": "boolean", "forms": [{"href": "https://lamp.example/on"}]}},
    }
    return td | members


def new_id() -> str:
    """An id that nothing has yet."""
    return uuid.uuid4().urn


def address(thing_id: str) -> str:
    """Where a thing stands."""
    return f"/things/{quote(thing_id, safe='')}"


def links(reply: Reply) -> dict[str, tuple[str, dict[str, str]]]:
    """The Link headers by relation: target and parameters (RFC 8288)."""
    found = {}
    for header in reply.headers.get_all("Link") or []:
        for link in header.split(", <"):
            target, _, rest = link.lstrip("<").partition(">")
            pairs = [part.strip().partition("=") for part in rest.split(";") if part.strip()]
            parameters = {name: value.strip('"') for name, _, value in pairs}
            found[parameters.pop("rel")] = (target, parameters)
    return found


@dataclass(frozen=True)
class Event:
    """One server-sent event (HTML, section 9.2.6)."""

    id: str
    kind: str
    data: Any


class EventStream:
    """Reads events line by line as they come."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def __iter__(self) -> Iterator[Event]:
        fields: dict[str, list[str]] = {}
        while line := self.response.readline():
            text = line.decode("utf-8").rstrip("\r\n")
            if text and not text.startswith(":"):
                name, _, value = text.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            elif not text and "data" in fields:
                data = json.loads("\n".join(fields["data"]))
                yield Event(fields.get("id", [""])[-1], fields.get("event", ["message"])[-1], data)
                fields = {}

    def of(self, *thing_ids: str, count: int = 1) -> list[Event]:
        """The next so many events of these things."""
        found: list[Event] = []
        for event in self:
            if event.data["id"] in thing_ids:
                found.append(event)
            if len(found) == count:
                break
        return found


@dataclass(frozen=True)
class Directory:
    """One running directory, how its readers and its writers sign in, and a round of its scheduler.

    `stranger` is what somebody without permission to write sends.
    """

    base: str
    is_open: bool
    reader: Mapping[str, str]
    writer: Mapping[str, str]
    stranger: Mapping[str, str]
    tick: Callable[[], object]

    def ask(
        self, method: str, path: str, signed: Mapping[str, str], body: bytes = b"", **headers: str
    ) -> Reply:
        """One request; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return send(self.base, method, path, [*signed.items(), *named.items()], body)

    def get(self, path: str, **headers: str) -> Reply:
        """Read as a reader."""
        return self.ask("GET", path, self.reader, **headers)

    def head(self, path: str, **headers: str) -> Reply:
        """Only the headers."""
        return self.ask("HEAD", path, self.reader, **headers)

    def put(self, td: Mapping[str, Any], thing_id: str | None = None, **headers: str) -> Reply:
        """Create or replace at the address of an id, by default the description's own."""
        said = {"Content_Type": TD_TYPE} | headers
        place = address(thing_id or td["id"])
        return self.ask("PUT", place, self.writer, as_bytes(td), **said)

    def post(self, td: Mapping[str, Any], **headers: str) -> Reply:
        """Create without an id."""
        said = {"Content_Type": TD_TYPE} | headers
        return self.ask("POST", "/things", self.writer, as_bytes(td), **said)

    def patch(self, thing_id: str, change: Any, **headers: str) -> Reply:
        """Change parts."""
        said = {"Content_Type": PATCH_TYPE} | headers
        return self.ask("PATCH", address(thing_id), self.writer, as_bytes(change), **said)

    def delete(self, thing_id: str) -> Reply:
        """Remove."""
        return self.ask("DELETE", address(thing_id), self.writer)

    def created(self, **members: Any) -> str:
        """The id of a thing that is registered now."""
        thing_id = members.pop("id", None) or new_id()
        reply = self.put(description(thing_id, **members))
        assert reply.status == 201, reply.body
        return thing_id

    def anonymous(self, **members: Any) -> str:
        """The address of a thing that was registered without an id."""
        reply = self.post(description(None, **members))
        assert reply.status == 201, reply.body
        return urlsplit(reply.headers["Location"]).path

    def thing(self, thing_id: str) -> Any:
        """What the directory gives of a thing."""
        return self.thing_at(address(thing_id))

    def thing_at(self, path: str) -> Any:
        """The same by its address."""
        reply = self.get(path)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def registration(self, thing_id: str) -> dict[str, Any]:
        """What it says of the thing's registration."""
        return self.thing(thing_id)["registration"]

    def listed(self, query: str = "") -> list[Any]:
        """All things, page after page."""
        things, path = [], f"/things{query}"
        while path:
            reply = self.get(path)
            assert reply.status == 200, reply.body
            things += json.loads(reply.body)
            path = links(reply).get("next", ("", {}))[0]
        return things

    @contextmanager
    def listen(self, path: str = "/events", **headers: str) -> Iterator[EventStream]:
        """A stream of events, once it is open."""
        where = urlsplit(self.base)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=TIMEOUT_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers={**self.reader, **named})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            stream = EventStream(response)
            assert response.readline().startswith(b":")  # from here on nothing is missed
            yield stream
        finally:
            connection.close()


def as_bytes(said: Any) -> bytes:
    """A body: bytes as they are, else as JSON."""
    return said if isinstance(said, bytes) else json.dumps(said).encode()
