"""The processes of one installation on one machine, as data for the supervisor."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

from deploy import boards, mosquitto, server_certificate
from deploy.ports import Endpoint
from deploy.supervisor import ProcessSpec
from orchestrator.gateways.dynamic_security import security_file

_BIN = Path(sys.executable).parent
_MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


def endpoints() -> list[tuple[str, Endpoint]]:
    """Who needs which port of this machine."""
    needs = [
        ("broker", settings.MQTT_HOST, settings.MQTT_PORT, "MQTT", True),
        ("graph", settings.GRAPH_HOST, settings.GRAPH_PORT, "GRAPH", not settings.GRAPH_URL),
        ("mlflow", settings.MLFLOW_HOST, settings.MLFLOW_PORT, "MLFLOW", not settings.MLFLOW_URL),
        ("web", settings.WEB_HOST, settings.WEB_PORT, "WEB", True),
    ]
    return [
        *(
            (name, Endpoint(host, port, f"TINYFLEET_{part}_PORT"))
            for name, host, port, part, ours in needs
            if ours
        ),
        *boards.endpoints(),
    ]


def _endpoint(name: str) -> Endpoint:
    return next(endpoint for owner, endpoint in endpoints() if owner == name)


def installation() -> list[ProcessSpec]:
    """Every process that `up` runs, what others need first."""
    return [
        signer(),  # first, for the broker may need its certificate
        broker(),
        *entrance(),
        *([] if settings.GRAPH_URL else [graph()]),
        *([] if settings.MLFLOW_URL else [mlflow()]),
        web(),
        _own("gateway"),
        _own("scheduler"),
        _own("worker"),
    ]


def broker() -> ProcessSpec:
    """Mosquitto where it is installed, else the embedded amqtt; the same rules in both."""
    endpoint = _endpoint("broker")
    program = mosquitto.program()
    if program:
        plugin = mosquitto.plugin()
        boards.require_plugin(plugin)
        return ProcessSpec(
            "broker",
            [program, "-c", str(mosquitto.configuration(plugin))],
            endpoint=endpoint,
            reload_on=(settings.BROKER_DIR / "passwords", *boards.tls_files()),
            before_start=_before_mosquitto if plugin else _before_broker,
            remark="" if plugin else mosquitto.WITHOUT_PLUGIN,
        )
    security_file().unlink(missing_ok=True)
    return ProcessSpec(
        "broker",
        [
            *(sys.executable, "-m", "deploy.amqtt_broker"),
            *("--host", settings.MQTT_HOST, "--port", str(settings.MQTT_PORT)),
            *("--passwords", str(settings.BROKER_DIR / "passwords")),
            *("--acl", str(settings.BROKER_DIR / "acl")),
            *("--max-packet-bytes", str(settings.BROKER_MAX_MESSAGE_BYTES)),
            *boards.embedded_options(),
        ],
        endpoint=endpoint,
        before_start=_before_broker,
    )


def _before_mosquitto() -> None:
    mosquitto.refresh()
    _before_broker()


def _before_broker() -> None:
    if settings.BIND:
        server_certificate.prepare()


def entrance() -> list[ProcessSpec]:
    """Where boards enrol: with Mosquitto a process of its own, with amqtt a listener."""
    program = mosquitto.program()
    return [boards.entrance(program)] if program and settings.BIND else []


def graph() -> ProcessSpec:
    """The Oxigraph server, whose native binary comes with its wheel."""
    endpoint = _endpoint("graph")
    settings.GRAPH_DIR.mkdir(parents=True, exist_ok=True)
    argv = [str(_BIN / "oxigraph"), "serve", "--location", str(settings.GRAPH_DIR)]
    argv += ["--bind", str(endpoint), "--union-default-graph"]
    return ProcessSpec("graph", argv, endpoint=endpoint)


def signer() -> ProcessSpec:
    """The only process that reads the signing key."""
    argv = [sys.executable, "-m", "deploy.signer", "--socket", str(settings.SIGNER_SOCKET)]
    argv += ["--directory", str(settings.VAR_DIR / "signer")]
    argv += ["--trust", str(settings.KEYS_DIR / "trust")]
    argv += ["--max-artifact-bytes", str(settings.ARTIFACT_MAX_BYTES)]
    argv += ["--authority", str(settings.AUTHORITY_FILE)]
    argv += ["--certificate-lifetime-s", str(settings.CERTIFICATE_LIFETIME_S)]
    argv += ["--max-revoked", str(settings.CERTIFICATES_WITHDRAWN_MAX)]
    if settings.BIND:
        argv += [f"--server-name={name}" for name in server_certificate.server_names()]
    return ProcessSpec("signer", argv, ready_line="signer ready")


def mlflow() -> ProcessSpec:
    """One worker and no job execution: 0.5 GB instead of 2.9."""
    endpoint = _endpoint("mlflow")
    directory: Path = settings.MLFLOW_DIR
    directory.mkdir(parents=True, exist_ok=True)
    argv = [str(_BIN / "mlflow"), "server", "--workers", "1"]
    argv += ["--host", endpoint.host, "--port", str(endpoint.port)]
    argv += ["--backend-store-uri", f"sqlite:///{directory / 'mlflow.sqlite3'}"]
    argv += ["--artifacts-destination", str(directory / "artifacts")]
    return ProcessSpec(
        "mlflow",
        argv,
        endpoint=endpoint,
        environment={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        url=f"http://{endpoint}/",
    )


def web() -> ProcessSpec:
    """Admin, REST, SPARQL and the Things directory."""
    endpoint = _endpoint("web")
    argv = [sys.executable, "-m", "uvicorn", "deploy.asgi:application", "--no-access-log"]
    argv += ["--host", endpoint.host, "--port", str(endpoint.port), "--lifespan", "off"]
    argv += ["--timeout-graceful-shutdown", "3"]  # streams of events end when they are told to
    return ProcessSpec("web", argv, endpoint=endpoint, url=f"http://{endpoint}/")


def _own(name: str) -> ProcessSpec:
    return ProcessSpec(name, [*_MANAGE, f"run_{name}"], ready_line=f"{name} ready")
