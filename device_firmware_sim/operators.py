"""The operators of a .tflite file with the versions that it needs of them, from the file itself."""

from __future__ import annotations

from collections.abc import Mapping

import tflite

from orchestrator.protocol.operators import to_name


def operator_versions(data: bytes) -> dict[str, int]:
    """Name to highest version, of a file that an interpreter has loaded, so verified."""
    model = tflite.Model.GetRootAs(data, 0)
    found: dict[str, int] = {}
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        # Files from before codes above 127 have it in the deprecated byte alone.
        name = to_name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        found[name] = max(found.get(name, 1), code.Version())
    return found


def not_linked(needed: Mapping[str, int], linked: Mapping[str, int]) -> list[str]:
    """What a build lacks of these operators, in words."""
    return [
        f"{name} version {version}" + (f" ({linked[name]} is linked)" if name in linked else "")
        for name, version in sorted(needed.items())
        if linked.get(name, 0) < version
    ]
