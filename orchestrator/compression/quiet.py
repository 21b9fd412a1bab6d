"""Keep converters from talking to the console, without hiding what goes wrong.

Importing this module sets what litert_torch, tqdm and TensorFlow's C++ parts read when they are
imported, so it comes before them. Errors are exceptions and pass through all of this.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # drops INFO, keeps warnings and errors

_CHATTY = ("torchao", "torch.utils._pytree", "root", "jax", "absl")


class _ErrorsOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, libraries' warnings are dropped; errors and our own logs are not."""
    errors_only = _ErrorsOnly()
    loggers = [logging.getLogger(name) for name in _CHATTY]
    for logger in loggers:
        logger.addFilter(errors_only)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(errors_only)
