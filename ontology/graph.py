"""Facts as triples: what is needed, what is offered, what came of comparing them.

Each function adds to a Description that its caller has begun, so that the caller decides under
which IRI and in which graph the facts stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyoxigraph as ox

from ontology.describe import Description
from ontology.facts import Capacity, Constraint, Figure, Metric, Need, Sensor, Status
from ontology.matching.figures import best_figure, latency_was_measured
from ontology.matching.outcomes import FAILS, HOLDS, UNKNOWN
from ontology.matching.rules import RULES
from ontology.matching.table import MatchTable
from ontology.namespaces import expand, target_iri
from ontology.vocabulary import observed_property, sensor_class

_STATUS = {
    Status.MEASURED: "tf:Measured",
    Status.DERIVED: "tf:Derived",
    Status.PUBLISHED: "tf:Published",
}
_UNIT = {
    Metric.ARENA_BYTES: "unit:BYTE",
    Metric.FLASH_BYTES: "unit:BYTE",
    Metric.TRAINING_BYTES: "unit:BYTE",
    Metric.LATENCY_MS: "unit:MilliSEC",
    Metric.ENERGY_MJ: "unit:MilliJ",
    Metric.ACCURACY: "unit:UNITLESS",
    Metric.INSTRUCTIONS: "unit:NUM",
    Metric.MACS: "unit:NUM",
    Metric.PARAMETERS: "unit:NUM",
    Metric.TOP5_ACCURACY: "unit:UNITLESS",
    Metric.AUC: "unit:UNITLESS",
    Metric.SCORE: "unit:UNITLESS",
    Metric.ANGULAR_ERROR_DEG: "unit:DEG",
    Metric.PSNR_DB: "unit:DeciB",
    Metric.FRAME_RATE_HZ: "unit:HZ",
    Metric.TOKENS_PER_S: "unit:NUM-PER-SEC",
    Metric.FIRST_TOKEN_MS: "unit:MilliSEC",
    Metric.R2: "unit:UNITLESS",
}
_BYTES_PER_KILOBYTE = 1000  # om:kilobyte is the SI unit, 1000 B


def target_of(capacity: Capacity) -> str | None:
    """The IRI of the board and runtime by which a capacity's footprints are looked up."""
    runtime = capacity.runtime
    parts = () if runtime is None else (runtime.name, runtime.version, runtime.kernels)
    return None if capacity.board is None else target_iri(capacity.board, *parts)


def describe_capacity(profile: Description, capacity: Capacity) -> None:
    """What a profile offers, and which constraints it says all about."""
    profile.a("tf:CapabilityProfile").has("tf:assumed", capacity.assumed)
    profile.has("tf:arenaBudgetBytes", capacity.arena_budget_bytes)
    profile.has("tf:slotBytes", capacity.slot_bytes)
    profile.has("tf:acceptsDtype", *sorted(capacity.dtypes or ()))
    profile.is_to("tf:target", target_of(capacity))
    describe_memories(profile, capacity)
    if capacity.sensors is not None:
        profile.for_each("tf:hasSensor", describe_sensors(profile, capacity.sensors))
    _declare(
        profile,
        {
            Constraint.FLASH: capacity.slot_bytes,
            Constraint.RAM: capacity.arena_budget_bytes,
            Constraint.OPERATORS: capacity.operators,
            Constraint.DTYPES: capacity.dtypes,
            Constraint.SENSORS: capacity.sensors,
            Constraint.RUNTIME: capacity.runtime,
        },
    )


def describe_memories(profile: Description, capacity: Capacity) -> None:
    """The same memory as S3N and the TinyML schema say it: a microcontroller's capability in kB."""
    chip = profile.part("microcontroller").a("s3n:MicroController")
    chip.is_to("s3n:hasSystemCapability", profile.iri.value)
    for name, kind, size in (
        ("ram", "s3n_extend:RAM", capacity.arena_budget_bytes),
        ("flash", "s3n_extend:Flash", capacity.slot_bytes),
    ):
        if size is not None:
            memory = profile.part(name).a(kind).is_to("schema:unitCode", "om:kilobyte")
            memory.has("schema:value", size / _BYTES_PER_KILOBYTE)
            profile.is_to("ssn-system:hasSystemProperty", memory.iri.value)


def describe_sensors(owner: Description, sensors: Sequence[Sensor]) -> list[Description]:
    """Sensors as parts of their owner, each of its class, with what such sensors observe."""
    return [_sensor(owner, number, sensor) for number, sensor in enumerate(sensors, 1)]


def _sensor(owner: Description, number: int, sensor: Sensor) -> Description:
    kind = sensor_class(sensor.kind)
    part = sensor_part(owner, number).a(kind).is_to("sosa:observes", observed_property(kind))
    part.has("tf:sensorKind", sensor.kind).has("tf:maxRateHz", _double(sensor.max_rate_hz))
    return part.has("tf:shape", shape_text(sensor.shape))


def sensor_part(owner: Description, number: int) -> Description:
    """The place of an owner's sensor, counted from 1."""
    return owner.part(f"sensor-{number}")


def describe_operators(owner: Description, relation: str, operators: Mapping[str, int]) -> None:
    """The operators that something provides or needs, as parts of it."""
    for name, version in sorted(operators.items()):
        part = owner.part(f"operator-{name}").a("tf:OperatorVersion")
        part.has("tf:operatorName", name).has("tf:operatorVersion", version)
        owner.is_to(relation, part.iri.value)


def describe_need(variant: Description, need: Need) -> None:
    """What a variant needs wherever it runs; RAM, which depends on where, is `describe_arena`'s."""
    variant.has("tf:needsFlashBytes", need.flash_bytes)
    variant.has("tf:needsDtype", *sorted(need.dtypes or ()))
    variant.has("tf:runsOn", *sorted(need.runtimes or ()))
    describe_operators(variant, "tf:needsOperator", need.operators or {})
    for number, wanted in enumerate(need.sensors or (), 1):
        part = variant.part(f"input-{number}").a("tf:SensorNeed").has("tf:sensorKind", wanted.kind)
        part.has("tf:minRateHz", _double(wanted.rate_hz))
        part.has("tf:shape", shape_text(wanted.shape))
        variant.is_to("tf:needsSensor", part.iri.value)
    _declare(
        variant,
        {
            Constraint.FLASH: need.flash_bytes,
            Constraint.OPERATORS: need.operators,
            Constraint.DTYPES: need.dtypes,
            Constraint.SENSORS: need.sensors,
            Constraint.RUNTIME: need.runtimes,
        },
    )


def _declare(subject: Description, facts: Mapping[Constraint, object]) -> None:
    known = (constraint for constraint, fact in facts.items() if fact is not None)
    subject.is_to("tf:declares", *(f"tf:{constraint.value.capitalize()}" for constraint in known))


def describe_figure(variant: Description, number: int | str, figure: Figure) -> Description:
    """A Measurement as a part of its variant, in the terms of SOSA and QUDT."""
    part = variant.part(f"measurement-{number}").a("tf:Measurement")
    part.is_to("sosa:hasFeatureOfInterest", variant.iri.value)
    part.is_to("sosa:observedProperty", f"tf:metric-{figure.metric.value}")
    part.has("sosa:hasSimpleResult", _double(figure.value))
    part.is_to("qudt:hasUnit", _UNIT[figure.metric])
    part.is_to("tf:figureStatus", _STATUS[figure.status])
    return part.has("dcterms:source", figure.source)


def describe_arena(variant: Description, need: Need, capacities: Iterable[Capacity]) -> None:
    """The need for RAM on each target that there is: the very figures that `assess` believes."""
    for figure, targets in _believed(need, Metric.ARENA_BYTES, capacities):
        part = variant.part(f"arena-{need.figures.index(figure) + 1}").a("tf:ArenaNeed")
        part.has("tf:arenaBytes", math.ceil(figure.value))
        part.is_to("tf:figureStatus", _STATUS[figure.status]).is_to("tf:onTarget", *targets)
        variant.is_to("tf:needsArena", part.iri.value)


def describe_flash(variant: Description, need: Need, capacities: Iterable[Capacity]) -> None:
    """The need for flash by target, of a variant whose own size is not known."""
    if need.flash_bytes is not None:
        return
    for figure, targets in _believed(need, Metric.FLASH_BYTES, capacities):
        part = variant.part(f"flash-{need.figures.index(figure) + 1}").a("tf:FlashNeed")
        part.has("tf:sizeBytes", math.ceil(figure.value))
        part.is_to("tf:figureStatus", _STATUS[figure.status]).is_to("tf:onTarget", *targets)
        variant.is_to("tf:needsFlash", part.iri.value)


def describe_latency(variant: Description, need: Need, capacities: Iterable[Capacity]) -> None:
    """On which targets somebody has measured its latency, this installation or a publication."""
    seen = {
        target_of(capacity)
        for capacity in {(c.runtime, c.board): c for c in capacities}.values()
        if latency_was_measured(need, capacity)
    }
    variant.is_to("tf:latencyMeasuredOn", *sorted(target for target in seen if target))


def _believed(
    need: Need, metric: Metric, capacities: Iterable[Capacity]
) -> list[tuple[Figure, list[str]]]:
    """Each figure that is the best for some target, with these targets."""
    targets: dict[Figure, set[str]] = {}
    for capacity in {(c.runtime, c.board): c for c in capacities}.values():
        target = target_of(capacity)
        figure = best_figure(need.figures, metric, capacity.runtime, capacity.board)
        if figure is not None and target is not None:
            targets.setdefault(figure, set()).add(target)
    found = [(figure, sorted(holding)) for figure, holding in targets.items()]
    return sorted(found, key=lambda pair: pair[1])


_FITS = ox.NamedNode(expand("tf:fits"))
_UNKNOWN_FOR = ox.NamedNode(expand("tf:unknownFor"))
_FAILS = {c: ox.NamedNode(expand(f"tf:fails{c.value.capitalize()}")) for c in RULES}
_UNKNOWN = {c: ox.NamedNode(expand(f"tf:unknown{c.value.capitalize()}")) for c in RULES}
_SMALL_FOR = ox.NamedNode(expand("tf:smallFor"))

# Every edge from a variant to a profile, by IRI.
VERDICT_EDGES = [
    edge.value for edge in (_FITS, _UNKNOWN_FOR, *_FAILS.values(), *_UNKNOWN.values(), _SMALL_FOR)
]


def describe_verdicts(
    variant: Description,
    table: MatchTable,
    profiles: Sequence[str],
    *,
    row: int = 0,
    fits_only: bool = False,
) -> None:
    """One edge per fit, per unknown pair, and per constraint that fails or cannot be judged.

    The variant is the need in that row of the table; `profiles` are the IRIs of its columns.
    """
    edges = [(_FITS, table.fitting(row))]
    if not fits_only:
        edges.append((_UNKNOWN_FOR, np.flatnonzero(table.outcomes[row] == UNKNOWN)))
        for constraint, holds in table.holds.items():
            edges.append((_FAILS[constraint], np.flatnonzero(holds[row] == FAILS)))
            edges.append((_UNKNOWN[constraint], np.flatnonzero(holds[row] == UNKNOWN)))
    for edge, places in edges:
        variant.triples.extend(
            ox.Triple(variant.iri, edge, _profile(profiles[place])) for place in places.tolist()
        )


@lru_cache(maxsize=100_000)
def _profile(iri: str) -> ox.NamedNode:
    """The same term for every variant: to check an IRI takes longer than to state the edge."""
    return ox.NamedNode(iri)


def describe_extent(variant: Description, *, fits_only: bool) -> None:
    """Say which verdicts the graph keeps, so that an absent edge is not read as an answer."""
    variant.has("tf:verdictsKept", "fits" if fits_only else "all")


def describe_small(
    variant: Description, table: MatchTable, profiles: Sequence[str], *, row: int = 0
) -> None:
    """For which profiles a language model is small: those whose memory is known to hold it."""
    holding = (table.holds[Constraint.RAM][row] == HOLDS).nonzero()[0]
    variant.is_to("tf:smallFor", *(profiles[place] for place in holding))


def shape_text(shape: tuple[int, ...] | None) -> str | None:
    """A shape as text, '96x96x1'; the empty shape of a scalar is '1'."""
    return None if shape is None else "x".join(str(length) for length in shape or (1,))


def _double(value: float | None) -> float | None:
    return None if value is None else float(value)
