"""Forms: how each operation on an affordance is carried out.

Sources: W3C TD 1.1, sections 5.3.4.2 (Form) and 5.4 (default values); RFC 6570 (URI templates).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from registry.formats.td.context import TD_1_1
from registry.formats.td.grammar import template_variables
from registry.formats.td.node import Node
from registry.formats.td.refusal import shown
from registry.formats.td.security import SecurityDefinitions, read_names

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Operations:
    """What forms at one place may be for; `default` is what a form is for that does not say."""

    allowed: frozenset[str]
    default: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What forms refer to by name: security definitions, schemas, and variables of templates."""

    security: SecurityDefinitions
    active: tuple[str, ...]
    schemas: Collection[str] = ()
    variables: frozenset[str] = frozenset()

    def with_variables(self, more: Collection[str]) -> Names:
        """With the variables of an affordance as well."""
        return replace(self, variables=self.variables.union(more))


@dataclass(frozen=True, slots=True)
class Form:
    """One way to carry operations out; default values are filled in."""

    href: str
    operations: tuple[str, ...]
    content_type: str
    subprotocol: str | None
    security: tuple[str, ...]


def read_forms(node: Node, operations: Operations, names: Names) -> tuple[Form, ...]:
    """`forms`: an array with at least one form."""
    return tuple(_form(place, operations, names) for place in node.some_elements())


def _form(node: Node, operations: Operations, names: Names) -> Form:
    href = node.required("href", Node.template)
    node.optional("contentCoding", Node.string)
    node.optional("scopes", Node.strings)
    node.optional("response", lambda place: place.required("contentType", Node.string))
    node.optional("additionalResponses", lambda place: _check_responses(place, names))
    form = Form(
        href=href,
        operations=_operations(node, operations),
        content_type=node.optional("contentType", Node.string) or JSON,
        subprotocol=node.optional("subprotocol", Node.string),
        security=node.optional("security", lambda place: _security(place, names)) or names.active,
    )
    _check_variables(node.member("href"), form, names)
    return form


def _security(node: Node, names: Names) -> tuple[str, ...]:
    return read_names(node, names.security.schemes)


def _operations(node: Node, operations: Operations) -> tuple[str, ...]:
    if "op" not in node.value and not operations.default:
        node.refuse(
            "lacks op, and a form of a whole thing has no default",
            f"Say what it is for: {', '.join(sorted(operations.allowed))}",
        )
    said = node.optional("op", lambda place: _chosen(place, operations.allowed))
    return said or operations.default


def _chosen(node: Node, allowed: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place.choice(allowed) for place in node.one_or_more()))


def _check_responses(node: Node, names: Names) -> None:
    for place in node.elements():
        place.optional("contentType", Node.string)
        place.optional("success", Node.boolean)
        schema = place.optional("schema", Node.string)
        if schema is not None and schema not in names.schemas:
            place.member("schema").refuse(
                f"is {shown(schema)}, which schemaDefinitions does not define",
                "Define it there, or name a schema that is",
            )
        if "contentType" not in place.value and "success" not in place.value:
            place.remark("says neither what it contains nor whether it tells of success")


def _check_variables(node: Node, form: Form, names: Names) -> None:
    """Each variable of the template is declared, and the ones that security needs are there."""
    used = set(template_variables(form.href) or ())
    needed = frozenset[str]().union(*(names.security.variables[name] for name in form.security))
    for name in sorted(used - names.variables - names.security.keys):
        node.refuse(
            f"has the variable {shown(name)}, which uriVariables does not declare",
            "Declare it in uriVariables of the affordance or of the thing",
        )
    if node.reading.terms.edition == TD_1_1 and not needed <= used:
        name = min(needed - used)
        node.refuse(
            f"lacks the variable {shown(name)}, in which the security scheme puts its key",
            "Add it to the template",
        )


def thing_operations() -> Operations:
    """What forms of a whole thing may be for; they have to say it."""
    several = {"readallproperties", "writeallproperties", "readmultipleproperties"}
    several |= {"writemultipleproperties", "observeallproperties", "unobserveallproperties"}
    events = {"queryallactions", "subscribeallevents", "unsubscribeallevents"}
    return Operations(frozenset(several | events), ())


ACTION = Operations(frozenset({"invokeaction", "queryaction", "cancelaction"}), ("invokeaction",))
EVENT = Operations(
    frozenset({"subscribeevent", "unsubscribeevent"}), ("subscribeevent", "unsubscribeevent")
)
_PROPERTY = frozenset({"readproperty", "writeproperty", "observeproperty", "unobserveproperty"})


def property_operations(read_only: bool, write_only: bool) -> Operations:
    """What forms of a property may be for; the default goes by what the property allows."""
    either: Mapping[str, bool] = {"readproperty": write_only, "writeproperty": read_only}
    default = tuple(name for name, barred in either.items() if not barred)
    return Operations(_PROPERTY, default or tuple(either))
