"""Checks of server-sent events: section 7.3.2.3."""

from __future__ import annotations

from tests.conformance.directory_client import (
    DISCOVERY,
    Directory,
    description,
)
from tests.conformance.discovery_assertions import asserts

KINDS = ["thing_created", "thing_updated", "thing_deleted"]


def _live(directory: Directory, title: str = "Other") -> str:
    """The id of a thing that came, changed and went."""
    thing_id = directory.created()
    assert directory.patch(thing_id, {"title": title}).status == 204
    assert directory.delete(thing_id).status == 204
    return thing_id


@asserts("tdd-notification", "tdd-notification-event-types")
def the_life_of_a_thing_is_told(directory: Directory) -> None:
    with directory.listen() as stream:
        events = stream.of(_live(directory), count=3)
    assert [event.kind for event in events] == KINDS


@asserts("tdd-notification-sse")
def events_are_server_sent(directory: Directory) -> None:
    with directory.listen(Accept="text/event-stream") as stream:
        assert stream.response.headers.get_content_type() == "text/event-stream"
        thing_id = directory.created()
        [event] = stream.of(thing_id)
        assert (event.kind, event.data["id"]) == ("thing_created", thing_id)


@asserts("tdd-notification-event-id")
def a_client_that_returns_gets_what_it_missed(directory: Directory) -> None:
    with directory.listen() as stream:
        [first] = stream.of(directory.created())
        assert first.id
    missed = [directory.created(), _live(directory)]
    with directory.listen(Last_Event_ID=first.id) as stream:
        events = stream.of(*missed, count=4)
    assert [event.kind for event in events] == ["thing_created", *KINDS]
    assert len({event.id for event in events}) == 4
    with directory.listen(Last_Event_ID=events[2].id) as stream:
        assert stream.of(*missed) == [events[3]]


@asserts("tdd-notification-filter-type")
def a_client_chooses_a_kind(directory: Directory) -> None:
    for kind in KINDS:
        with directory.listen(f"/events/{kind}") as stream:
            _live(directory)
            last = _live(directory)
            for event in stream:
                assert event.kind == kind
                if event.data["id"] == last:
                    break


@asserts("tdd-notification-data", "tdd-notification-data-td-id")
def the_data_is_json_with_the_id(directory: Directory) -> None:
    with directory.listen() as stream:
        thing_id = _live(directory)
        for event in stream.of(thing_id, count=3):
            assert event.data == {"id": thing_id}


@asserts("tdd-notification-data-create-full")
def a_new_thing_comes_whole_where_asked_for(directory: Directory) -> None:
    with directory.listen("/events/thing_created?diff=true") as stream:
        thing_id = directory.created(title="Größe\n2")
        [event] = stream.of(thing_id)
    given = directory.thing(thing_id)
    del given["registration"]["retrieved"]
    assert event.data == given
    assert DISCOVERY in event.data["@context"]


@asserts("tdd-notification-data-update-diff")
def a_change_comes_as_a_merge_patch(directory: Directory) -> None:
    thing_id = directory.created()
    with directory.listen("/events/thing_updated?diff=true") as stream:
        directory.put(description(thing_id, title="Other", support="mailto:x@example.org"))
        [event] = stream.of(thing_id)
        directory.patch(thing_id, {"support": None})
        [later] = stream.of(thing_id)
    assert (event.data["title"], event.data["support"]) == ("Other", "mailto:x@example.org")
    assert set(event.data) == {"id", "title", "support", "registration"}
    assert set(event.data["registration"]) == {"modified"}
    assert later.data["support"] is None
    assert "title" not in later.data


@asserts("tdd-notification-data-update-id")
def a_merge_patch_has_the_id(directory: Directory) -> None:
    known, place = directory.created(), directory.anonymous()
    nameless = directory.thing_at(place)["id"]
    with directory.listen("/events/thing_updated?diff=true") as stream:
        for thing_id in (known, nameless):
            directory.patch(thing_id, {"title": "Other"})
            [event] = stream.of(thing_id)
            assert event.data["title"] == "Other"


@asserts("tdd-notification-data-delete-diff")
def a_removal_has_no_diff(directory: Directory) -> None:
    with directory.listen("/events/thing_deleted?diff=true") as stream:
        thing_id = _live(directory)
        [event] = stream.of(thing_id)
    assert event.data == {"id": thing_id}
