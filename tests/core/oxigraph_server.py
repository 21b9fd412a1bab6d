"""A real Oxigraph server for a test, on a free port, gone when the test is."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def oxigraph_server(directory: Path) -> Iterator[str]:
    """The address of a server over this directory, once it says that it listens."""
    port = free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("oxigraph"),
            *("serve", "--location", directory, "--bind", f"127.0.0.1:{port}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            said = process.stderr.readline()
            assert "Listening" in said, said
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
