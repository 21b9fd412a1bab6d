"""A fleet in one process: options in, devices on their loop."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from device_firmware_sim.client import Link, Tls
from device_firmware_sim.device import Device, Setup
from device_firmware_sim.flash import Flash
from device_firmware_sim.fleet import Member
from device_firmware_sim.loop import Clock, Loop
from device_firmware_sim.measured import (
    EVERY_DEVICE,
    FactsError,
    error_of,
    measured_arenas,
    read_arenas,
    read_errors,
)
from device_firmware_sim.sensors import Camera, Stream, World, load_stream
from device_firmware_sim.trial import TRIAL_S
from device_firmware_sim.trust import Trust, TrustError, load_trust

CONNECTS_PER_SECOND = 200.0


class OptionError(ValueError):
    """An option that cannot be followed; the message names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. Paths are None where nothing was given."""

    host: str
    port: int
    members: tuple[Member, ...]
    state_dir: Path
    trust: Path
    tokens: Path | None
    enrol_password_file: Path | None
    tls: Tls | None
    stream: Path | None
    world: Path | None
    samples_per_second: float
    samples_per_pack: int
    arena_error: Sequence[str] = ()
    measured_arenas: Path | None = None
    trial_seconds: float = TRIAL_S
    crash_with: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Truth:
    """Arenas by digest, and factors of reckoned ones by device."""

    arenas: Mapping[str, int]
    errors: Mapping[str, float]


def assemble(options: Options) -> Loop:
    """Every device, booted, with its link; OptionError before anything connects."""
    clock = Clock()
    world = World(options.world)
    trust = _trust(options.trust)
    tokens = _tokens(options.tokens)
    password = _password(options.enrol_password_file)
    truth = _truth(options)
    stream = None if options.stream is None else load_stream(options.stream)
    links = []
    for position, member in enumerate(options.members):
        setup = _setup(options, member, trust, tokens, password, truth)
        make = partial(_device, setup, member, stream, world, options.state_dir, clock)
        device = make()
        if options.tokens is not None and not (device.is_member or setup.token):
            raise OptionError(f"--tokens has none for {member.device_id}, which has to enrol")
        first_attempt_at = clock.now() + position / CONNECTS_PER_SECOND
        links.append(
            Link(
                device,
                options.host,
                options.port,
                member.seed,
                first_attempt_at,
                options.tls,
                partial(make, crashed=True),
            )
        )
    return Loop(links, world, clock)


@contextmanager
def sole_use(state_dir: Path) -> Iterator[None]:
    """No second simulation runs on the same flash meanwhile: both would be the same devices."""
    with _locked(state_dir):
        yield


def _locked(state_dir: Path) -> IO[str]:
    """The lock file, held until it is closed."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (state_dir / "lock").open("w")
    except OSError as error:
        raise OptionError(f"--state-dir {state_dir}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise OptionError(f"--state-dir {state_dir} is in use by another simulation") from error
    return file


def _trust(folder: Path) -> Trust:
    try:
        return load_trust(folder)
    except TrustError as error:
        raise OptionError(f"--trust {error}") from error


def tls_options(authority: Path | None, enrol_port: int) -> Tls | None:
    """TLS with this authority's certificate (PEM); None without one. OptionError."""
    if authority is None:
        return None
    tls = Tls(authority, enrol_port)
    try:
        tls.context(None)
    except OSError as error:
        raise OptionError(f"--tls-ca {authority}: {error}") from error
    return tls


def _setup(
    options: Options,
    member: Member,
    trust: Trust,
    tokens: Mapping[str, str],
    password: str,
    truth: _Truth,
) -> Setup:
    return Setup(
        device_id=member.device_id,
        build=member.build,
        keys=trust.keys,
        authors=trust.authors,
        token=tokens.get(member.device_id, ""),
        enrol_password=password,
        host=options.host,
        port=options.port,
        over_tls=options.tls is not None,
        samples_per_second=options.samples_per_second,
        samples_per_pack=options.samples_per_pack,
        arena_error=error_of(member.device_id, truth.errors),
        measured_arena={**measured_arenas(member.build.kernels), **truth.arenas},
        trial_s=options.trial_seconds,
        crashes_with=frozenset(options.crash_with),
    )


def _truth(options: Options) -> _Truth:
    """What the command line says of what networks really do; OptionError."""
    path = options.measured_arenas
    try:
        arenas = {} if path is None else read_arenas(path)
    except FactsError as error:
        raise OptionError(f"--measured-arenas {path}: {error}") from error
    try:
        errors = read_errors(options.arena_error)
    except FactsError as error:
        raise OptionError(f"--arena-error: {error}") from error
    for digest in options.crash_with:
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise OptionError(f"--crash-with {digest}: 64 lower-case hex digits, a SHA-256")
    known = {member.device_id for member in options.members} | {EVERY_DEVICE}
    for device in errors.keys() - known:
        raise OptionError(f"--arena-error: there is no device {device!r}")
    return _Truth(arenas, errors)


def _device(
    setup: Setup,
    member: Member,
    stream: Stream | None,
    world: World,
    state_dir: Path,
    clock: Clock,
    *,
    crashed: bool = False,
) -> Device:
    build = member.build
    flash = Flash(state_dir / member.device_id, build.slot_bytes, build.record_bytes)
    camera = None
    if stream is not None and build.sensor("camera") is not None:
        camera = Camera(stream, world, member.seed)
    return Device(setup, flash, camera, clock.now(), crashed=crashed)


def _tokens(path: Path | None) -> Mapping[str, str]:
    """{device id: token}; empty without a file."""
    if path is None:
        return {}
    try:
        tokens = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--tokens {path}: {error}") from error
    if not isinstance(tokens, dict) or not all(isinstance(t, str) for t in tokens.values()):
        raise OptionError(f"--tokens {path} must map device ids to tokens")
    return tokens


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise OptionError(f"--enrol-password-file {path}: {error}") from error
