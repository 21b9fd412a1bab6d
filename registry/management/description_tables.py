"""A description as people read it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ontology.facts import Answer, Quantity, Verdict
from registry.footprint.description import Description
from registry.footprint.latency import Estimate
from registry.footprint.patch import PatchPlan
from registry.footprint.quantization import QuantizationSummary
from registry.formats.network import Tensor

_STYLE = {Answer.FITS: "green", Answer.DOES_NOT_FIT: "red", Answer.UNKNOWN: "yellow"}


def print_description(console: Console, description: Description) -> None:
    """Figures, the arena's parts, operators, inputs and outputs."""
    console.print(_figures(description))
    if description.arena.parts:
        console.print(_arena_parts(description))
    for reason in description.arena.unknown:
        console.print(f"[yellow]The arena is not known: {escape(reason)}[/]")
    for reason in description.mac_count.unknown:
        console.print(f"[yellow]The MACs are not known: {escape(reason)}[/]")
    for remark in description.network.remarks:
        console.print(f"Remark: {escape(remark)}")
    console.print(_operators(description))
    console.print(_tensors("Input", description.inputs))
    console.print(_tensors("Output", description.outputs))


def print_figures(console: Console, figures: Iterable[Mapping[str, Any]]) -> None:
    """What matching weighs: each figure with its status and source."""
    table = Table("Figure", "Value", "For", "Status", "Source", box=None, pad_edge=False)
    for each in figures:
        error = "" if each["error"] is None else f" ± {each['error']:.0%}"
        target = ", ".join(part for part in (each["board"], each["kernels"]) if part)
        value = f"{each['value']:,.10g}{error}"
        table.add_row(each["metric"], value, target, each["status"], each["source"])
    console.print(table)


def print_fit(console: Console, board: str, verdict: Verdict) -> None:
    """The verdict and what each constraint came to."""
    words = verdict.answer.value.replace("_", " ")
    assumed = " (assumed: no firmware speaks for it)" if verdict.assumed else ""
    console.print(f"{board}: [{_STYLE[verdict.answer]}]{words}[/]{assumed}")
    table = Table("Constraint", "Need", "Have", "Headroom", box=None, pad_edge=False)
    for reason in verdict.reasons:
        table.add_row(
            reason.constraint.value,
            _quantity(reason.need, reason.unit),
            _quantity(reason.have, reason.unit),
            "" if reason.headroom is None else _quantity(int(reason.headroom), reason.unit),
        )
    console.print(table)


def print_patches(console: Console, plan: PatchPlan) -> None:
    """What patch-based inference makes of the peak, for a runtime that is built for it."""
    if plan.whole is None:
        console.print("Patches: none, it does not begin with layers over a map")
        return
    found = plan.cheapest
    if found is None:
        said = f"no schedule takes at most {_bytes(plan.ram_bytes)}"
    elif found.layers == 0:
        said = "none are needed"
    else:
        rows, columns = found.grid
        said = (
            f"the first {found.layers} layers on {rows} x {columns},"
            f" {' x '.join(map(str, found.patch))} of the input each: {_bytes(found.peak_bytes)},"
            f" {found.stage_overhead:+.0%} MACs in these layers"
        )
    console.print(f"Patches: {_bytes(plan.whole.peak_bytes)} without; {said}")


def _figures(description: Description) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in (
        ("File", _bytes(description.file_bytes)),
        ("Flash without names", _bytes(description.flash_bytes)),
        (f"Arena, {description.kernels}", _bytes(description.arena_bytes)),
        ("Tensors alive at once, at most", _bytes(description.peak_activation_bytes)),
        ("Runtime code, at most", _bytes(description.runtime_code_bytes)),
        ("MACs", "not known" if description.macs is None else f"{description.macs:,}"),
        ("Parameters", f"{description.parameters:,}"),
        ("Quantization", _quantization(description.quantization)),
        ("Instructions", _estimate(description.instructions, "")),
        ("Latency", _estimate(description.latency_ms, " ms")),
        ("Energy", _estimate(description.energy_mj, " mJ")),
        ("Online last layer", _bytes(description.training_bytes)),
    ):
        table.add_row(name, value)
    return table


def _arena_parts(description: Description) -> Table:
    table = Table("Arena part", "Bytes", box=None, pad_edge=False)
    for name, size in description.arena.parts.items():
        indent = "  " if "." in name else ""
        table.add_row(indent + name.rpartition(".")[2].replace("_", " "), f"{size:,}")
    return table


def _operators(description: Description) -> Table:
    table = Table("Operator", "Version", "Count", box=None, pad_edge=False)
    for use in description.operators:
        table.add_row(escape(use.name), str(use.version), str(use.count))
    return table


def _tensors(title: str, tensors: Iterable[Tensor]) -> Table:
    table = Table(title, "Shape", "Type", "Scale", "Zero point", box=None, pad_edge=False)
    for tensor in tensors:
        quantization = tensor.quantization
        scale = f"{quantization.scales[0]:.6g}" if quantization else ""
        zeros = quantization.zero_points if quantization else ()
        shape = " x ".join("?" if n < 0 else str(n) for n in tensor.shape)
        shape = shape if tensor.has_shape else "not known"
        table.add_row(
            escape(tensor.name), shape, tensor.dtype, scale, str(zeros[0]) if zeros else ""
        )
    return table


def _quantization(summary: QuantizationSummary) -> str:
    """E.g. `static, weights INT8 per channel, activations INT8`."""
    if not summary.weights:
        return summary.scheme.value
    per = " per channel" if summary.per_channel else ""
    form = f" ({summary.form})" if summary.form else ""
    weights, activations = ", ".join(summary.weights), ", ".join(summary.activations)
    return f"{summary.scheme.value}{form}, weights {weights}{per}, activations {activations}"


def _bytes(size: int | None) -> str:
    return "not known" if size is None else f"{size:,} B"


def _estimate(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "not known"
    error = "" if estimate.error is None else f" ± {estimate.error:.0%}"
    return f"{estimate.value:,.4g}{unit}{error}"


def _quantity(value: Quantity, unit: str) -> str:
    if value is None:
        return "not known"
    if isinstance(value, tuple):
        return escape(", ".join(value))
    if isinstance(value, (int, float)):
        return f"{value:,} {unit}".strip()
    return value
