"""Keep converters from talking to the console, without hiding what goes wrong.

Importing this module sets what litert_torch and TensorFlow's C++ parts read when they are imported,
so it comes before them. Errors are exceptions, which say what went wrong and pass through; what was
printed before one is in the log, for those who look for more.
"""

from __future__ import annotations

import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import BinaryIO

os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # drops INFO, keeps warnings and errors

_CHATTY = ("torchao", "torch", "root", "jax", "absl")
# Of TensorFlow Lite; of Abseil, whose INFO has a number, and which warns before it is set up.
_NATIVE_NOISE = (b"INFO: ", b"I0000 ", b"WARNING: All log messages before absl::InitializeLog")
_STDERR = 2
_KEPT_CHARACTERS = 2000

log = logging.getLogger(__name__)


class _ErrorsOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, libraries print and warn in vain. Logs, ours and theirs from ERROR up, go on."""
    said = io.StringIO()
    try:
        # Handlers of logging keep the stream that they were made with: only prints are redirected.
        with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
            warnings.simplefilter("ignore")
            with _errors_only(), _without_native_noise():
                yield
    except BaseException:
        log.debug("said before it failed: %s", said.getvalue()[-_KEPT_CHARACTERS:])
        raise


@contextmanager
def _errors_only() -> Iterator[None]:
    errors_only = _ErrorsOnly()
    loggers = [*map(logging.getLogger, _CHATTY), *_loggers_of_torch()]
    for logger in loggers:
        logger.addFilter(errors_only)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(errors_only)


def _loggers_of_torch() -> list[logging.Logger]:
    """Each of many has a handler of its own, which no filter of one above it reaches."""
    known = logging.Logger.manager.loggerDict
    return [logging.getLogger(name) for name in list(known) if name.startswith("torch.")]


@contextmanager
def _without_native_noise() -> Iterator[None]:
    """C++ writes to the descriptor itself; every line of it but INFO is passed on at the end."""
    kept = os.dup(_STDERR)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            _pass_on(written)


def _pass_on(written: BinaryIO) -> None:
    written.seek(0)
    for line in written:
        if not line.startswith(_NATIVE_NOISE):
            os.write(_STDERR, line)
