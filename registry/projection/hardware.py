"""Boards, runtimes, firmware, profiles, devices and fleets as triples."""

from __future__ import annotations

from functools import lru_cache

import pyoxigraph as ox

from ontology.describe import Description, link
from ontology.graph import describe_capacity, describe_operators, sensor_part, shape_text
from ontology.vocabulary import observed_property, sensor_class
from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    Fleet,
    OnboardSensor,
    Runtime,
)
from registry.projection.facts import BareBoard, capacity_of
from registry.projection.keys import UNDESCRIBED_IRI, iri_of, iri_or_none
from registry.projection.techniques import describe_traits
from registry.projection.things import describe_offers, describe_thing


def describe_board(board: BoardType) -> Description:
    """A kind of hardware with its core, memories and sensors."""
    subject = Description(iri_of(board)).a("tf:BoardType")
    subject.has("rdfs:label", board.name).has("dcterms:identifier", board.slug)
    subject.has("tf:vendor", board.vendor).has("tf:mcu", board.mcu)
    subject.has("tf:ramBytes", board.ram_bytes).has("tf:flashBytes", board.flash_bytes)
    subject.has("schema:url", board.url).has("dcterms:source", board.source)
    core = subject.part("core").a("tf:ProcessorCore").has("tf:coreName", board.core)
    subject.is_to("tf:core", core.has("tf:clockHz", board.clock_hz).iri.value)
    for number, sensor in enumerate(board.onboard_sensors.all(), 1):
        _describe_onboard(subject, number, sensor)
    return subject


def _describe_onboard(board: Description, number: int, sensor: OnboardSensor) -> None:
    part = sensor_part(board, number).a("tf:OnboardSensor").has("tf:sensorKind", sensor.kind)
    part.has("tf:part", sensor.part).has("tf:observesText", sensor.observes)
    part.has("tf:maxRateHz", sensor.max_rate_hz)
    part.has("tf:shape", None if sensor.shape is None else shape_text(tuple(sensor.shape)))
    part.has("tf:powerMilliwatts", sensor.power_mw).has("dcterms:source", sensor.source)
    part.is_to("ssn:forProperty", observed_property(sensor_class(sensor.kind)))
    if sensor.least is not None:
        measures = board.part(f"sensor-{number}-range").a("ssn-system:MeasurementRange")
        measures.has("schema:minValue", sensor.least).has("schema:maxValue", sensor.greatest)
        part.is_to("tf:range", measures.has("schema:unitText", sensor.unit).iri.value)
    if sensor.current_ma is not None:
        _describe_supply(board, number, sensor)
    board.is_to("tf:onboardSensor", part.iri.value)


def _describe_supply(board: Description, number: int, sensor: OnboardSensor) -> None:
    """What a part draws is a property of how it is operated (SSN, section System Capabilities)."""
    operation = board.part(f"sensor-{number}-operation").a("ssn-system:OperatingRange")
    operation.has("schema:description", sensor.conditions)
    supply = board.part(f"sensor-{number}-supply").a("ssn-system:OperatingPowerRange")
    supply.has("schema:value", sensor.current_ma).has("schema:unitText", "mA")
    operation.is_to("ssn-system:hasOperatingProperty", supply.iri.value)
    sensor_part(board, number).is_to("ssn-system:hasOperatingRange", operation.iri.value)


def describe_runtime(runtime: Runtime) -> Description:
    """An interpreter with what it registers."""
    subject = Description(iri_of(runtime)).a("tf:Runtime").has("rdfs:label", str(runtime))
    subject.has("schema:name", runtime.name).has("schema:softwareVersion", runtime.version)
    subject.has("tf:kernels", runtime.kernels).has("dcterms:source", runtime.source)
    subject.has("tf:acceptsDtype", *sorted(runtime.dtypes))
    describe_operators(subject, "tf:providesOperator", runtime.operators)
    return subject


def describe_firmware(firmware: FirmwareBuild) -> Description:
    """A firmware build with what it declares; what it leaves to its runtime is said there."""
    subject = Description(iri_of(firmware)).a("tf:FirmwareBuild")
    subject.has("rdfs:label", f"{firmware.name} {firmware.version}".strip())
    subject.has("schema:name", firmware.name).has("schema:softwareVersion", firmware.version)
    subject.is_to("tf:board", iri_of(firmware.board))
    subject.is_to("tf:runtime", iri_or_none(firmware.runtime))
    subject.has("tf:arenaBudgetBytes", firmware.arena_budget_bytes)
    subject.has("tf:slotBytes", firmware.slot_bytes)
    subject.has("tf:acceptsDtype", *sorted(firmware.dtypes or ()))
    describe_operators(subject, "tf:providesOperator", firmware.operators or {})
    return subject


def describe_profile(profile: CapabilityProfile, bare: BareBoard) -> Description:
    """What equal devices can do; the capacity is the one that matching uses."""
    label = f"{profile.board.slug} {profile.digest[:8]}"
    subject = Description(iri_of(profile)).has("rdfs:label", label)
    describe_capacity(subject, capacity_of(profile, bare))
    firmware = profile.firmware
    runtime = firmware.runtime if firmware else bare.runtime
    subject.is_to("tf:board", iri_of(profile.board))
    subject.is_to("tf:firmware", iri_or_none(firmware))
    subject.is_to("tf:runtime", iri_or_none(runtime))
    links_operators = firmware is not None and firmware.operators is not None
    return subject.is_to("tf:operatorsFrom", iri_or_none(firmware if links_operators else runtime))


def describe_device(device: Device) -> Description:
    """One unit. Its microcontroller and sensors are its profile's: equal devices share them."""
    subject = Description(iri_of(device)).a("tf:Device").has("rdfs:label", device.device_id)
    subject.has("dcterms:identifier", device.device_id)
    if not device.td:  # else it describes itself
        subject.has("td:description", device.description)
        describe_offers(subject, device.affordances)
    subject.has("schema:sameAs", link(device.iri))
    subject.has("tf:enrolmentStatus", device.status)
    subject.is_to("tf:memberOf", *(iri_of(fleet) for fleet in device.fleets.all()))
    subject.is_to("tf:installed", iri_or_none(device.installed))
    subject.has("tf:installedAt", device.installed_at if device.installed else None)
    describe_traits(subject, device.traits)
    if device.profile is None:
        subject.is_to("tf:profile", UNDESCRIBED_IRI)
    else:
        _describe_ability(subject, device.profile)
    registration = getattr(device, "registration", None)
    describe_thing(subject, device.td, registration.thing_id if registration else None)
    return subject


def _describe_ability(device: Description, profile: CapabilityProfile) -> None:
    sensors = len(profile.sensors or ())
    shared, *parts = _shared_parts(iri_of(profile), sensors)
    device.has("tf:profile", shared).has("ssn:hasSubSystem", *parts)
    if sensors:
        device.a("tf:SensingDevice")


@lru_cache(maxsize=10_000)
def _shared_parts(profile: str, sensors: int) -> tuple[ox.NamedNode, ...]:
    """A profile, its microcontroller and its sensors: the same terms for thousands of devices."""
    shared = Description(profile)
    parts = [shared.part("microcontroller")]
    parts += [sensor_part(shared, number) for number in range(1, sensors + 1)]
    return (shared.iri, *(part.iri for part in parts))


def describe_fleet(fleet: Fleet) -> Description:
    """A named selection; its members say that they belong to it."""
    subject = Description(iri_of(fleet)).a("tf:Fleet").has("rdfs:label", fleet.name)
    return subject.has("dcterms:description", fleet.description)
