"""The SUIT draft's CDDL, applied layer by layer.

pycddl 0.6.4 knows neither groups in arrays nor group choices nor extension points, so it refuses
even the draft's own examples. This takes the draft's rules apart and gives pycddl one type at a
time: the envelope, the authentication, the manifest, each command's argument, each parameter.
"""

from __future__ import annotations

import re
from functools import lru_cache

import cbor2
import pycddl

# What the draft takes from RFC 9052.
COSE_SIGN1 = "#6.18([bstr, {* (int / tstr) => any}, bstr / nil, bstr])"
TYPES = ("SUIT_Digest", "SUIT_Rep_Policy", "SUIT_Components", "SUIT_Component_Identifier")
TYPES += ("RFC4122_UUID", "IndexArg", "cbor-pen", "suit-cose-hash-algs", "suit-reporting-bits")


class DraftSchema:
    """Raises pycddl.ValidationError where an envelope breaks the draft's CDDL."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[str, str, str]] = []
        for part in re.split(r"(?m)^(?=[$\w])", re.sub(r";.*", "", text)):
            if rule := re.match(r"(\S+)\s*(=|/=|//=)\s*(.+)", " ".join(part.split())):
                self._rules.append((rule[1], rule[2], without_extensions(rule[3])))
        self._numbers = {n: int(b) for n, _, b in self._rules if re.fullmatch(r"-?\d+", b)}
        commands = ("SUIT_Condition", "SUIT_Directive", "SUIT_Shared_Commands")
        self._commands = self._pairs(*commands) | self._pairs("SUIT_Command_Custom")
        self._parameters = self._pairs("$$SUIT_Parameters")

    def check(self, data: bytes) -> None:
        """One tagged envelope."""
        envelope = cbor2.loads(data)
        self._leaf("#6.107({+ any => any})", envelope)
        self._envelope(envelope.value)
        digest, *blocks = cbor2.loads(envelope.value[2])
        self._leaf("SUIT_Digest", cbor2.loads(digest))
        for block in blocks:
            self._leaf(COSE_SIGN1, cbor2.loads(block))
        self._manifest(cbor2.loads(envelope.value[3]))
        for label in {16, 20} & set(envelope.value):
            self._sequence(cbor2.loads(envelope.value[label]))

    def _envelope(self, members: dict) -> None:
        # pycddl takes "* tstr => bstr" for at least one such member, so those go one by one.
        named = {key: value for key, value in members.items() if isinstance(key, str)}
        rule = self._map("SUIT_Envelope").replace(", * tstr => bstr", "")
        self._leaf(rule, {key: value for key, value in members.items() if key not in named})
        for value in named.values():
            self._leaf("bstr", value)

    def _manifest(self, manifest: dict) -> None:
        self._leaf(self._map("SUIT_Manifest"), manifest)
        common = cbor2.loads(manifest[3])
        self._leaf(self._map("SUIT_Common"), common)
        self._sequence(cbor2.loads(common[4]))
        for label in {7, 8, 9, 16, 20} & set(manifest):
            if isinstance(manifest[label], bytes):
                self._sequence(cbor2.loads(manifest[label]))

    def _sequence(self, flat: list) -> None:
        self._leaf("[+ any]", flat)
        if len(flat) % 2:
            raise pycddl.ValidationError("a command without its argument")
        for code, argument in zip(flat[::2], flat[1::2], strict=True):
            self._command(code, argument)

    def _command(self, code: int, argument: object) -> None:
        kind = self._known(self._commands, code)
        if kind.startswith("{"):
            self._leaf("{+ int => any}", argument)
            for label, value in argument.items():
                self._nested(self._known(self._parameters, label), value)
        elif kind.startswith("SUIT_Directive_Try_Each"):
            branches = argument[:-1] if argument[-1:] == [None] else argument
            self._leaf("[bstr, + bstr]", branches)
            for inner in branches:
                self._sequence(cbor2.loads(inner))
        elif ".cbor" in kind:
            self._leaf("bstr", argument)
            self._sequence(cbor2.loads(argument))
        else:
            self._leaf(kind, argument)

    def _nested(self, kind: str, value: object) -> None:
        # pycddl checks a list's members against a type that is no list.
        if isinstance(value, list):
            raise pycddl.ValidationError("no parameter is a list")
        outer, _, inner = kind.partition(" .cbor ")
        self._leaf(outer, value)
        if inner:
            self._leaf(inner, cbor2.loads(value))

    def _known(self, kinds: dict[object, str], number: int) -> str:
        key = "nint" if number < 0 else number
        if key not in kinds:
            raise pycddl.ValidationError(f"the draft knows no {number} here")
        return kinds[key]

    def _pairs(self, *names: str) -> dict[object, str]:
        """Number (or nint) to type, of the rules that are (name, type) or (name => type)."""
        bodies = [body for name, _, body in self._rules if name in names and body.startswith("(")]
        found = [re.fullmatch(r"\(([\w-]+) ?(?:,|=>) ?(.*)\)", body) for body in bodies]
        assert all(found), bodies
        return {self._numbers.get(pair[1], "nint"): pair[2] for pair in found}

    def _map(self, name: str) -> str:
        """A map's rule with its groups in place, names as numbers and nested CBOR as a bstr."""
        bodies = {rule: body for rule, _, body in self._rules}
        body = bodies[name]
        while group := re.search(r"\b(SUIT_\w+)(?=,| ?[})])(?<!cbor )", self._opaque(body, bodies)):
            inner = bodies[group[1]].strip("() ").rstrip(",")
            body = re.sub(rf"\b{group[1]}\b", inner, body)
        body = re.sub(r"bstr \.cbor \w+", "bstr", body)
        body = body.replace("suit-integrated-payload-key", "tstr")
        return re.sub(r"(suit-[\w-]+) ?=>", lambda m: f"{self._numbers[m[1]]} =>", body)

    @staticmethod
    def _opaque(body: str, bodies: dict[str, str]) -> str:
        """The body without the types that are no groups to put in place."""
        body = re.sub(r"\.cbor \w+", "", body)
        return re.sub(
            r"\bSUIT_\w+", lambda m: m[0] if bodies[m[0]].startswith("(") else "type", body
        )

    def _leaf(self, kind: str, value: object) -> None:
        rules = [" ".join(rule) for rule in self._rules if rule[0] in TYPES]
        numbers = [f"{name} = {value}" for name, value in self._numbers.items()]
        schema("\n".join([f"start = {kind}", *rules, *numbers])).validate_cbor(cbor2.dumps(value))


def without_extensions(body: str) -> str:
    """Extension points that nobody has filled add nothing."""
    return re.sub(r",? ?\* \$\$[\w-]+,?", "", body)


@lru_cache(maxsize=200)
def schema(text: str) -> pycddl.Schema:
    """Parsing costs more than checking."""
    return pycddl.Schema(text)
