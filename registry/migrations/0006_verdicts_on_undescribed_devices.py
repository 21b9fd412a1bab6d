"""Devices without a description have verdicts in the graph now: those that are there get theirs."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def mark(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Mark every verdict, and the devices that had no profile to name."""
    change = apps.get_model("registry", "GraphChange")
    if apps.get_model("registry", "Variant").objects.exists():
        change.objects.create(kind="verdicts", subject="*")
    undescribed = apps.get_model("registry", "Device").objects.filter(profile=None)
    change.objects.bulk_create(
        change(kind="device", subject=device_id)
        for device_id in undescribed.values_list("device_id", flat=True)
    )


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_published_figures_and_techniques")]
    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
