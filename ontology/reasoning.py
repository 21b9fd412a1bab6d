"""Does the ontology hold together? HermiT says; it needs Java, and nothing else here does.

Only classes and properties are reasoned over: HermiT takes seconds at fifty individuals and minutes
at thousands, and the inventory's individuals are checked by shapes instead (ontology.validation).
"""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from ontology.namespaces import expand
from ontology.vocabulary import ONTOLOGY_FILE


class ReasonerMissing(Exception):
    """There is no Java on the path, so HermiT cannot run."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """HermiT's answer: whether a model exists, and the classes that can have no member."""

    consistent: bool
    unsatisfiable: tuple[str, ...] = ()


def java_path() -> str | None:
    """The Java that HermiT would run on, or None."""
    return shutil.which("java")


def check_consistency(ontology: Path = ONTOLOGY_FILE, extra_turtle: str = "") -> Consistency:
    """Classify the ontology, with further axioms if given, in a world of its own.

    Raises ReasonerMissing without Java. `extra_turtle` must declare its own prefixes.
    """
    if java_path() is None:
        raise ReasonerMissing("HermiT needs Java: install a JRE, e.g. apt install default-jre")
    import owlready2

    world = owlready2.World()
    loaded = world.get_ontology("https://w3id.org/tinyfleet/check")
    loaded.load(fileobj=io.BytesIO(_as_ntriples(ontology, extra_turtle)), format="ntriples")
    try:
        with loaded:
            owlready2.sync_reasoner_hermit(world, debug=0)
    except owlready2.OwlReadyInconsistentOntologyError:
        return Consistency(consistent=False)
    empty = {each.iri for each in world.inconsistent_classes()} - {expand("owl:Nothing")}
    return Consistency(True, tuple(sorted(empty)))


def _as_ntriples(ontology: Path, extra_turtle: str) -> bytes:
    """owlready2 reads N-Triples, not Turtle; literals stay as they are written."""
    turtle = ox.RdfFormat.TURTLE
    quads = [
        *ox.parse(path=ontology, format=turtle),
        *ox.parse(extra_turtle, format=turtle, rename_blank_nodes=True),
    ]
    triples = dict.fromkeys(quad.triple for quad in quads)
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""
