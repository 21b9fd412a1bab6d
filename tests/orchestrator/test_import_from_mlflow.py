"""`manage.py import_model models:/NAME@ALIAS`: a model version of a real MLflow server comes in."""

from __future__ import annotations

import contextlib
import importlib
import io
import socket
import threading
from pathlib import Path

import onnx
import pytest
import torch
from django.core.management import CommandError, call_command
from onnx import numpy_helper as arrays

from registry.footprint.description import describe
from registry.models import RegisteredModel, Variant
from tests.orchestrator.mlflow_server import MlflowServer, free_port
from tests.orchestrator.small_networks import small_network
from tests.registry.torch_exports import exported

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# What MLflow says of itself when its models are imported.
MLFLOW_IMPORTS = "ignore:.*Any type hint is inferred as AnyType:UserWarning"


@pytest.fixture(autouse=True)
def addresses(settings, mlflow_server: MlflowServer, tmp_path) -> None:
    settings.MLFLOW_URL = mlflow_server.url
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    settings.NETWORK_TIMEOUT_S = 20


@pytest.fixture
def client(mlflow_server: MlflowServer):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=mlflow_server.url, registry_uri=mlflow_server.url)


@pytest.fixture
def log_version(client, tmp_path: Path):
    """Logs files as artifacts of a run and registers their folder; the version."""

    def log(model: str, files: dict[str, bytes], alias: str = "live"):
        folder = tmp_path / "logged"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        run = client.create_run("0").info.run_id
        client.log_artifacts(run, str(folder), "model")
        client.create_registered_model(model)
        version = client.create_model_version(model, f"runs:/{run}/model", run_id=run)
        client.set_registered_model_alias(model, alias, version.version)
        return version

    return log


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("import_model", *map(str, arguments), stdout=out)
    return out.getvalue()


def bytes_of(variant: Variant) -> bytes:
    assert variant.artifact is not None
    with variant.artifact.file.open() as file:
        return file.read()


def test_a_tflite_file_by_alias(log_version):
    network = small_network(16, 4)
    version = log_version("wake-word", {"net/wake.tflite": network, "notes.txt": b"trained"})
    run("models:/wake-word@live", "--input", "microphone,16000")
    variant = Variant.objects.get()
    assert str(variant) == "wake-word/1/wake"
    assert bytes_of(variant) == network
    assert variant.release.notes == f"models:/wake-word/{version.version} (net/wake.tflite)"
    assert (variant.mlflow_version, variant.mlflow_run_id) == (version.version, version.run_id)
    assert variant.sensors == [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]


def test_a_version_under_another_name_is_not_mistaken_for_our_own(log_version):
    log_version("their-model", {"wake.tflite": small_network(16, 4)})
    run("models:/their-model@live", "--name", "ours", "--input", "none", "--variant", "first")
    variant = Variant.objects.get()
    assert str(variant) == "ours/1/first"
    assert (variant.mlflow_version, variant.mlflow_run_id) == ("", "")


def test_a_name_that_cannot_stand_in_an_address_keeps_its_version(log_version):
    version = log_version("Wake.Word", {"wake.tflite": small_network(16, 4)})
    for reference in ("models:/Wake.Word@live", f"models:/Wake.Word/{version.version}"):
        run(reference, "--input", "none")
    variants = Variant.objects.filter(release__model__name="wakeword")
    assert variants.count() == 2
    for variant in variants:
        assert variant.release.notes.startswith("models:/Wake.Word/1 ")
        assert variant.mlflow_name == "Wake.Word"
        assert (variant.mlflow_version, variant.mlflow_run_id) == (version.version, version.run_id)


def test_two_names_that_leave_the_same_behind_are_two_models(log_version):
    log_version("key.word", {"net.tflite": small_network(16, 4)})
    log_version("keyword", {"net.tflite": small_network(8, 4)}, alias="other")
    run("models:/key.word@live", "--input", "none")
    with pytest.raises(CommandError, match=r"'keyword' of MLflow would .* say --name keyword if"):
        run("models:/keyword@other", "--input", "none")
    assert Variant.objects.count() == 1
    run("models:/keyword@other", "--input", "none", "--name", "keyword")
    assert Variant.objects.filter(release__model__name="keyword").count() == 2


def test_a_model_that_is_here_already_is_not_joined_by_a_name_like_its(log_version):
    log_version("ges.tures", {"net.tflite": small_network(16, 4)})
    log_version("gestures-here", {"net.tflite": small_network(16, 4)})
    for name in ("gestures", "gestures-here"):
        RegisteredModel.objects.create(name=name)
    with pytest.raises(CommandError, match=r"model 'gestures', which did not come from there"):
        run("models:/ges.tures@live", "--input", "none")
    run("models:/gestures-here@live", "--input", "none")
    assert str(Variant.objects.get()) == "gestures-here/1/net"


def test_a_name_with_an_at_sign_ends_at_the_last(log_version):
    version = log_version("team@wake", {"wake.tflite": small_network(16, 4)}, alias="prod")
    run("models:/team@wake@prod", "--input", "none")
    run(f"models:/team@wake/{version.version}", "--input", "none")
    assert [str(variant) for variant in Variant.objects.order_by("pk")] == [
        "teamwake/1/wake",
        "teamwake/2/wake",
    ]


def test_a_network_that_torch_exported_by_its_number(log_version):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.ReLU())
    data = exported(network, (1, 1, 8, 8))
    version = log_version("from-torch", {"data/net.onnx": data})
    run(f"models:/from-torch/{version.version}", "--input", "none")
    variant = Variant.objects.get()
    assert bytes_of(variant) == data
    assert variant.description["macs"] == 6 * 6 * 4 * 9
    assert set(variant.operators) == {"Conv", "Flatten", "Relu"}


@pytest.mark.filterwarnings(MLFLOW_IMPORTS)
def test_the_onnx_flavour(mlflow_server, client, data_dir, monkeypatch):
    """MLflow writes the weights into files of their own; they come in with the model."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.url)
    # It would import onnxruntime, to check options that this test does not give.
    flavour = importlib.import_module("mlflow.onnx")
    monkeypatch.setattr(flavour, "_validate_onnx_session_options", lambda options: None)
    path = data_dir / "magic-wand/model.onnx"
    with mlflow.start_run():
        flavour.log_model(
            onnx.load(path),
            name="gestures",
            registered_model_name="gestures",
            pip_requirements=["onnx"],
        )
    client.set_registered_model_alias("gestures", "champion", "1")
    run("models:/gestures@champion", "--input", "accelerometer,100+gyroscope,100")
    variant = Variant.objects.get()
    assert variant.name == "model"
    registered = onnx.load_from_string(bytes_of(variant))
    original = onnx.load(path)
    for mine, theirs in zip(registered.graph.initializer, original.graph.initializer, strict=True):
        assert mine.name == theirs.name
        assert (arrays.to_array(mine) == arrays.to_array(theirs)).all()
    assert variant.description["macs"] == describe(path.read_bytes()).macs


def test_of_several_files_one_is_named(log_version):
    large, small = small_network(32, 4), small_network(8, 4)
    log_version("several", {"large.tflite": large, "small.tflite": small})
    with pytest.raises(CommandError, match=r"has large\.tflite, small\.tflite; say which with --f"):
        run("models:/several@live")
    with pytest.raises(CommandError, match=r"has no 'tiny\.tflite'; it has large\.tflite, small"):
        run("models:/several@live", "--file", "tiny.tflite")
    run("models:/several@live", "--file", "small.tflite", "--input", "none")
    assert bytes_of(Variant.objects.get()) == small


@pytest.mark.parametrize(
    ("files", "limit", "message"),
    [
        ({"MLmodel": b"flavors: {}"}, 1000, r"has no \.tflite or \.onnx file, only MLmodel; conv"),
        ({"net.tflite": small_network(64, 10)}, 100, "more than the 100 allowed"),
        ({"net.tflite": b"no network"}, 1000, "not a TensorFlow Lite flatbuffer"),
        ({"net.onnx": b"\x08\x09:\xff"}, 1000, "within a number"),
    ],
)
def test_what_is_no_model_changes_nothing(log_version, settings, files, limit, message):
    settings.ARTIFACT_MAX_BYTES = limit
    name = f"bad-{limit}-{len(message)}"
    log_version(name, files)
    with pytest.raises(CommandError, match=message):
        run(f"models:/{name}@live", "--input", "none")
    assert not RegisteredModel.objects.exists()


def test_what_mlflow_does_not_have(log_version):
    log_version("known", {"net.tflite": small_network(16, 4)})
    for reference in ("models:/known@gone", "models:/known/9", "models:/stranger@live"):
        with pytest.raises(CommandError, match="refuses"):
            run(reference)


@pytest.mark.parametrize(
    "reference",
    ["models:/", "models:/a", "models:/a@", "models:/a/latest", "models:/a/b/c", "models:/@b"],
)
def test_what_names_no_version(reference):
    with pytest.raises(CommandError, match="write models:/NAME@ALIAS or models:/NAME/VERSION"):
        run(reference)


def test_a_server_that_is_away(settings):
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    settings.NETWORK_TIMEOUT_S = 1
    with pytest.raises(CommandError, match="does not answer; set TINYFLEET_MLFLOW_URL"):
        run("models:/any@live")


class Dripping:
    """A server that promises much and sends a byte before each time-out; it never ends."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Dripping:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not self._over.wait(0.2):
                    connection.sendall(b" ")


def test_a_server_that_drips_is_given_up_at_the_deadline(settings):
    settings.MLFLOW_FETCH_TIMEOUT_S = 8
    with Dripping() as server:
        settings.MLFLOW_URL = server.url
        with pytest.raises(CommandError, match=r"within 8 s; .* TINYFLEET_MLFLOW_FETCH_TIMEOUT_S"):
            run("models:/any@live")


def test_a_name_that_is_taken_is_refused_before_anything_is_fetched(settings):
    settings.MLFLOW_URL = f"http://127.0.0.1:{free_port()}"
    RegisteredModel.objects.create(name="gestures")
    with pytest.raises(CommandError, match="model 'gestures', which did not come from there"):
        run("models:/ges.tures@live", "--input", "none")
    with pytest.raises(CommandError, match="'no name' is no name"):
        run("models:/any@live", "--input", "none", "--name", "no name")


def test_a_server_that_never_answers(settings):
    settings.NETWORK_TIMEOUT_S = 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.MLFLOW_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CommandError, match="does not answer"):
            run("models:/any@live")
