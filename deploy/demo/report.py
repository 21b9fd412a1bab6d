"""What a demonstration found, as a file and as tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from rich import box
from rich.console import Console
from rich.table import Table

from deploy.accounts import ADMINISTRATOR
from deploy.demo.figures import Refusal
from deploy.demo.run import Demonstration
from orchestrator.models import Deployment
from orchestrator.services.mlflow_server import mlflow_address
from registry.models import Measurement

MEGABYTE = 1_000_000


def report(run: Demonstration) -> dict[str, Any]:
    """Every figure, measured in this run; what was not reached is null."""
    found = run.findings
    return {
        "seconds": round(run.elapsed_s, 1),
        **{name: found.get(name) for name in ("devices", "board_types", "variants", "installed")},
        "distinct_variants_installed": found.get("distinct_variants_installed"),
        "refused": [asdict(refusal) for refusal in found.get("refused", [])],
        "constraints_seen": found.get("constraints_seen", []),
        "accuracy": {k: run.accuracy.get(k) for k in ("before", "drifted", "adapted")},
        "mlflow_versions": found.get("mlflow_versions"),
        "peak_pss_mb": round(run.memory.peak_bytes / MEGABYTE),
    }


def write_report(run: Demonstration, path: Path) -> None:
    """Write the report whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(report(run), indent=2) + "\n")
    draft.replace(path)


def show_answer(run: Demonstration, console: Console) -> None:
    """7: who runs what, who got nothing and why, how learning went, and where to look."""
    console.print(_installed_table(run))
    if run.findings.get("refused"):
        console.print(_refused_table(run.findings["refused"]))
    before, drifted, adapted = (run.accuracy[k] for k in ("before", "drifted", "adapted"))
    console.print(
        f"Accuracy in the field: [bold]{before:.3f}[/bold] before the drift, "
        f"[bold]{drifted:.3f}[/bold] in it, [bold]{adapted:.3f}[/bold] after adapting."
    )


def show_addresses(console: Console) -> None:
    """Where the running installation can be looked at."""
    web = f"http://{settings.WEB_HOST}:{settings.WEB_PORT}"
    table = Table(title="Look around", show_header=False)
    table.add_row("Admin", f"{web}/admin/")
    table.add_row("SPARQL", f"{web}/sparql")
    table.add_row("API", f"{web}/api/docs/")
    table.add_row("MLflow", mlflow_address())
    table.add_row("Sign in as", f"{ADMINISTRATOR}, password in {settings.KEYS_DIR}/admin-password")
    console.print(table)


def _installed_table(run: Demonstration) -> Table:
    """Sizes in bytes, accuracies as fractions; narrow enough for a terminal of 80 columns."""
    table = Table(title="Who runs what", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("device", no_wrap=True)
    for heading in ("variant", "flash", "arena", "test", "drifted", "adapted"):
        table.add_column(heading, justify="right")
    tested = _measured_accuracy(run)
    for row in _deployments(run):
        table.add_row(
            row.device.device_id,
            row.variant.name,
            f"{row.variant.artifact.size_bytes:,}",
            f"{row.variant.description.get('arena_bytes') or 0:,}",
            _share(tested.get(row.variant_id)),
            _share(run.drifted_of.get(row.device_id)),
            _share(run.adapted_of.get(row.device_id)),
        )
    return table


def _deployments(run: Demonstration) -> list[Any]:
    rows = Deployment.objects.filter(wave__rollout=run.rollout, device__in=run.devices)
    return list(rows.select_related("device", "variant__artifact").order_by("device__device_id"))


def _measured_accuracy(run: Demonstration) -> dict[int, float]:
    figures = Measurement.objects.filter(variant__release=run.release, metric="accuracy")
    return dict(figures.values_list("variant", "value"))


def _refused_table(refused: list[Refusal]) -> Table:
    table = Table(title="Who got nothing, and why (by its nearest variant)")
    for heading in ("device", "constraint", "needs", "has", "unit"):
        table.add_column(heading)
    for row in refused:
        table.add_row(row.device, row.constraint, _text(row.need), _text(row.have), row.unit)
    return table


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
