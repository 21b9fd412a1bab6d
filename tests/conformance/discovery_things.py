"""Checks of creating, reading, changing and removing things: sections 7.3.2.2.1 to 7.3.2.2.4."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from tests.conformance.directory_client import (
    TD_TYPE,
    Directory,
    address,
    description,
    links,
    new_id,
)
from tests.conformance.discovery_assertions import asserts
from tests.conformance.discovery_http import is_problem


@asserts("tdd-things-crud")
def things_are_created_read_updated_and_deleted(directory: Directory) -> None:
    thing_id = directory.created(title="One")
    assert directory.thing(thing_id)["title"] == "One"
    assert directory.put(description(thing_id, title="Two")).status == 204
    assert directory.thing(thing_id)["title"] == "Two"
    assert directory.delete(thing_id).status == 204
    assert directory.get(address(thing_id)).status == 404


@asserts("tdd-things-crudl")
def a_full_directory_lists_too(directory: Directory) -> None:
    things_are_created_read_updated_and_deleted(directory)
    thing_id = directory.created()
    assert thing_id in {thing["id"] for thing in directory.listed()}
    directory.delete(thing_id)
    assert thing_id not in {thing["id"] for thing in directory.listed()}


@asserts("tdd-things-create-known-vs-anonymous")
def known_and_anonymous_things_go_different_ways(directory: Directory) -> None:
    thing_id = new_id()
    is_problem(directory.post(description(thing_id)), 400)
    is_problem(directory.put(description(None), thing_id), 400)
    is_problem(directory.ask("PUT", "/things", directory.writer, b"{}"), 405)
    assert directory.get(address(thing_id)).status == 404


@asserts("tdd-things-create-known-td")
def a_known_thing_is_put_at_its_id(directory: Directory) -> None:
    for thing_id in (new_id(), f"https://things.example/{new_id()}?a=b#c", f"urn:ex:{new_id()}%2F"):
        assert directory.put(description(thing_id)).status == 201
        assert directory.thing(thing_id)["id"] == thing_id
    is_problem(directory.put(description(new_id()), new_id()), 400)


@asserts("tdd-things-create-known-contenttype")
def a_known_thing_is_put_as_td_json(directory: Directory) -> None:
    reply = directory.put(description(new_id()), Content_Type=f"{TD_TYPE}; charset=utf-8")
    assert reply.status == 201
    is_problem(directory.put(description(new_id()), Content_Type="text/plain"), 415)


@asserts("tdd-things-create-known-td-resp")
def a_new_thing_is_answered_with_201(directory: Directory) -> None:
    td = description(new_id())
    assert directory.put(td).status == 201
    assert directory.put(td).status == 204


@asserts("tdd-things-create-anonymous-td")
def an_anonymous_thing_is_posted(directory: Directory) -> None:
    reply = directory.post(description(None, title="Nameless"))
    assert reply.status == 201
    given = directory.thing_at(urlsplit(reply.headers["Location"]).path)
    assert given["title"] == "Nameless"


@asserts("tdd-things-create-anonymous-contenttype")
def an_anonymous_thing_is_posted_as_td_json(directory: Directory) -> None:
    assert directory.post(description(None), Content_Type=TD_TYPE).status == 201
    is_problem(directory.post(description(None), Content_Type="text/plain"), 415)


@asserts("tdd-things-create-anonymous-id")
def an_anonymous_thing_is_managed_by_its_local_id(directory: Directory) -> None:
    first, second = (directory.anonymous(title="Twin") for _ in range(2))
    assert first != second
    thing_id = directory.thing_at(first)["id"]
    assert directory.patch(thing_id, {"title": "Changed"}).status == 204
    assert directory.thing_at(first)["title"] == "Changed"
    assert directory.put(description(thing_id, title="Put"), thing_id).status == 204
    assert directory.delete(thing_id).status == 204
    assert directory.get(first).status == 404
    assert directory.thing_at(second)["title"] == "Twin"


@asserts("tdd-things-create-anonymous-td-resp")
def a_new_anonymous_thing_is_answered_with_its_place(directory: Directory) -> None:
    reply = directory.post(description(None))
    assert reply.status == 201
    path = urlsplit(reply.headers["Location"]).path
    assert path == f"/things/{directory.thing_at(path)['id']}"


@asserts("tdd-things-retrieve")
def a_thing_is_read_at_its_id(directory: Directory) -> None:
    td = description(new_id(), support="mailto:lamp@example.org", **{"ex:note": [1, 2.5, None]})
    directory.put(td)
    given = directory.thing(td["id"])
    assert {name: given[name] for name in td if name != "@context"} == {
        name: value for name, value in td.items() if name != "@context"
    }
    assert set(given) - set(td) == {"registration"}
    is_problem(directory.get(address(new_id())), 404)


@asserts("tdd-things-retrieve-resp")
def a_thing_is_given_with_200(directory: Directory) -> None:
    reply = directory.get(address(directory.created()))
    assert (reply.status, json.loads(reply.body)["title"]) == (200, "Lamp")


@asserts("tdd-things-retrieve-resp-content-type")
def a_thing_is_given_as_json(directory: Directory) -> None:
    reply = directory.get(address(directory.created()))
    assert reply.media_type in {"application/json", TD_TYPE}


@asserts("tdd-things-update")
def a_put_replaces(directory: Directory) -> None:
    thing_id = directory.created(support="mailto:lamp@example.org")
    directory.put(description(thing_id, title="Other"))
    given = directory.thing(thing_id)
    assert given["title"] == "Other"
    assert "support" not in given
    assert [thing["id"] for thing in directory.listed()].count(thing_id) == 1


@asserts("tdd-things-update-contenttype")
def a_put_is_td_json(directory: Directory) -> None:
    thing_id = directory.created()
    assert directory.put(description(thing_id), Content_Type=TD_TYPE).status == 204
    is_problem(directory.put(description(thing_id), Content_Type="text/plain"), 415)


@asserts("tdd-things-update-resp")
def a_replacement_is_answered_with_204(directory: Directory) -> None:
    reply = directory.put(description(directory.created(), title="Other"))
    assert (reply.status, reply.body) == (204, b"")


@asserts("tdd-things-update-partial")
def a_patch_changes_parts(directory: Directory) -> None:
    thing_id = directory.created()
    assert directory.patch(thing_id, {"title": "Other"}).status == 204
    given = directory.thing(thing_id)
    assert (given["title"], given["description"]) == ("Other", "Shines")
    is_problem(directory.patch(new_id(), {"title": "Other"}), 404)


@asserts("tdd-things-update-partial-mergepatch")
def a_patch_merges_as_rfc_7396_says(directory: Directory) -> None:
    thing_id = directory.created(**{"ex:a": {"b": 1, "c": {"d": 2}}, "ex:list": [1, 2]})
    new = {"forms": [{"href": "https://lamp.example/dim"}]}
    change = {
        "description": None,
        "properties": {"dim": new},
        "ex:a": {"b": None, "c": {"e": 3}},
        "ex:list": [3],
        "ex:new": {"gone": None, "kept": 1},
    }
    assert directory.patch(thing_id, change).status == 204
    given = directory.thing(thing_id)
    assert "description" not in given
    assert given["properties"] == description(None)["properties"] | {"dim": new}
    assert given["ex:a"] == {"c": {"d": 2, "e": 3}}
    assert (given["ex:list"], given["ex:new"]) == ([3], {"kept": 1})


@asserts("tdd-things-update-partial-contenttype")
def a_patch_is_merge_patch_json(directory: Directory) -> None:
    thing_id = directory.created()
    for media_type in ("application/json", TD_TYPE, "application/json-patch+json"):
        is_problem(directory.patch(thing_id, {"title": "x"}, Content_Type=media_type), 415)
    assert directory.thing(thing_id)["title"] == "Lamp"
    assert directory.patch(thing_id, {"title": "x"}).status == 204


@asserts("tdd-things-update-partial-partialtd")
def a_patch_is_a_partial_td(directory: Directory) -> None:
    thing_id = directory.created()
    for wrong in ({"title": None}, {"title": 5}, {"properties": {"x": {}}}, ["title"], "title"):
        is_problem(directory.patch(thing_id, wrong), 400)
    is_problem(directory.patch(thing_id, {"id": new_id()}), 400)
    assert directory.thing(thing_id)["title"] == "Lamp"


@asserts("tdd-things-update-partial-resp")
def a_patch_is_answered_with_204(directory: Directory) -> None:
    reply = directory.patch(directory.created(), {"title": "Other"})
    assert (reply.status, reply.body) == (204, b"")


@asserts("tdd-things-delete")
def a_delete_removes(directory: Directory) -> None:
    thing_id = directory.created()
    directory.delete(thing_id)
    is_problem(directory.get(address(thing_id)), 404)
    is_problem(directory.delete(thing_id), 404)


@asserts("tdd-things-delete-resp")
def a_removal_is_answered_with_204(directory: Directory) -> None:
    reply = directory.delete(directory.created())
    assert (reply.status, reply.body) == (204, b"")


# ---------------------------------------------------------------------- listing


@asserts("tdd-things-list-only", "tdd-things-list-method")
def things_are_listed(directory: Directory) -> None:
    wanted = {directory.created() for _ in range(3)}
    assert wanted <= {thing["id"] for thing in directory.listed()}


@asserts("tdd-things-list-resp")
def a_list_is_an_array_of_tds(directory: Directory) -> None:
    directory.created()
    reply = directory.get("/things")
    assert reply.status == 200
    things = json.loads(reply.body)
    assert isinstance(things, list)
    assert all({"@context", "id", "title", "security"} <= thing.keys() for thing in things)


@asserts("tdd-things-list-resp-content-type")
def a_list_is_json(directory: Directory) -> None:
    for query in ("", "?limit=1", "?format=collection"):
        reply = directory.get(f"/things{query}")
        assert reply.media_type in {"application/json", "application/ld+json"}


def _page(directory: Directory, query: str) -> tuple[list[str], dict[str, object]]:
    reply = directory.get(query)
    assert reply.status == 200, reply.body
    return [thing["id"] for thing in json.loads(reply.body)], links(reply)


@asserts("tdd-things-list-pagination")
def pages_together_are_the_whole(directory: Directory) -> None:
    for _ in range(5):
        directory.created()
    whole = [thing["id"] for thing in directory.listed()]
    assert [thing["id"] for thing in directory.listed("?limit=2")] == whole
    assert _page(directory, "/things?offset=1&limit=2")[0] == whole[1:3]


@asserts("tdd-things-list-pagination-limit")
def a_page_has_no_more_than_the_limit(directory: Directory) -> None:
    for _ in range(3):
        directory.created()
    for limit in (1, 2, 3):
        assert len(_page(directory, f"/things?limit={limit}")[0]) == limit
    for wrong in ("0", "-1", "x", "1.5"):
        is_problem(directory.get(f"/things?limit={wrong}"), 400)


@asserts("tdd-things-list-pagination-header-nextlink")
def a_next_link_stands_where_more_follow(directory: Directory) -> None:
    for _ in range(3):
        directory.created()
    total = len(directory.listed())
    assert "next" in _page(directory, f"/things?limit={total - 1}")[1]
    assert "next" not in _page(directory, f"/things?limit={total}")[1]
    assert "next" not in _page(directory, f"/things?limit=2&offset={total - 2}")[1]


@asserts("tdd-things-list-pagination-header-nextlink-attr")
def a_next_link_says_all_that_is_needed(directory: Directory) -> None:
    for _ in range(5):
        directory.created()
    first = links(directory.get("/things?limit=2&format=collection"))["next"][0]
    arguments = dict(part.split("=") for part in urlsplit(first).query.split("&"))
    assert (arguments["limit"], arguments["offset"]) == ("2", "2")
    assert arguments["format"] == "collection"
    second = directory.get(first)
    assert len(json.loads(second.body)["members"]) == 2
    whole = [thing["id"] for thing in directory.listed()]
    assert [thing["id"] for thing in json.loads(second.body)["members"]] == whole[2:4]


@asserts("tdd-things-list-pagination-header-nextlink-base")
def a_next_link_leads_on_from_the_base(directory: Directory) -> None:
    for _ in range(3):
        directory.created()
    target = links(directory.get("/things?limit=1"))["next"][0]
    assert target.startswith(("/things?", f"{directory.base}/things?"))
    assert directory.get(target.removeprefix(directory.base)).status == 200


@asserts("tdd-things-list-pagination-header-canonicallink")
def a_canonical_link_bears_the_collections_state(directory: Directory) -> None:
    def state() -> str:
        target, parameters = links(directory.get("/things?limit=1"))["canonical"]
        assert target in {"/things", f"{directory.base}/things"}
        return parameters["etag"]

    seen = [state()]
    assert state() == seen[0]
    thing_id = directory.created()
    seen.append(state())
    directory.patch(thing_id, {"title": "Other"})
    seen.append(state())
    directory.delete(thing_id)
    seen.append(state())
    assert len(set(seen[:3])) == 3
    assert seen[3] != seen[2]


@asserts("tdd-things-list-pagination-order-default")
def things_come_in_the_order_of_code_points(directory: Directory) -> None:
    # U+1F600 comes before U+FFEE in UTF-16, a before B in most languages' order.
    made = [
        f"urn:ex:order-{end}-{new_id()}" for end in ("a", "B", "é", "~", "\U0001f600", "\uffee")
    ]
    for thing_id in made:
        directory.created(id=thing_id)
    for query in ("", "?limit=3"):
        given = [thing["id"] for thing in directory.listed(query)]
        assert given == sorted(given)
        assert set(made) <= set(given)


@asserts("tdd-things-list-pagination-collection")
def a_collection_says_more_than_an_array(directory: Directory) -> None:
    for _ in range(3):
        directory.created()
    reply = directory.get("/things?format=collection&limit=2")
    said = json.loads(reply.body)
    assert said["@type"] == "ThingCollection"
    assert said["@context"] == "https://www.w3.org/2022/wot/discovery"
    assert (said["total"], len(said["members"])) == (len(directory.listed()), 2)
    assert said["next"] == links(reply)["next"][0]
    assert directory.get(said["@id"]).status == 200
