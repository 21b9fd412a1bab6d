"""Random inventories for property tests, absent facts included."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import strategies as st

from ontology.facts import Metric, Status
from registry.formats.tflite import MEDIA_TYPE
from registry.models import (
    Artifact,
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    Measurement,
    RegisteredModel,
    Release,
    Runtime,
    Variant,
)

few_bytes = st.none() | st.integers(0, 5)
operators = st.dictionaries(st.sampled_from(["CONV_2D", "SOFTMAX", "ATAN2"]), st.integers(1, 3))
dtypes = st.lists(st.sampled_from(["int8", "float32"]), unique=True)
rates = st.none() | st.sampled_from([1.0, 100.0, 16000.0])
shapes = st.none() | st.lists(st.integers(1, 12), max_size=4)
kinds = st.sampled_from(["microphone", "camera"])
sensors = st.none() | st.lists(
    st.fixed_dictionaries({"kind": kinds, "max_rate_hz": rates, "shape": shapes}), max_size=3
)
inputs = st.none() | st.lists(
    st.fixed_dictionaries({"kind": kinds, "rate_hz": rates, "shape": shapes}), max_size=2
)
runtimes = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["tflite-micro", "onnxruntime"]),
            "version": st.sampled_from(["", "1"]),
            "kernels": st.sampled_from(["reference", "cmsis_nn"]),
            "operators": operators,
            "dtypes": dtypes,
        }
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda row: (row["name"], row["version"], row["kernels"]),
)
firmware = st.fixed_dictionaries(
    {
        "arena_budget_bytes": few_bytes,
        "slot_bytes": few_bytes,
        "operators": st.none() | operators,
        "dtypes": st.none() | dtypes,
    }
)
variants = st.fixed_dictionaries(
    {
        "size": few_bytes,
        "media_type": st.sampled_from([MEDIA_TYPE, "application/x-unheard-of"]),
        "operators": st.none() | operators,
        "dtypes": st.none() | dtypes,
        "sensors": inputs,
        "runtimes": st.none() | st.lists(st.just("tflite-micro"), max_size=1),
    }
)
figures = st.lists(
    st.fixed_dictionaries(
        {
            "metric": st.sampled_from([Metric.ARENA_BYTES, Metric.FLASH_BYTES]),
            "value": st.integers(0, 5).map(float) | st.just(2.5),
            "status": st.sampled_from(Status),
            "board": st.none() | st.integers(0, 1),
            "runtime": st.none() | st.integers(0, 1),
        }
    ),
    max_size=3,
)
# A profile names one of two boards, and a firmware of it or none; None is a device without one.
profiles = st.none() | st.tuples(st.integers(0, 1), st.none() | firmware, sensors)
inventories = st.tuples(
    runtimes,
    st.lists(few_bytes, min_size=2, max_size=2),
    st.lists(profiles, min_size=1, max_size=3),
    st.lists(st.tuples(variants, figures), min_size=1, max_size=3),
)


def write_inventory(drawn: tuple) -> None:
    """The rows of one drawn inventory: one device a profile, all variants in one release."""
    runtimes_, memories, profiles_, variants_ = drawn
    runtime_rows = [Runtime.objects.create(**row) for row in runtimes_]
    boards = [_board(number, memory) for number, memory in enumerate(memories)]
    for number, said in enumerate(profiles_):
        profile = None if said is None else _profile(number, said, boards, runtime_rows)
        Device.objects.create(device_id=f"device-{number}", profile=profile)
    release = Release.objects.create(model=RegisteredModel.objects.create(name="words"), number=1)
    for number, (said, stated) in enumerate(variants_):
        _variant(release, number, said, stated, boards, runtime_rows)


def _board(number: int, memory: int | None) -> BoardType:
    return BoardType.objects.create(
        slug=f"board-{number}", name="B", core="c", ram_bytes=memory, flash_bytes=memory
    )


def _profile(
    number: int, said: tuple, boards: list[BoardType], rows: list[Runtime]
) -> CapabilityProfile:
    place, declared, sensors_ = said
    build = declared and _firmware(number, boards[place], rows, declared)
    return CapabilityProfile.objects.create(
        digest=f"{number:064x}", board=boards[place], firmware=build, sensors=sensors_
    )


def _firmware(number: int, board: BoardType, rows: list[Runtime], said: dict) -> FirmwareBuild:
    return FirmwareBuild.objects.create(
        board=board,
        name=f"build-{number}",
        version="1",
        runtime=rows[number % len(rows)],
        capacity_digest=f"{number:064x}",
        **said,
    )


def _variant(
    release: Release,
    number: int,
    said: dict,
    stated: list[dict],
    boards: list[BoardType],
    rows: list[Runtime],
) -> None:
    artifact = None
    if said["size"] is not None:
        artifact = Artifact.objects.create(
            sha256=sha256(bytes([number])).hexdigest(),
            size_bytes=said["size"],
            media_type=said["media_type"],
        )
    needs = {name: said[name] for name in ("operators", "dtypes", "sensors", "runtimes")}
    row = Variant.objects.create(
        release=release, name=f"v{number}", artifact=artifact, precision="int8", **needs
    )
    for figure in stated:
        board, runtime = figure["board"], figure["runtime"]
        at = {
            "board": None if board is None else boards[board],
            "runtime": None if runtime is None else rows[runtime % len(rows)],
        }
        Measurement.objects.create(variant=row, unit="B", source="drawn", **(figure | at))
