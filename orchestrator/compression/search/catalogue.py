"""The tasks that can be searched, by name; none is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ontology.facts import SensorNeed

if TYPE_CHECKING:  # torch takes seconds to load: only a worker does, inside the job
    from orchestrator.compression.search.task import SearchTask


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What is known of a task without loading it.

    `title` is what models that solve it have as their task; `place` is module:class.
    """

    name: str
    title: str
    data_source: str
    sensors: tuple[SensorNeed, ...] | None
    place: str

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
        task: SearchTask = getattr(import_module(module), name)()
        return task


TASKS: Mapping[str, TaskEntry] = {
    entry.name: entry
    for entry in (
        TaskEntry(
            name="digits",
            title="handwritten digits, 8x8 grey images",
            data_source="scikit-learn handwritten digits (UCI optdigits, CC BY 4.0)",
            sensors=(SensorNeed("camera", None, (8, 8, 1)),),
            place="orchestrator.compression.search.digit_task:DigitTask",
        ),
    )
}
