"""Security schemes, and the names by which they are applied.

Source: W3C TD 1.1, section 5.3.3; TD 1.0, section 5.3.3, for the flows of the earlier edition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NoReturn

from registry.formats.td.context import TD_1_1
from registry.formats.td.grammar import is_json_pointer
from registry.formats.td.language import Text, read_description, read_types
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown

_PLACES = frozenset({"header", "query", "body", "cookie", "auto"})


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """One security definition. `location` and `parameter` say where a credential goes.

    `all_of` and `one_of` are names of other definitions that a combination takes together, or
    leaves the choice of.
    """

    scheme: str
    description: Text
    types: tuple[str, ...] = ()
    location: str | None = None
    parameter: str | None = None
    all_of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityDefinitions:
    """The schemes of a description by name.

    `variables` are those that must stand in an IRI wherever a scheme is applied, `keys` all such.
    """

    schemes: Mapping[str, SecurityScheme]
    variables: Mapping[str, frozenset[str]]
    keys: frozenset[str]


def read_definitions(node: Node) -> SecurityDefinitions:
    """`securityDefinitions`: at least one, and combinations of what is defined."""
    if not node.object():
        node.refuse(
            "is not an object with at least one definition",
            'Define one; {"nosec_sc": {"scheme": "nosec"}} says that none is needed',
        )
    schemes = {name: _scheme(place) for name, place in node.entries()}
    for name, scheme in schemes.items():
        _check_combined(node.member(name), scheme, schemes)
    variables: dict[str, frozenset[str]] = {}
    for name in _parts_first(node, schemes):
        scheme = schemes[name]
        own = {scheme.parameter} if scheme.location == "uri" and scheme.parameter else set()
        variables[name] = frozenset(own).union(*(variables[part] for part in scheme.all_of))
    keys = frozenset[str]().union(*variables.values())
    return SecurityDefinitions(schemes, variables, keys)


def _check_combined(
    node: Node, scheme: SecurityScheme, defined: Mapping[str, SecurityScheme]
) -> None:
    if not scheme.all_of and not scheme.one_of:
        return
    for place in node.member("allOf" if scheme.all_of else "oneOf").elements():
        if place.value not in defined:
            _refuse_undefined(place, defined)


def _parts_first(node: Node, schemes: Mapping[str, SecurityScheme]) -> tuple[str, ...]:
    """The names in an order in which a combination comes after what it combines."""
    parts = {name: scheme.all_of + scheme.one_of for name, scheme in schemes.items()}
    try:
        return tuple(TopologicalSorter(parts).static_order())
    except CycleError as error:
        node.member(error.args[1][0]).refuse("combines itself", "Name other schemes")


def read_names(node: Node, defined: Mapping[str, SecurityScheme]) -> tuple[str, ...]:
    """`security`: names of definitions, each of which there is."""
    places = node.one_or_more()
    for place in places:
        if place.string() not in defined:
            _refuse_undefined(place, defined)
    if len(places) > 1:
        node.remark("combines schemes in an array; TD 1.1 deprecates that for a combo scheme")
    return tuple(place.value for place in places)


def _refuse_undefined(node: Node, defined: Mapping[str, object]) -> NoReturn:
    some = ", ".join(shown(name) for name in sorted(defined)[:5])
    node.refuse(
        f"is {shown(node.value)}, which securityDefinitions does not define",
        f"Define it, or name another, such as {some}",
    )


def _scheme(node: Node) -> SecurityScheme:
    scheme = node.required("scheme", Node.string)
    node.optional("proxy", Node.iri_reference)
    if scheme in _CHECKS:
        _CHECKS[scheme](node)
    else:
        _check_extension(node.member("scheme"))
    return SecurityScheme(
        scheme,
        read_description(node),
        read_types(node),
        location=node.value.get("in", _DEFAULT_PLACE.get(scheme)) if scheme in _PLACED else None,
        parameter=node.value.get("name") if scheme in _PLACED else None,
        all_of=_names(node, "allOf") if scheme == "combo" else (),
        one_of=_names(node, "oneOf") if scheme == "combo" else (),
    )


def _check_extension(node: Node) -> None:
    """A scheme of another vocabulary bears the prefix of a vocabulary that @context brings in."""
    prefix, colon, _ = node.value.partition(":")
    if not prefix or not colon:
        node.refuse(
            f"is {shown(node.value)}, no security scheme that TD 1.1 has",
            f"Write one of {', '.join(sorted(_CHECKS))}, or one with the prefix of its vocabulary",
        )
    terms = node.reading.terms
    if not terms.has_prefix(node.value) and not terms.foreign:
        node.refuse(
            f"is {shown(node.value)}, whose prefix @context does not define",
            f"Define {shown(prefix)} in @context",
        )


def _check_nothing(node: Node) -> None:
    """Schemes without members of their own."""


def _check_auto(node: Node) -> None:
    if "name" in node.value:
        node.refuse("has a name, though the scheme is auto", "Leave name out")


def _check_placed(node: Node) -> None:
    node.optional("name", Node.string)
    allowed = _PLACES | {"uri"} if node.value["scheme"] == "apikey" else _PLACES
    place = node.optional("in", lambda member: member.choice(allowed))
    if node.reading.terms.edition != TD_1_1:
        return
    name = node.value.get("name")
    if place == "body" and name is not None and not is_json_pointer(name):
        node.member("name").refuse(
            f"is {shown(name)}, no JSON pointer into the body", "Write a pointer such as /key"
        )
    if place == "uri" and not name:
        node.refuse("lacks name, the variable that holds the key in the IRI", "Add name")
    if place == "auto" and name is not None:
        node.remark("has a name, though its place is auto")


def _check_digest(node: Node) -> None:
    _check_placed(node)
    node.optional("qop", lambda member: member.choice({"auth", "auth-int"}))


def _check_bearer(node: Node) -> None:
    _check_placed(node)
    node.optional("authorization", Node.iri_reference)
    node.optional("alg", Node.string)
    node.optional("format", Node.string)


def _check_psk(node: Node) -> None:
    node.optional("identity", Node.string)


# Which servers each flow of OAuth 2.0 needs; TD 1.0 has two more flows than TD 1.1.
_FLOW_NEEDS: Mapping[str, tuple[str, ...]] = {
    "code": ("authorization", "token"),
    "client": ("token",),
    "password": ("token",),
    "implicit": ("authorization",),
}


def _check_oauth2(node: Node) -> None:
    for name in ("authorization", "token", "refresh"):
        node.optional(name, Node.iri_reference)
    node.optional("scopes", Node.strings)
    flow = node.required("flow", Node.string)
    for name in _FLOW_NEEDS.get(flow, ()):
        if name not in node.value:
            node.refuse(f"lacks {name}, which the flow {flow} needs", f"Add {name}")
    barred = flow == "client" and node.reading.terms.edition == TD_1_1
    if barred and "authorization" in node.value:
        node.refuse("has authorization, which the flow client has not", "Leave it out")


def _check_combo(node: Node) -> None:
    kinds = [name for name in ("oneOf", "allOf") if name in node.value]
    if len(kinds) != 1:
        said = "both oneOf and allOf" if kinds else "neither oneOf nor allOf"
        node.refuse(f"has {said}", "Give exactly one of them")
    if len(node.member(kinds[0]).elements()) < 2:
        node.member(kinds[0]).refuse("combines fewer than two schemes", "Name two or more")
    node.member(kinds[0]).strings()


def _names(node: Node, kind: str) -> tuple[str, ...]:
    return node.optional(kind, Node.strings) or ()


_CHECKS: Mapping[str, Callable[[Node], None]] = {
    "nosec": _check_nothing,
    "auto": _check_auto,
    "combo": _check_combo,
    "basic": _check_placed,
    "digest": _check_digest,
    "apikey": _check_placed,
    "bearer": _check_bearer,
    "psk": _check_psk,
    "oauth2": _check_oauth2,
}
_DEFAULT_PLACE = {"basic": "header", "digest": "header", "bearer": "header", "apikey": "query"}
_PLACED = frozenset(_DEFAULT_PLACE)
