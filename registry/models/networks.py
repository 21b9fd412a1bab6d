"""Tasks, training generations and artifacts: RegisteredModel > Release > Variant."""

from __future__ import annotations

from django.db import models

from ontology.namespaces import IRI_LENGTH
from registry.formats.tflite import MEDIA_TYPE
from registry.models.techniques import check_traits


class Artifact(models.Model):
    """Bytes by their SHA-256; the file lies in Django's storage under that digest."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size_bytes = models.PositiveBigIntegerField()
    file = models.FileField(upload_to="", max_length=200)
    media_type = models.CharField(max_length=80, default=MEDIA_TYPE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.sha256[:12]


class RegisteredModel(models.Model):
    """A task that models solve, under the name that MLflow knows it by."""

    name = models.SlugField(max_length=120, unique=True)
    task = models.CharField(max_length=200, blank=True)
    category = models.CharField(
        max_length=40, blank=True, help_text="In the TinyML schema, e.g. Classification"
    )
    description = models.TextField(blank=True)
    reference = models.BooleanField(
        default=False,
        help_text="A yardstick from the literature: matched and listed only where asked for",
    )
    language_model = models.BooleanField(
        null=True, help_text="Whether it continues text; unset where not known"
    )
    traits = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_traits],
        help_text="Preconditions of techniques that hold of it, or do not: {name: true or false}",
    )
    traits_source = models.CharField(max_length=300, blank=True)
    champion = models.ForeignKey(
        "Release", null=True, blank=True, on_delete=models.SET_NULL, related_name="champion_of"
    )
    challenger = models.ForeignKey(
        "Release", null=True, blank=True, on_delete=models.SET_NULL, related_name="challenger_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """One training generation: an MLflow parent run, and the variants that came of it."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()
    mlflow_run_id = models.CharField("MLflow run", max_length=64, blank=True)
    data_source = models.CharField(max_length=300, blank=True, help_text="Data it was trained on")
    notes = models.TextField(blank=True)
    creator = models.CharField(max_length=300, blank=True, help_text="Who made it elsewhere")
    dated = models.CharField(max_length=40, blank=True, help_text="When, as its description says")
    citation = models.CharField(max_length=400, blank=True, help_text="Where it is told of")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["model", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_release_number"),
        ]

    def __str__(self) -> str:
        return f"{self.model} release {self.number}"


class NoArtifact(LookupError):
    """A variant that is known by its figures alone was asked for its bytes."""


class Variant(models.Model):
    """One network of a release, with what it needs as read from its artifact's bytes.

    One that is known from a description or a publication alone has no artifact: it is judged by
    the figures that are known of it, and there is nothing to deliver.
    """

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="variants")
    # A network from the literature keeps the name by which people know it, whatever is in it.
    name = models.CharField(max_length=120)
    iri = models.CharField(
        "IRI", max_length=IRI_LENGTH, blank=True, help_text="What an imported description calls it"
    )
    artifact = models.ForeignKey(
        Artifact, null=True, blank=True, on_delete=models.PROTECT, related_name="variants"
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children"
    )
    technique = models.CharField(
        max_length=120, blank=True, help_text="How it came of its parent, e.g. structured pruning"
    )
    precision = models.CharField(max_length=20, blank=True, help_text="e.g. int8, float32")
    operators = models.JSONField(null=True, help_text="Operator name to version that it needs")
    dtypes = models.JSONField(null=True, help_text="Tensor types that occur in it")
    sensors = models.JSONField(
        null=True, blank=True, help_text="[{kind, rate_hz, shape}]; [] none; null not known"
    )
    runtimes = models.JSONField(
        null=True,
        blank=True,
        help_text="Interpreters that run it; null: those of its file's format",
    )
    description = models.JSONField(default=dict, help_text="Tensors, layers, MACs, inputs, outputs")
    training = models.JSONField(
        default=dict, blank=True, help_text="How it was made: widths, epochs, seed, images"
    )
    mlflow_model = models.CharField(
        "model in MLflow", max_length=256, blank=True, help_text="Where it is not called as here"
    )
    mlflow_version = models.CharField("MLflow model version", max_length=20, blank=True)
    mlflow_run_id = models.CharField("MLflow run", max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["release", "name"]
        constraints = [
            models.UniqueConstraint(fields=["release", "name"], name="one_variant_name"),
            models.UniqueConstraint(
                fields=["iri"], condition=~models.Q(iri=""), name="one_variant_of_an_iri"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.release.model.name}/{self.release.number}/{self.name}"

    @property
    def mlflow_name(self) -> str:
        """The registered model of MLflow that its version is one of."""
        return self.mlflow_model or self.release.model.name

    @property
    def seed(self) -> int | None:
        """From which its training can be done again; None where it is not known."""
        seed = self.training.get("seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def commit(self) -> str:
        """Of the code that trained it; empty where it is not known."""
        commit = self.training.get("commit")
        return commit if isinstance(commit, str) else ""

    @property
    def delivered(self) -> Artifact:
        """The artifact that devices are sent; NoArtifact where there is none."""
        if self.artifact is None:
            raise NoArtifact(f"{self} is known by its figures alone: it has no artifact")
        return self.artifact
