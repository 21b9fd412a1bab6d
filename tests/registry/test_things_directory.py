"""The Things directory as its clients see it: what is kept, given back, refused, and who may."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from registry.api.thing_requests import DESCRIPTION_TYPES
from registry.formats.td.registration import DISCOVERY
from registry.formats.thing_description import parse_thing
from registry.models import Device, DeviceStatus, ThingEvent, ThingRegistration
from registry.projection.things import description_limits
from registry.services import registrations
from registry.services.matching import assess_pair
from registry.services.things import describe_device, import_thing
from tests.registry.td_samples import THING

pytestmark = pytest.mark.django_db
TD_TYPE = "application/td+json"
PATCH_TYPE = "application/merge-patch+json"
ID = THING["id"]
LOCAL_ID = re.compile(
    r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def address(thing_id: str) -> str:
    return f"/things/{quote(thing_id, safe='')}"


def anonymous(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in THING.items() if name != "id"} | members


def put(client: Client, td: dict[str, Any] | bytes, thing_id: str = ID, **headers: str) -> Any:
    body = td if isinstance(td, bytes) else json.dumps(td).encode()
    return client.put(address(thing_id), body, TD_TYPE, headers=headers)


def as_sent(given: dict[str, Any]) -> dict[str, Any]:
    """A description without what the directory adds to it."""
    context = [part for part in given["@context"] if part != DISCOVERY]
    return {name: each for name, each in given.items() if name != "registration"} | {
        "@context": context
    }


def test_a_description_comes_back_as_it_came_and_with_its_registration(owner: Client) -> None:
    text = json.dumps(THING, indent=3).replace("\n", "\r\n").encode()
    answer = put(owner, text)
    assert (answer.status_code, answer["Location"]) == (201, f"/things/{ID}")
    given = owner.get(address(ID))
    assert (given.status_code, given["Content-Type"]) == (200, TD_TYPE)
    assert as_sent(given.json()) == THING
    assert set(given.json()["registration"]) == {"created", "modified", "retrieved"}
    assert Device.objects.get().td.encode() == text


def test_every_valid_example_is_kept_and_comes_back_equal(owner: Client, data_dir: Path) -> None:
    files = sorted((data_dir / "w3c-wot" / "tds" / "valid").glob("*.json"))
    assert files
    for file in files:
        td = json.loads(file.read_bytes())
        if "id" in td:
            put(owner, file.read_bytes(), td["id"])
            place = address(td["id"])
        else:
            place = owner.post("/things", file.read_bytes(), TD_TYPE)["Location"]
        given = owner.get(place).json()
        contexts = td["@context"] if isinstance(td["@context"], list) else [td["@context"]]
        added = [] if DISCOVERY in contexts else [DISCOVERY]
        assert given.pop("@context") == [*contexts, *added], file.name
        del given["registration"]
        assert td.get("id", given["id"]) == given["id"]
        assert {k: v for k, v in given.items() if k in td} == {
            k: v for k, v in td.items() if k not in {"@context", "registration"}
        }, file.name


def test_a_thing_without_a_name_gets_one_and_is_new_each_time(owner: Client) -> None:
    places = {owner.post("/things", json.dumps(anonymous()), TD_TYPE)["Location"] for _ in range(2)}
    assert len(places) == 2
    for place in places:
        given = owner.get(place).json()
        assert LOCAL_ID.fullmatch(given["id"])
        assert place == f"/things/{given['id']}"
    assert {thing["id"] for thing in owner.get("/things").json()} == {
        place.removeprefix("/things/") for place in places
    }


def test_a_thing_without_a_name_may_stay_without(owner: Client) -> None:
    place = owner.post("/things", json.dumps(anonymous()), TD_TYPE)["Location"]
    answer = owner.put(place, json.dumps(anonymous(title="Other")), TD_TYPE)
    assert answer.status_code == 204
    given = owner.get(place).json()
    assert (given["title"], f"/things/{given['id']}") == ("Other", place)


@pytest.mark.parametrize(
    ("td", "field"),
    [
        (THING | {"title": 5}, "/title"),
        ({name: value for name, value in THING.items() if name != "title"}, "(root)"),
        (THING | {"id": "urn:other"}, "/id"),
        (anonymous(), "(root)"),
        (THING | {"registration": {"ttl": -1}}, "/registration/ttl"),
        (THING | {"registration": {"ttl": 1e300}}, "/registration/ttl"),
        (THING | {"registration": {"expires": "tomorrow"}}, "/registration/expires"),
        (THING | {"registration": []}, "/registration"),
    ],
)
def test_what_is_invalid_is_refused_with_the_place(owner: Client, td: Any, field: str) -> None:
    answer = put(owner, td)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    [error] = answer.json()["validationErrors"]
    assert error["field"] == field
    assert error["description"]
    assert not Device.objects.exists()


def test_what_has_a_name_is_not_posted(owner: Client) -> None:
    answer = owner.post("/things", json.dumps(THING), TD_TYPE)
    assert (answer.status_code, answer.json()["validationErrors"][0]["field"]) == (400, "/id")


def test_a_name_is_bounded_like_any_that_others_give(owner: Client) -> None:
    longest = "urn:x:" + "a" * 294
    assert put(owner, THING | {"id": longest}, longest).status_code == 201
    assert put(owner, THING | {"id": longest + "a"}, longest + "a").status_code == 400


@pytest.mark.parametrize("name", ["http://example.com/things/1?a=b#c", "urn:x:%20", "urn:ex:ü/ö"])
def test_any_iri_may_be_a_name(owner: Client, name: str) -> None:
    answer = put(owner, THING | {"id": name}, name)
    assert answer.status_code == 201, answer.content
    assert owner.get(answer["Location"]).json()["id"] == name
    assert owner.delete(address(name)).status_code == 204


def test_a_whole_address_of_ours_may_stand_for_the_id(owner: Client) -> None:
    place = owner.post("/things", json.dumps(anonymous()), TD_TYPE)["Location"]
    answer = owner.get(f"/things/http://testserver{place}")
    assert (answer.status_code, f"/things/{answer.json()['id']}") == (200, place)


def test_a_patch_merges_and_is_held_to_the_same_rules(owner: Client) -> None:
    put(owner, THING)
    change = {
        "title": "Mast",
        "description": None,
        "properties": {"new": {"forms": [{"href": "/"}]}},
    }
    answer = owner.patch(address(ID), json.dumps(change), PATCH_TYPE)
    assert (answer.status_code, answer.content) == (204, b"")
    given = as_sent(owner.get(address(ID)).json())
    properties = THING["properties"] | change["properties"]
    wanted = {name: value for name, value in THING.items() if name != "description"}
    assert given == wanted | {"title": "Mast", "properties": properties}
    for wrong in ({"title": None}, {"id": "urn:other"}, {"id": None}, [], "x"):
        answer = owner.patch(address(ID), json.dumps(wrong), PATCH_TYPE)
        assert (answer.status_code, "validationErrors" in answer.json()) == (400, True)
    assert as_sent(owner.get(address(ID)).json()) == given


@pytest.mark.parametrize(
    ("method", "media_type", "status"),
    [
        ("put", "text/turtle", 415),
        ("put", "application/json", 201),
        ("put", "application/ld+json", 201),
        ("put", "application/td+json; charset=utf-8", 201),
        ("patch", "application/json", 415),
    ],
)
def test_bodies_come_as_what_they_are(owner, method: str, media_type: str, status: int) -> None:
    answer = getattr(owner, method)(address(ID), json.dumps(THING), media_type)
    assert answer.status_code == status


def test_a_packed_body_is_unpacked_within_bounds(owner: Client, settings) -> None:
    headers = {"content-encoding": "gzip"}
    packed = gzip.compress(json.dumps(THING).encode())
    assert put(owner, packed, **headers).status_code == 201
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < settings.DESCRIPTION_MAX_BYTES
    assert put(owner, bomb, **headers).status_code == 413
    assert put(owner, b"no gzip", **headers).status_code == 400


def test_a_packed_body_comes_whole_and_alone(owner: Client, settings) -> None:
    headers = {"content-encoding": "gzip"}
    packed = gzip.compress(json.dumps(THING).encode())
    for wrong in (packed[:-1], packed[:-8], packed[:-20], packed + b"x", packed + packed):
        assert put(owner, wrong, **headers).status_code == 400
    assert not Device.objects.exists()
    settings.DESCRIPTION_MAX_BYTES = len(packed) - 1  # no more of it is read, so it seems cut off
    assert put(owner, packed, **headers).status_code == 413


def test_a_description_may_only_be_so_long(owner: Client, settings) -> None:
    settings.DESCRIPTION_MAX_BYTES = len(json.dumps(THING))
    assert put(owner, THING).status_code == 201
    assert put(owner, THING | {"more": ""}).status_code == 413


def test_a_client_may_name_the_state_that_it_means(owner: Client) -> None:
    assert put(owner, THING, **{"if-match": "*"}).status_code == 412
    assert put(owner, THING, **{"if-none-match": "*"}).status_code == 201
    assert put(owner, THING, **{"if-none-match": "*"}).status_code == 412
    first = owner.get(address(ID))["ETag"]
    changed = put(owner, THING | {"title": "Two"}, **{"if-match": first})
    assert changed.status_code == 204
    assert put(owner, THING | {"title": "Three"}, **{"if-match": first}).status_code == 412
    assert owner.get(address(ID), headers={"if-match": first}).status_code == 412
    assert owner.delete(address(ID), headers={"if-match": first}).status_code == 412
    second = owner.get(address(ID))["ETag"]
    assert owner.delete(address(ID), headers={"if-match": f'"x", {second}'}).status_code == 204


def test_a_client_is_not_sent_again_what_it_has(owner: Client) -> None:
    put(owner, THING)
    tag = owner.get(address(ID))["ETag"]
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in (owner.get, owner.head):
            spared = method(address(ID), headers={"if-none-match": condition})
            assert (spared.status_code, spared.content, spared["ETag"]) == (304, b"", tag)
    packed = owner.get(address(ID), headers={"accept-encoding": "gzip"})
    headers = {"accept-encoding": "gzip", "if-none-match": packed["ETag"]}
    spared = owner.get(address(ID), headers=headers)
    assert (spared.status_code, spared["Vary"]) == (304, packed["Vary"])
    put(owner, THING | {"title": "Two"})
    assert owner.get(address(ID), headers={"if-none-match": tag}).status_code == 200


def test_a_client_may_name_the_states_that_it_does_not_mean(owner: Client) -> None:
    put(owner, THING)
    tag = owner.get(address(ID))["ETag"]
    named = {"if-none-match": f'"other", W/{tag}'}
    assert put(owner, THING, **named).status_code == 412
    assert owner.patch(address(ID), "{}", PATCH_TYPE, headers=named).status_code == 412
    assert owner.delete(address(ID), headers=named).status_code == 412
    assert owner.get(address(ID))["ETag"] == tag
    assert put(owner, THING, **{"if-none-match": '"other"'}).status_code == 204


def test_only_what_is_kept_as_it_was_sent_would_have_a_tag_at_once(owner: Client) -> None:
    for status in (201, 204):
        answer = put(owner, THING)
        assert (answer.status_code, "ETag" in answer) == (status, False)
    patched = owner.patch(address(ID), '{"title": "Two"}', PATCH_TYPE)
    assert patched["ETag"] == owner.get(address(ID))["ETag"]


@pytest.mark.parametrize(
    ("path", "methods", "bodies"),
    [
        ("/things", {"GET", "HEAD", "POST"}, {"Accept-Post": DESCRIPTION_TYPES}),
        (
            f"/things/{ID}",
            {"GET", "HEAD", "PUT", "PATCH", "DELETE"},
            {"Accept-Patch": (PATCH_TYPE,)},
        ),
        ("/search/jsonpath", {"GET", "HEAD"}, {}),
        ("/events", {"GET", "HEAD"}, {}),
    ],
)
def test_options_tells_what_there_is(
    owner: Client, path: str, methods: set[str], bodies: dict[str, tuple[str, ...]]
) -> None:
    answer = owner.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer["Allow"].split(", ")) == methods | {"OPTIONS"}
    said = {name: answer[name] for name in ("Accept-Post", "Accept-Patch") if name in answer}
    assert said == {name: ", ".join(types) for name, types in bodies.items()}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/things/urn:none", 404),
        ("/things/", 404),
        ("/events/none", 404),
        ("/search/none", 404),
        ("/search/xpath?query=*", 501),
        ("/things?sort_by=title", 501),
        ("/things?sort_order=desc", 501),
        ("/things?limit=0", 400),
        ("/things?limit=many", 400),
        ("/things?offset=-1", 400),
        ("/things?format=tree", 400),
        ("/search/jsonpath", 400),
        ("/search/jsonpath?query=*/id", 400),
        ("/events?diff=perhaps", 400),
    ],
)
def test_every_refusal_is_a_problem(owner: Client, path: str, status: int) -> None:
    answer = owner.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    said = answer.json()
    assert (said["status"], said["type"]) == (status, "about:blank")
    assert said["title"] and said["detail"]


def test_what_nobody_foresaw_is_a_problem_too(owner: Client, monkeypatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("registry.services.thing_directory.page", fail)
    answer = owner.get("/things")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"secret" not in answer.content


@pytest.mark.parametrize(
    "path", ["/things", f"/things/{ID}", "/events", "/search/jsonpath?query=$"]
)
def test_nobody_unknown_reads(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_open_reading_opens_no_writing(settings, owner: Client) -> None:
    settings.TINYFLEET_PUBLIC_READ = True
    put(owner, THING)
    anyone = Client()
    assert anyone.get("/things").status_code == anyone.get(address(ID)).status_code == 200
    assert put(anyone, THING).status_code == 401
    assert anyone.post("/things", json.dumps(anonymous()), TD_TYPE).status_code == 401
    assert anyone.patch(address(ID), "{}", PATCH_TYPE).status_code == 401
    assert anyone.delete(address(ID)).status_code == 401


def test_writing_takes_the_permission_for_devices(django_user_model) -> None:
    user = django_user_model.objects.create_user("operator")
    client = Client()
    client.force_login(user)
    assert put(client, THING).status_code == 403
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["add_device", "change_device"])
    )
    assert put(client, THING).status_code == 201
    assert client.delete(address(ID)).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="delete_device"))
    assert client.delete(address(ID)).status_code == 204


def test_a_session_writes_only_with_its_token(django_user_model) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("owner"))
    assert put(client, THING).status_code == 403


def test_a_registered_thing_waits_and_is_judged_at_once(
    owner: Client, boards, make_td, make_variant
) -> None:
    td = make_td("lamp-1")
    assert put(owner, td, "urn:tinyfleet:device:lamp-1").status_code == 201
    device = Device.objects.get(device_id="lamp-1")
    assert device.status == DeviceStatus.PENDING
    assert assess_pair(device, make_variant("small")).answer.value == "fits"


def test_what_devices_announce_is_in_the_directory(owner: Client, make_device) -> None:
    device = make_device("cam-01")
    given = owner.get("/things/urn:tinyfleet:device:cam-01").json()
    assert given["title"] == "A camera"
    describe_device(device, device.td.encode())
    assert ThingEvent.objects.count() == 1


def test_a_name_that_another_device_has_stays_with_it(owner: Client, make_device) -> None:
    first, second = make_device("one", described=False), make_device("two", described=False)
    td = json.dumps(THING).encode()
    describe_device(first, td)
    describe_device(second, td)
    names = {row.device.device_id: row.thing_id for row in ThingRegistration.objects.all()}
    assert names == {"one": ID, "two": "urn:tinyfleet:device:two"}
    assert owner.get("/things/urn:tinyfleet:device:two").json()["id"] == "urn:tinyfleet:device:two"


def test_of_two_devices_that_claim_a_name_at_once_both_are_listed(make_device, monkeypatch) -> None:
    first, second = make_device("one", described=False), make_device("two", described=False)
    # What the second sees that looked before the first had written.
    monkeypatch.setattr(registrations, "_name", lambda *seen: ID)
    for device in (first, second):
        describe_device(device, json.dumps(THING).encode())
    names = set(ThingRegistration.objects.values_list("thing_id", flat=True))
    assert names == {ID, "urn:tinyfleet:device:two"}


def test_a_device_takes_the_place_of_its_candidate(owner: Client, make_device) -> None:
    put(owner, THING)
    describe_device(make_device("mast", described=False), json.dumps(THING).encode())
    assert [device.device_id for device in Device.objects.all()] == ["mast"]
    assert ThingRegistration.objects.get().device.device_id == "mast"


def test_a_candidate_goes_with_its_registration_and_a_device_stays(owner: Client) -> None:
    put(owner, THING)
    owner.delete(address(ID))
    assert not Device.objects.exists()
    put(owner, THING)
    Device.objects.update(status=DeviceStatus.ACCEPTED)
    assert owner.delete(address(ID)).status_code == 204
    assert owner.get(address(ID)).status_code == 404
    assert json.loads(Device.objects.get().td) == THING
    assert put(owner, THING).status_code == 201
    assert Device.objects.get().status == DeviceStatus.ACCEPTED


def test_what_was_imported_is_in_the_directory_once(owner: Client) -> None:
    td = json.dumps(anonymous()).encode()
    for _ in range(2):
        import_thing(td)
    [thing] = owner.get("/things").json()
    assert LOCAL_ID.fullmatch(thing["id"])


def test_the_directory_describes_itself_to_all(settings) -> None:
    for is_open in (False, True):
        settings.TINYFLEET_PUBLIC_READ = is_open
        answer = Client().get("/.well-known/wot")
        assert (answer.status_code, answer["Content-Type"]) == (200, TD_TYPE)
        thing = parse_thing(answer.content, description_limits())
        reading = [a for a in thing.affordances if a.name in {"things", "retrieveThing"}]
        assert len(reading) == 2
        said = json.loads(answer.content)["properties"]["things"]["forms"][0].get("security")
        assert said == ("open" if is_open else None)


def test_its_affordances_are_those_of_the_thing_model(data_dir: Path) -> None:
    model = json.loads((data_dir / "w3c-wot" / "directory.tm.json").read_bytes())
    said = Client().get("/.well-known/wot").json()
    for kind in ("properties", "actions", "events"):
        assert set(model[kind]) - set(said[kind]) <= {"searchXPath"}
        for name, affordance in said[kind].items():
            hrefs = [form["href"].lstrip("/") for form in model[kind][name]["forms"]]
            own = [
                form["href"].replace("{?query}", "?query={query}") for form in affordance["forms"]
            ]
            assert set(own) <= set(hrefs), name
