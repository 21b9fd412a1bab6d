"""RDF documents from strangers: read within bounds, or refused with a sentence."""

from __future__ import annotations

import pytest

from ontology.descriptions import DocumentLimits, DocumentParser, DocumentRefused

LIMITS = DocumentLimits(
    document_bytes=2_000_000,
    triples=1_000,
    term_bytes=1_000,
    memory_bytes=100_000_000,
    time_s=10,
)
RDF_XML = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
    '<rdf:Description rdf:about="http://e/x"><e:p>{}</e:p></rdf:Description></rdf:RDF>'
)
REMOTE = "https://www.w3.org/2022/wot/td/v1.1"


def read(name: str, text: str | bytes, limits: DocumentLimits = LIMITS) -> set[str]:
    data = text.encode() if isinstance(text, str) else text
    with DocumentParser(limits) as parser:
        return {str(triple) for triple in parser.triples(name, data)}


def entities(levels: int) -> str:
    """Each entity is ten of the one before: the last stands for 10**levels characters."""
    rows = ['<!ENTITY e0 "a">']
    rows += [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels + 1)]
    return f"<!DOCTYPE rdf:RDF [{''.join(rows)}]>" + RDF_XML.format(f"&e{levels};")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ttl", "@prefix e: <http://e/> . e:x e:p 'v' ."),
        ("a.nt", "<http://e/x> <http://e/p> 'v' .".replace("'", '"')),
        ("a.nq", '<http://e/x> <http://e/p> "v" <http://e/g> .'),
        ("a.trig", "@prefix e: <http://e/> . e:g { e:x e:p 'v' }"),
        ("a.rdf", RDF_XML.format("v")),
        ("a.OWL", "\ufeff" + RDF_XML.format("v")),
        ("a.jsonld", '{"@context": {"p": "http://e/p"}, "@id": "http://e/x", "p": "v"}'),
        ("a.xml", entities(0).replace('"a"', '"v"')),
        ("a.owl", '<!DOCTYPE r [<!ENTITY e "">]>' + RDF_XML.format("&e;v")),
    ],
)
def test_each_format_says_the_same(name, text):
    assert read(name, text) == {'<http://e/x> <http://e/p> "v"'}


HOSTILE = [
    ("bomb.rdf", entities(9), "its entity e4 stands for more than 1,000 bytes, which no literal"),
    ("bomb.rdf", entities(9).replace('"', "'"), "its entity e4 stands for more than 1,000 bytes"),
    (
        "square.rdf",
        f'<!DOCTYPE r [<!ENTITY e "{"a" * 999}">]>{RDF_XML.format("&e;" * 600_000)}',
        "MB of memory allowed; it declares entities",
    ),
    (
        "outside.rdf",
        f'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>{RDF_XML}',
        "none is ever fetched",
    ),
    ("literals.ttl", f'<http://e/x> <http://e/p> "{"a" * 1_001}" .', "more than 1,000 bytes"),
    ("wide.ttl", f'<http://e/x> <http://e/p> "{"é" * 501}" .', "more than 1,000 bytes"),
    ("large.ttl", "#" * 2_000_001, "2,000,001 bytes, more than the 2,000,000 allowed"),
    ("flood.ttl", "[] <http://e/p> [] ." * 1_001, "more than 1,000 triples"),
    ("list.ttl", f"<http://e/x> <http://e/p> ({'[] ' * 1_000}) .", "more than 1,000 triples"),
    ("deep.ttl", "<http://e/x> <http://e/p> " + "<<( <http://e/x> <http://e/p> " * 50_000, "line"),
    (
        "deep.ttl",
        "<http://e/x> <http://e/p> "
        + "<<( <http://e/x> <http://e/p> " * 50_000
        + "1"
        + " )>>" * 50_000
        + " .",
        "nested very deeply|triple within a triple",
    ),
    ("two.ttl", "<http://e/x> <http://e/p> <<( <http://e/x> <http://e/p> 1 )>> .", "within a"),
    ("remote.jsonld", f'{{"@context": "{REMOTE}", "title": "x"}}', "none is ever fetched"),
    ("import.jsonld", '{"@context": {"@import": "http://e/c"}, "p": 1}', "none is ever fetched"),
    ("cut.ttl", "@prefix e: <http://e/> .\ne:x e:p [ e:q", "line 2"),
    ("cut.rdf", RDF_XML.format("v")[:-20], "(?i)line|end|closed"),
    ("cut.jsonld", '{"@id": "http://e/x", "http://e/p": [1, 2', "line 1"),
    ("latin.ttl", '<http://e/x> <http://e/p> "é" .'.encode("latin-1"), "byte 27 is not UTF-8"),
    ("wide.ttl", '<http://e/x> <http://e/p> "v" .'.encode("utf-16"), "not UTF-8"),
    ("nothing.jsonld", "", "line 1"),
    ("page.html", "<p>", "its name says nothing of its format; known are .ttl"),
]


@pytest.mark.parametrize(("name", "text", "reason"), HOSTILE)
def test_hostile_documents_are_refused_with_a_sentence(name, text, reason):
    with pytest.raises(DocumentRefused, match=reason) as refused:
        read(name, text)
    assert str(refused.value).startswith(f"{name}: ")
    assert len(str(refused.value)) < 600


def test_a_document_that_takes_too_long_is_given_up():
    nested = '{"@context":{"p":"http://e/p"},"@id":"http://e/x","p":' * 20_000
    limits = DocumentLimits(2_000_000, 1_000_000, 1_000, 500_000_000, time_s=0.3)
    with pytest.raises(DocumentRefused, match=r"takes more than 0\.3 s|nested"):
        read("slow.jsonld", nested + "1" + "}" * 20_000, limits)


def test_blank_nodes_of_two_documents_stay_apart():
    with DocumentParser(LIMITS) as parser:
        one, other = (
            list(parser.triples(name, b"_:a <http://e/p> _:a .")) for name in ("a.nt", "b.nt")
        )
    assert one[0].subject != other[0].subject
