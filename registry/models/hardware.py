"""Kinds of hardware and the interpreters that run on them."""

from __future__ import annotations

from django.db import models


class BoardType(models.Model):
    """A kind of hardware that one can buy, with facts and where they were read."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=160)
    vendor = models.CharField(max_length=120)
    mcu = models.CharField("MCU", max_length=80)
    core = models.CharField(max_length=40, help_text="e.g. cortex-m4f, xtensa-lx7")
    clock_hz = models.PositiveBigIntegerField(null=True, blank=True)
    ram_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    flash_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    url = models.URLField(max_length=400, blank=True)
    source = models.CharField(max_length=300, help_text="Where these facts were read")

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class OnboardSensor(models.Model):
    """A sensor soldered to every board of a type."""

    board = models.ForeignKey(BoardType, on_delete=models.CASCADE, related_name="onboard_sensors")
    kind = models.SlugField(max_length=40, help_text="e.g. microphone, accelerometer, camera")
    part = models.CharField(max_length=80, blank=True)
    observes = models.CharField(max_length=80, blank=True, help_text="The observed property")
    max_rate_hz = models.FloatField(null=True, blank=True)
    shape = models.JSONField(null=True, blank=True, help_text="Shape of one sample")
    least = models.FloatField(null=True, blank=True, help_text="The least value that it can give")
    greatest = models.FloatField(null=True, blank=True, help_text="The greatest one")
    unit = models.CharField(max_length=20, blank=True, help_text="The unit of these two, e.g. g")
    power_mw = models.FloatField(
        "power in mW", null=True, blank=True, help_text="What it draws while it samples"
    )
    current_ma = models.FloatField(
        "supply current in mA", null=True, blank=True, help_text="What the whole part draws"
    )
    conditions = models.CharField(
        max_length=160, blank=True, help_text="Under which conditions it draws that current"
    )
    source = models.CharField(max_length=300, blank=True, help_text="Where this was read")

    class Meta:
        ordering = ["board", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["board", "kind", "part"], name="one_sensor_part"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.part}".strip()


class Runtime(models.Model):
    """An interpreter: its name, version, kernels and the operators that it registers."""

    name = models.SlugField(max_length=60)
    version = models.CharField(max_length=60, blank=True)
    kernels = models.CharField(max_length=40, blank=True, help_text="reference, cmsis_nn, esp_nn")
    operators = models.JSONField(default=dict, help_text="Operator name to highest version")
    dtypes = models.JSONField(default=list, help_text="Tensor types that its kernels accept")
    source = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name", "version", "kernels"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version", "kernels"], name="one_runtime"),
        ]

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.version, self.kernels) if part)


class FirmwareBuild(models.Model):
    """One firmware image for one board, with the capacity that it declares: exact and fixed.

    `operators` is what this image links, which may be fewer than its runtime knows. The capacity is
    part of the identity: a build that declares something else under the same version is another
    row, so a declaration never changes under the devices that run it. A description may state the
    memory and nothing else: then name, version and runtime are not known.
    """

    board = models.ForeignKey(BoardType, on_delete=models.PROTECT, related_name="firmware_builds")
    name = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    runtime = models.ForeignKey(
        Runtime, null=True, blank=True, on_delete=models.PROTECT, related_name="firmware_builds"
    )
    arena_budget_bytes = models.PositiveBigIntegerField(null=True)
    slot_bytes = models.PositiveBigIntegerField(null=True)
    operators = models.JSONField(null=True)
    dtypes = models.JSONField(null=True)
    capacity_digest = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["board", "name", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["board", "name", "version", "capacity_digest"], name="one_firmware_build"
            ),
        ]

    def __str__(self) -> str:
        image = f"{self.name} {self.version}".strip() or "firmware without a name"
        return f"{image} on {self.board}"
