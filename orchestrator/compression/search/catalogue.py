"""The tasks that can be searched, by name; none is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ontology.facts import Metric, SensorNeed

if TYPE_CHECKING:  # torch takes seconds to load: only a worker does, inside the job
    from orchestrator.compression.search.task import SearchTask


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What is known of a task without loading it.

    `title` is what models that solve it have as their task: of two of one title the first is meant
    where nobody names one. `measure` is what its networks are judged by; `place` is module:class,
    which may take the name of a network of the zoo.
    """

    name: str
    title: str
    data_source: str
    sensors: tuple[SensorNeed, ...] | None
    place: str
    network: str = ""
    measure: Metric = Metric.ACCURACY

    @property
    def sensor_rows(self) -> list[dict[str, Any]] | None:
        """The same as a registration says it."""
        if self.sensors is None:
            return None
        return [
            {"kind": each.kind, "rate_hz": each.rate_hz, "shape": list(each.shape or ()) or None}
            for each in self.sensors
        ]

    def load(self) -> SearchTask:
        """The task itself, with torch."""
        module, _, name = self.place.partition(":")
        arguments = [self.network] if self.network else []
        task: SearchTask = getattr(import_module(module), name)(*arguments)
        return task


def _of_zoo(
    name: str,
    title: str,
    data_source: str,
    sensors: tuple[SensorNeed, ...],
    measure: Metric = Metric.ACCURACY,
) -> TaskEntry:
    place = "orchestrator.compression.search.zoo_task:ZooTask"
    return TaskEntry(name, title, data_source, sensors, place, network=name, measure=measure)


_SPEECH = (
    "Free Spoken Digit Dataset (Z. Jackson et al.),"
    " https://github.com/Jakobovski/free-spoken-digit-dataset"
)
_MICROPHONE = (SensorNeed("microphone", 8000, None),)
_DIGITS = (
    "UCI, Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), in"
    " scikit-learn's package"
)
_SMALL_IMAGE = SensorNeed("camera", None, (8, 8, 1))
_OCCUPANCY = (
    "UCI data set 357, Occupancy Detection (L. Candanedo, 2016),"
    " https://archive.ics.uci.edu/dataset/357/occupancy+detection"
)
_ROOM = tuple(SensorNeed(kind, 1 / 60) for kind in ("temperature", "humidity", "light", "gas"))

_TASKS: dict[str, TaskEntry] = {
    entry.name: entry
    for entry in (
        TaskEntry(
            name="digits",
            title="handwritten digits, 8x8 grey images",
            data_source="scikit-learn handwritten digits (UCI optdigits, CC BY 4.0)",
            sensors=(_SMALL_IMAGE,),
            place="orchestrator.compression.search.digit_task:DigitTask",
        ),
        _of_zoo("sine", "the sine of an angle", "computed", (), Metric.R2),
        _of_zoo("digit-cnn", "handwritten digits, 8x8 grey images", _DIGITS, (_SMALL_IMAGE,)),
        _of_zoo("ds-cnn", "spoken digits as keywords, one second of sound", _SPEECH, _MICROPHONE),
        _of_zoo("tiny-transformer", "spoken digits, one second of sound", _SPEECH, _MICROPHONE),
        _of_zoo(
            "cct-2-3x2",
            "handwritten digits, 32x32 colour images",
            f"{_DIGITS}, enlarged and coloured",
            (SensorNeed("camera", None, (32, 32, 3)),),
        ),
        _of_zoo(
            "dft-gaze",
            "where an eye looks, 32x64 colour images",
            "drawn by the product",
            (SensorNeed("camera", None, (32, 64, 3)),),
            Metric.R2,
        ),
        _of_zoo(
            "gesture-cnn",
            "five gestures with a wand, a second of a six-axis IMU",
            "Magic Wand Data (nanguoyu), https://github.com/nanguoyu/Magic_Wand_Data",
            (SensorNeed("accelerometer", 119, (3,)), SensorNeed("gyroscope", 119, (3,))),
        ),
        _of_zoo(
            "presence-mlp",
            "presence in a room by temperature, humidity, light and carbon dioxide",
            _OCCUPANCY,
            _ROOM,
        ),
        _of_zoo(
            "anomaly-autoencoder",
            "somebody in a room that should be empty, by room sensors",
            _OCCUPANCY,
            _ROOM,
            Metric.AUC,
        ),
    )
}

TASKS: Mapping[str, TaskEntry] = _TASKS
"""By name, in the order in which a model's task is looked for."""


def add_tasks(places: Iterable[str]) -> None:
    """Take in tasks of others, each a TaskEntry at module:NAME; again the same one changes nothing.

    ValueError for a place where there is none, and for a name that another task has.
    """
    for place in places:
        entry = _found(place)
        if _TASKS.setdefault(entry.name, entry) is not entry:
            raise ValueError(f"{place}: there is another task {entry.name!r} already")


def _found(place: str) -> TaskEntry:
    module, _, name = place.partition(":")
    try:
        entry = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{place}: there is no task, which is module:NAME: {error}") from error
    if not isinstance(entry, TaskEntry):
        raise ValueError(f"{place} is no TaskEntry but {type(entry).__name__}")
    return entry
