"""Thing Descriptions as triples: derived one way from the text that is kept.

What a description says of others is not taken over: links and addresses are plain texts (many are
URI templates, which no xsd:anyURI is), and of classes in our namespace it may claim only kinds of
sensors and actuators.

Source: W3C TD, hypermedia and security ontologies; the TD ontology's alignment with SOSA/SSN.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import pyoxigraph as ox
import structlog
from django.conf import settings

from ontology.describe import Description
from ontology.namespaces import ID, PREFIXES, expand
from ontology.vocabulary import observed_property, ontology_triples, superclasses
from registry.formats.td.affordances import Affordance, AffordanceKind
from registry.formats.td.forms import Form
from registry.formats.td.grammar import moment_of
from registry.formats.td.language import Label, Text
from registry.formats.td.parts import Part
from registry.formats.thing_description import (
    DescriptionError,
    DescriptionLimits,
    ThingDescription,
    parse_thing,
)

log = structlog.get_logger(__name__)

_SENSOR, _ACTUATOR = expand("sosa:Sensor"), expand("sosa:Actuator")
_OURS = (PREFIXES["tf"], ID)
_RESERVED = tuple(PREFIXES[name] for name in ("rdf", "rdfs", "owl", "nnet"))
_CLAIMABLE = ("ssn:System", "sosa:Platform")
_SCHEMES = {
    "nosec": "wotsec:NoSecurityScheme",
    "auto": "wotsec:AutoSecurityScheme",
    "combo": "wotsec:ComboSecurityScheme",
    "basic": "wotsec:BasicSecurityScheme",
    "digest": "wotsec:DigestSecurityScheme",
    "apikey": "wotsec:APIKeySecurityScheme",
    "bearer": "wotsec:BearerSecurityScheme",
    "psk": "wotsec:PSKSecurityScheme",
    "oauth2": "wotsec:OAuth2SecurityScheme",
}
# The TD ontology spells operations in camel case.
_OPERATIONS = {
    name.lower(): f"td:{name}"
    for name in (
        *("readProperty", "writeProperty", "observeProperty", "unobserveProperty"),
        *("invokeAction", "queryAction", "cancelAction", "subscribeEvent", "unsubscribeEvent"),
        *("readAllProperties", "writeAllProperties", "readMultipleProperties"),
        *("writeMultipleProperties", "observeAllProperties", "unobserveAllProperties"),
        *("queryAllActions", "subscribeAllEvents", "unsubscribeAllEvents"),
    )
}
_AFFORDANCES = {
    AffordanceKind.PROPERTY: ("property", "td:hasPropertyAffordance", "td:PropertyAffordance"),
    AffordanceKind.ACTION: ("action", "td:hasActionAffordance", "td:ActionAffordance"),
    AffordanceKind.EVENT: ("event", "td:hasEventAffordance", "td:EventAffordance"),
}
_OFFERS = {kind: (relation, name) for kind, relation, name in _AFFORDANCES.values()}
_KEY_LENGTH = 80
_SENSED = frozenset({"readproperty", "observeproperty", "subscribeevent"})
_CHANGED = frozenset({"writeproperty", "invokeaction"})


def description_limits() -> DescriptionLimits:
    """What a description may take on this installation."""
    return DescriptionLimits(
        settings.DESCRIPTION_MAX_BYTES,
        settings.DESCRIPTION_MAX_DEPTH,
        settings.DESCRIPTION_MAX_AFFORDANCES,
    )


def describe_thing(device: Description, td: str, registered_as: str | None = None) -> None:
    """Add what a device's Thing Description says; nothing where there is none that we accept.

    `registered_as` names in the directory a description that has no id of its own.

    One that was accepted under other settings or an earlier rule is kept and not projected.
    """
    if not td:
        return
    try:
        thing = parse_thing(td.encode(), description_limits())
    except DescriptionError as error:
        log.warning("description_not_projected", device=device.iri.value, error=str(error))
        return
    _describe_identity(device, thing, thing.id or registered_as)
    for affordance in thing.affordances:
        _describe_affordance(device, affordance, thing)
    _describe_forms(device, thing.forms, "")
    for number, part in enumerate(thing.parts, 1):
        _describe_part(device, number, part)
    for number, link in enumerate(thing.links, 1):
        place = device.part(f"link-{number}").a("hctl:Link").has("hctl:hasTarget", link.href)
        place.has("hctl:hasRelationType", link.relation)
        place.has("hctl:forContentType", link.media_type)
        device.is_to("td:hasLink", place.iri.value)
    for name in dict.fromkeys(thing.security):
        _describe_scheme(device, name, thing.schemes[name].scheme)


def describe_offers(device: Description, offers: Iterable[Mapping[str, Any]]) -> None:
    """Add what somebody else's description says that one can do with a device."""
    for offer in offers:
        relation, class_name = _OFFERS[offer["kind"]]
        key = _key(offer["kind"], offer["name"])
        place = device.part(key).a(class_name).has("td:name", offer["name"])
        place.has("td:description", offer["description"])
        device.is_to(relation, place.iri.value)
        for number, form in enumerate(offer["forms"], 1):
            fragment = f"form-{number}-{key}"
            where = _describe_form(place, fragment, form["target"], form["operations"])
            where.has("hctl:forContentType", form["content_type"])


def _describe_identity(device: Description, thing: ThingDescription, identity: str | None) -> None:
    device.has("tf:thingIdentifier", identity)
    _describe_label(device, thing.label, thing.terms.language)
    if not thing.label.description.default:  # so that whoever asks what things are finds all
        _describe_text(device, "td:description", thing.label.title, thing.terms.language)
    _describe_types(device, thing.types, thing)
    device.has("td:baseURI", thing.base)
    device.has("td:supportContact", thing.support)
    device.has("td:instance", thing.version)
    for name, text in (("dcterms:created", thing.created), ("dcterms:modified", thing.modified)):
        device.has(name, None if text is None else moment_of(text))


def _describe_label(subject: Description, label: Label, language: str | None) -> None:
    _describe_text(subject, "td:title", label.title, language)
    _describe_text(subject, "td:description", label.description, language)


def _describe_text(subject: Description, name: str, text: Text, language: str | None) -> None:
    subject.has(name, _text(text.default, language) if text.default else None)
    for tag, translation in text.translations.items():
        subject.has(f"{name}InLanguage", _text(translation, tag) if translation else None)


def _text(text: str, language: str | None) -> ox.Literal:
    """Language tags are written in lower case, as stores write them, so that graphs compare."""
    try:
        return ox.Literal(text, language=language.lower() if language else None)
    except ValueError:  # well-formed, but of a kind that the library does not know
        return ox.Literal(text)


def _describe_types(subject: Description, names: Iterable[str], thing: ThingDescription) -> None:
    iris = (thing.terms.type_iri(name) for name in names)
    _state_types(subject, (iri for iri in iris if iri is not None))


def _state_types(subject: Description, iris: Iterable[str]) -> None:
    for iri in dict.fromkeys(iris):
        if _may_be_claimed(iri):
            for each in (iri, *sorted(superclasses(iri))):
                subject.has("rdf:type", _node(each))


def _node(iri: str) -> ox.NamedNode | None:
    """None for what only looks like an IRI, such as one with a host that cannot be."""
    try:
        return ox.NamedNode(iri)
    except ValueError:
        return None


def _may_be_claimed(iri: str) -> bool:
    """Of classes that we know or keep to ourselves, only kinds of systems; others as they come."""
    if iri.startswith(_OURS):
        return _is_a(iri, _SENSOR) or _is_a(iri, _ACTUATOR)
    if iri in _declared():
        return any(_is_a(iri, expand(name)) for name in _CLAIMABLE)
    return not iri.startswith(_RESERVED)


@cache
def _declared() -> frozenset[str]:
    return frozenset(
        triple.subject.value
        for triple in ontology_triples()
        if isinstance(triple.subject, ox.NamedNode)
    )


def _is_a(iri: str, above: str) -> bool:
    return iri == above or above in superclasses(iri)


def _describe_affordance(
    device: Description, affordance: Affordance, thing: ThingDescription
) -> None:
    kind, relation, class_name = _AFFORDANCES[affordance.kind]
    key = _key(kind, affordance.name)
    place = device.part(key).a(class_name).has("td:name", affordance.name)
    device.is_to(relation, place.iri.value)
    _describe_label(place, affordance.label, thing.terms.language)
    if affordance.kind is AffordanceKind.PROPERTY:
        place.has("td:isObservable", affordance.observable)
    _describe_forms(place, affordance.forms, f"-{key}")
    _describe_quality(device, place, affordance, key, thing)


def _key(kind: str, name: str) -> str:
    """What the parts of an affordance are called; a long name once, not in every IRI."""
    if len(name) <= _KEY_LENGTH:
        return f"{kind}-{name}"
    return f"long-{kind}-{hashlib.sha256(name.encode()).hexdigest()}"


def _describe_quality(
    device: Description,
    place: Description,
    affordance: Affordance,
    key: str,
    thing: ThingDescription,
) -> None:
    """What the affordance is about, and who senses or changes that, if its types say so."""
    quality = device.part(f"quality-{key}")
    if affordance.operations & _SENSED:
        quality.a("sosa:ObservableProperty")
    if affordance.operations & _CHANGED:
        quality.a("sosa:ActuatableProperty")
    place.is_to("ssn:forProperty", quality.iri.value)
    device.is_to("ssn:hasProperty", quality.iri.value)
    iris = [iri for name in affordance.types if (iri := thing.terms.type_iri(name))]
    systems = [iri for iri in iris if _is_a(iri, _SENSOR) or _is_a(iri, _ACTUATOR)]
    _state_types(place, (iri for iri in iris if iri not in systems))
    if systems:
        system = device.part(f"system-{key}")
        _state_types(system, systems)
        _relate(system, systems, quality.iri.value)
        device.is_to("ssn:hasSubSystem", system.iri.value)


def _relate(system: Description, classes: Iterable[str], quality: str) -> None:
    for relation, above in (("sosa:observes", _SENSOR), ("sosa:actsOnProperty", _ACTUATOR)):
        if any(_is_a(iri, above) for iri in classes):
            system.is_to(relation, quality)


def _describe_part(device: Description, number: int, part: Part) -> None:
    system = device.part(f"system-{number}")
    _state_types(system, part.types)
    known = (observed_property(iri) for iri in part.types)
    for iri in dict.fromkeys([*part.observes, *(iri for iri in known if iri)]):
        if not iri.startswith(ID):
            system.has("sosa:observes", _node(iri))
    device.is_to("ssn:hasSubSystem", system.iri.value)


def _describe_forms(owner: Description, forms: Iterable[Form], suffix: str) -> None:
    for number, form in enumerate(forms, 1):
        place = _describe_form(owner, f"form-{number}{suffix}", form.href, form.operations)
        place.has("hctl:forContentType", form.content_type)
        place.has("hctl:forSubProtocol", form.subprotocol)


def _describe_form(
    owner: Description, name: str, target: str, operations: Iterable[str]
) -> Description:
    subject = owner.iri.value.partition("#")[0]
    place = Description(f"{subject}#{quote(name, safe='')}", owner.triples).a("hctl:Form")
    place.has("hctl:hasTarget", target)
    known = (_OPERATIONS[each] for each in operations if each in _OPERATIONS)
    place.is_to("hctl:hasOperationType", *known)
    owner.is_to("td:hasForm", place.iri.value)
    return place


def _describe_scheme(device: Description, name: str, scheme: str) -> None:
    place = device.part(f"security-{name}").a(_SCHEMES.get(scheme, "wotsec:SecurityScheme"))
    device.is_to("td:hasSecurityConfiguration", place.iri.value)
