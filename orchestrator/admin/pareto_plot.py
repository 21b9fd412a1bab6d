"""Scores against flash, RAM and latency as one drawing; colours are those of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator.policy.pareto import Point

_WIDTH, _HEIGHT = 300, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 18, 38


@dataclass(frozen=True, slots=True)
class _Axis:
    """A cost on a logarithmic axis."""

    title: str
    cost: Callable[[Point], float | None]


_AXES = (
    _Axis("flash, B", lambda point: point.flash_bytes),
    _Axis("RAM, B", lambda point: point.ram_bytes),
    _Axis("latency, ms on a Cortex-M4 at 64 MHz", lambda point: point.latency_ms),
)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A range of figures on a stretch of pixels."""

    least: float
    most: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Scale:
        """With a little room on both sides, also where all values are equal."""
        least, most = min(values), max(values)
        room = 0.06 * (most - least) or 0.5
        return cls(least - room, most + room, start, end)

    def __call__(self, value: float) -> float:
        share = (value - self.least) / (self.most - self.least)
        return round(self.start + share * (self.end - self.start), 1)


def pareto_plot(points: Sequence[Point], released: Collection[str], measure: str) -> SafeString:
    """An SVG with a panel for each cost; what is released is filled and bears its name.

    `measure` is what the scores are, in words.
    A candidate whose cost is not known has no place in that cost's panel. Empty without points.
    """
    if not points:
        return SafeString("")
    panels = [
        format_html('<g transform="translate({},0)">{}</g>', place * _WIDTH, panel)
        for place, panel in enumerate(_panel(axis, points, released) for axis in _AXES)
    ]
    return format_html(
        '<svg role="img" aria-label="{} against flash, RAM and latency"'
        ' viewBox="0 0 {} {}" width="100%" font-size="10" fill="currentColor">'
        '<text x="2" y="9">{}</text>{}</svg>',
        measure,
        _WIDTH * len(_AXES),
        _HEIGHT,
        measure,
        SafeString("".join(panels)),
    )


def _panel(axis: _Axis, points: Sequence[Point], released: Collection[str]) -> SafeString:
    known = [(cost, point) for point in points if (cost := axis.cost(point))]
    frame = _frame(axis.title)
    if not known:
        return frame
    across = _Scale.over([math.log10(cost) for cost, _ in known], _LEFT, _WIDTH - _RIGHT)
    up = _Scale.over([point.score for point in points], _HEIGHT - _BOTTOM, _TOP)
    dots = format_html_join(
        "", "{}", ((_dot(across(math.log10(cost)), up, p, released),) for cost, p in known)
    )
    return format_html(
        "{}{}{}{}{}",
        frame,
        _ticks_across([cost for cost, _ in known], across),
        _ticks_up([point.score for point in points], up),
        _steps(known, across, up),
        dots,
    )


def _frame(title: str) -> SafeString:
    return format_html(
        '<path d="M{} {}V{}H{}" fill="none" stroke="currentColor" stroke-opacity=".4"/>'
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        *(_LEFT, _TOP, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT),
        *((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, title),
    )


def _dot(x: float, up: _Scale, point: Point, released: Collection[str]) -> SafeString:
    y = up(point.score)
    is_released = point.name in released
    label = format_html('<text x="{}" y="{}" font-size="8">{}</text>', x + 5, y + 9, point.name)
    return format_html(
        '<circle cx="{}" cy="{}" r="4" fill-opacity="{}" stroke="currentColor">'
        "<title>{}: {}</title></circle>{}",
        *(x, y, ".9" if is_released else "0", point.name, f"{point.score:.4f}"),
        label if is_released else "",
    )


def _steps(known: Sequence[tuple[float, Point]], across: _Scale, up: _Scale) -> SafeString:
    """The most accurate for at most so much of this cost."""
    path, best = "", -math.inf
    for cost, point in sorted(known, key=lambda pair: (pair[0], -pair[1].score)):
        if point.score > best:
            x, y = across(math.log10(cost)), up(point.score)
            path += f"H{x}V{y}" if path else f"M{x} {y}"
            best = point.score
    return format_html(
        '<path d="{}H{}" fill="none" stroke="currentColor" stroke-opacity=".5"'
        ' stroke-dasharray="3 3"/>',
        *(path, _WIDTH - _RIGHT),
    )


def _ticks_across(costs: Sequence[float], across: _Scale) -> SafeString:
    middle = math.sqrt(min(costs) * max(costs))
    ticks = dict.fromkeys([min(costs), middle, max(costs)])
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (across(math.log10(t)), _HEIGHT - _BOTTOM + 13, f"{t:,.3g}" if t < 100 else f"{t:,.0f}")
            for t in ticks
        ),
    )


def _ticks_up(scores: Sequence[float], up: _Scale) -> SafeString:
    ticks = dict.fromkeys([min(scores), max(scores)])
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="end">{}</text>',
        ((_LEFT - 4, up(t) + 3, f"{t:.3f}") for t in ticks),
    )
