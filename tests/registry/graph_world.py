"""A small inventory whose verdicts one can work out by hand."""

from dataclasses import dataclass
from hashlib import sha256

from registry.models import (
    Artifact,
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    Fleet,
    Measurement,
    OnboardSensor,
    RegisteredModel,
    Release,
    Runtime,
    Variant,
)

MICROPHONE = {"kind": "microphone", "max_rate_hz": 16000.0, "shape": [1]}


@dataclass
class World:
    """The rows that tests change and ask about."""

    nano: BoardType
    tiny: BoardType
    runtime: Runtime
    firmware: FirmwareBuild
    hearing: CapabilityProfile  # nano with firmware and a microphone
    bare: CapabilityProfile  # tiny without firmware
    fleet: Fleet
    kitchen: Device  # hearing
    hall: Device  # hearing
    shed: Device  # bare
    release: Release
    large: Variant
    small: Variant


def make_world() -> World:
    """Two boards, two profiles, three devices, one release of two variants."""
    nano, tiny = make_boards()
    runtime = Runtime.objects.create(
        name="tflite-micro",
        version="2024",
        kernels="cmsis_nn",
        operators={"CONV_2D": 5, "FULLY_CONNECTED": 4, "SOFTMAX": 2, "RESHAPE": 1},
        dtypes=["int8", "int32"],
        source="its source code",
    )
    firmware = FirmwareBuild.objects.create(
        board=nano,
        name="edge",
        version="1.0",
        runtime=runtime,
        arena_budget_bytes=60_000,
        slot_bytes=100_000,
        operators={"CONV_2D": 5, "SOFTMAX": 2},
        dtypes=["int8"],
        capacity_digest="c" * 64,
    )
    hearing = CapabilityProfile.objects.create(
        digest="a" * 64, board=nano, firmware=firmware, sensors=[MICROPHONE]
    )
    bare = CapabilityProfile.objects.create(digest="b" * 64, board=tiny, sensors=[])
    release, large, small = make_release(runtime)
    fleet = Fleet.objects.create(slug="house", name="The house")
    kitchen = Device.objects.create(
        device_id="kitchen", status="accepted", profile=hearing, installed=large
    )
    hall = Device.objects.create(device_id="hall", status="accepted", profile=hearing)
    shed = Device.objects.create(device_id="shed", status="accepted", profile=bare)
    kitchen.fleets.add(fleet)
    return World(
        nano, tiny, runtime, firmware, hearing, bare, fleet, kitchen, hall, shed, release, large,
        small,
    )  # fmt: skip


def make_boards() -> tuple[BoardType, BoardType]:
    """One board with a microphone, and one that is small."""
    nano = BoardType.objects.create(
        slug="nano", name="Nano", vendor="Arduino", mcu="nRF52840", core="cortex-m4f",
        clock_hz=64_000_000, ram_bytes=262_144, flash_bytes=1_048_576, source="data sheet",
    )  # fmt: skip
    OnboardSensor.objects.create(board=nano, kind="microphone", part="MP34DT05", max_rate_hz=16000)
    tiny = BoardType.objects.create(
        slug="tiny", name="Tiny", vendor="ST", mcu="STM32L0", core="cortex-m0plus",
        ram_bytes=20_000, flash_bytes=192_000, source="data sheet",
    )  # fmt: skip
    return nano, tiny


def make_release(runtime: Runtime) -> tuple[Release, Variant, Variant]:
    """A large variant that needs much of everything, and a small one that was pruned from it."""
    model = RegisteredModel.objects.create(name="words", task="keyword spotting")
    release = Release.objects.create(
        model=model, number=1, data_source="spoken digits", mlflow_run_id="run1"
    )
    large = make_variant(release, "large", 90_000, {"CONV_2D": 3, "SOFTMAX": 2})
    small = make_variant(release, "small", 10_000, {"CONV_2D": 3, "RESHAPE": 1}, parent=large)
    figures = ((large, 50_000.0, 0.97), (small, 8_000.0, 0.91))
    for variant, arena, accuracy in figures:
        Measurement.objects.create(
            variant=variant, runtime=runtime, metric="arena_bytes", value=arena, unit="B",
            status="derived", source="memory plan",
        )  # fmt: skip
        Measurement.objects.create(
            variant=variant, metric="accuracy", value=accuracy, unit="1",
            status="measured", source="held-out set",
        )  # fmt: skip
    return release, large, small


def make_variant(
    release: Release,
    name: str,
    size: int,
    operators: dict[str, int],
    parent: Variant | None = None,
) -> Variant:
    """A variant that hears at 16 kHz, in int8."""
    artifact = Artifact.objects.create(
        sha256=sha256(name.encode()).hexdigest(), size_bytes=size, file=name
    )
    return Variant.objects.create(
        release=release,
        name=name,
        artifact=artifact,
        parent=parent,
        technique="structured pruning" if parent else "",
        precision="int8",
        operators=operators,
        dtypes=["int8"],
        sensors=[{"kind": "microphone", "rate_hz": 16000.0, "shape": None}],
    )
