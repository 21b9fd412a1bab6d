"""Tables as text, for commands that answer people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 160  # of lines in a file or a pipe; long names fit


def rendered(table: Table) -> str:
    """As text, coloured on a terminal only; a file or a pipe gets wide lines."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    return captured.get()
