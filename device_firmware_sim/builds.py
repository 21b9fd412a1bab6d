"""Firmware builds of real boards: what one image declares that its device can do.

RAM and flash of the boards are the makers' figures. What a build leaves of them for models is a
decision of the build: the arena stands beside stack, network and drivers, the two slots beside the
code. Both are stated here in bytes and announced in the Thing Description, exact and fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

KIB = 1024
FIRMWARE_NAME = "tinyfleet-sim"
FIRMWARE_VERSION = "1.0.0"
RUNTIME_NAME = "tflite-micro"
RUNTIME_VERSION = "2024"

# Highest versions in the operator registry of LiteRT's 2024 schema (core/kernels/register.cc).
BASIC_OPERATORS: Mapping[str, int] = {
    "ADD": 5,
    "AVERAGE_POOL_2D": 3,
    "CONV_2D": 7,
    "DEPTHWISE_CONV_2D": 7,
    "DEQUANTIZE": 5,
    "FULLY_CONNECTED": 10,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MUL": 7,
    "PAD": 4,
    "QUANTIZE": 3,
    "RESHAPE": 1,
    "SOFTMAX": 3,
    "TRANSPOSE": 6,
}
"""What a small build links: the int8 basics of a convolutional classifier."""

FULL_OPERATORS: Mapping[str, int] = {
    **BASIC_OPERATORS,
    "CONCATENATION": 4,
    "EXPAND_DIMS": 1,
    "HARD_SWISH": 1,
    "LEAKY_RELU": 2,
    "LOGISTIC": 3,
    "MAXIMUM": 4,
    "MINIMUM": 4,
    "PACK": 4,
    "PADV2": 4,
    "RELU": 3,
    "RELU6": 3,
    "SHAPE": 1,
    "SLICE": 6,
    "SPLIT": 4,
    "SQUEEZE": 2,
    "STRIDED_SLICE": 8,
    "SUB": 5,
    "SUM": 2,
    "SVDF": 4,
    "TANH": 3,
}
"""What a build with flash to spare links besides."""


@dataclass(frozen=True, slots=True)
class SensorPart:
    """A sensor of the build: its kind, its highest rate in hertz, the shape of one sample."""

    kind: str
    max_rate_hz: float
    shape: tuple[int, ...]


CAMERA = SensorPart("camera", 10, (8, 8, 1))
"""The plug-in camera module of the digit stream: 8 x 8 pixels, one channel."""

MICROPHONE = SensorPart("microphone", 16000, (1,))
ACCELEROMETER = SensorPart("accelerometer", 100, (3,))


@dataclass(frozen=True, slots=True)
class Build:
    """One firmware image for one board.

    `receive_buffer_bytes` bounds the largest MQTT message that the device can take, and with it the
    block size; `record_bytes` is one flash page of a record (boot record, adapted layer);
    `ring_packs` is how much telemetry the device keeps until it is acknowledged.
    """

    board: str
    title: str
    kernels: str
    arena_budget_bytes: int
    slot_bytes: int
    operators: Mapping[str, int]
    receive_buffer_bytes: int
    record_bytes: int
    ring_packs: int
    speaks_cbor: bool
    sensors: tuple[SensorPart, ...] = (CAMERA,)
    dtypes: tuple[str, ...] = ("int8", "int32")

    def sensor(self, kind: str) -> SensorPart | None:
        """The build's sensor of that kind, if it has one."""
        return next((part for part in self.sensors if part.kind == kind), None)

    def without(self, kind: str) -> Build:
        """The same image on a unit to which no such sensor was fitted."""
        return replace(self, sensors=tuple(p for p in self.sensors if p.kind != kind))


def _small(
    board: str, title: str, arena: int, slot: int, *parts: SensorPart, buffer: int = 1536
) -> Build:
    """A part with 16 to 32 kB of RAM: Cortex-M0, M0+ or M3, reference kernels, CBOR."""
    return Build(
        board=board,
        title=title,
        kernels="reference",
        arena_budget_bytes=arena,
        slot_bytes=slot,
        operators=BASIC_OPERATORS,
        receive_buffer_bytes=buffer,
        record_bytes=4 * KIB,
        ring_packs=32,
        speaks_cbor=True,
        sensors=(CAMERA, *parts),
    )


def _large(
    board: str, title: str, kernels: str, arena: int, slot: int, *parts: SensorPart, buffer: int
) -> Build:
    """A part with 96 kB of RAM or more: optimised kernels where the core has them, JSON."""
    return Build(
        board=board,
        title=title,
        kernels=kernels,
        arena_budget_bytes=arena,
        slot_bytes=slot,
        operators=FULL_OPERATORS,
        receive_buffer_bytes=buffer,
        record_bytes=16 * KIB,
        ring_packs=256,
        speaks_cbor=False,
        sensors=(CAMERA, *parts),
    )


_ALL = (
    _small("nucleo-l073rz", "ST Nucleo L073RZ", 6 * KIB, 24 * KIB),
    _small("disco-l072cz-lrwan1", "ST DISCO-L072CZ-LRWAN1", 5632, 16 * KIB),
    _small("nucleo-f103rb", "ST Nucleo F103RB", 6 * KIB, 12 * KIB),
    _small("bluepill-f103c8", "BluePill F103C8", 5632, 8 * KIB),
    _small("nrf51-dk", "Nordic nRF51-DK", 8 * KIB, 24 * KIB, buffer=2 * KIB),
    # 16 kB of RAM less 8 kB of radio stack, less stack and drivers.
    _small("bbc-microbit-v1", "BBC micro:bit v1", 768, 4 * KIB, ACCELEROMETER, buffer=1280),
    _small(
        "arduino-nano-33-iot",
        "Arduino Nano 33 IoT",
        10 * KIB,
        32 * KIB,
        ACCELEROMETER,
        buffer=5 * KIB,
    ),
    replace(
        _large(
            "nucleo-f401re", "ST Nucleo F401RE", "cmsis_nn", 32 * KIB, 128 * KIB, buffer=16 * KIB
        ),
        operators=BASIC_OPERATORS,
    ),
    _large(
        "arduino-nano-33-ble-sense",
        "Arduino Nano 33 BLE Sense",
        "cmsis_nn",
        96 * KIB,
        128 * KIB,
        MICROPHONE,
        ACCELEROMETER,
        buffer=32 * KIB,
    ),
    _large(
        "raspberry-pi-pico",
        "Raspberry Pi Pico",
        "reference",
        112 * KIB,
        256 * KIB,
        buffer=32 * KIB,
    ),
    _large(
        "esp32dev", "Espressif ESP32 Dev Module", "reference", 96 * KIB, 192 * KIB, buffer=24 * KIB
    ),
    _large(
        "esp32-s3-devkitc-1",
        "Espressif ESP32-S3-DevKitC-1",
        "reference",
        128 * KIB,
        256 * KIB,
        buffer=32 * KIB,
    ),
    _large(
        "seeed-xiao-esp32c3",
        "Seeed Studio XIAO ESP32C3",
        "reference",
        96 * KIB,
        192 * KIB,
        buffer=24 * KIB,
    ),
    _large(
        "disco-f746ng",
        "ST 32F746GDISCOVERY",
        "cmsis_nn",
        128 * KIB,
        192 * KIB,
        MICROPHONE,
        buffer=48 * KIB,
    ),
    _large(
        "nucleo-h743zi",
        "ST Nucleo H743ZI",
        "cmsis_nn",
        256 * KIB,
        256 * KIB,
        buffer=132 * KIB,
    ),
)

BUILDS: Mapping[str, Build] = {build.board: build for build in _ALL}
"""Every build by its board's slug."""
