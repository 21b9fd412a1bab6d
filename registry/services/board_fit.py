"""Whether a file would run on a board of the catalogue, before anything is registered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from ontology.facts import Capacity, Constraint, Metric, Need, Verdict
from ontology.matching import assess
from registry.footprint.description import Board, Description, describe
from registry.footprint.figures import derived_figures
from registry.formats.model_file import MEDIA_TYPES
from registry.models import BoardType, CapabilityProfile
from registry.projection import facts
from registry.services.lookup import LookupFailed

# A file says nothing of the sensors that will feed it.
_ASKED = (
    Constraint.FLASH,
    Constraint.RAM,
    Constraint.OPERATORS,
    Constraint.DTYPES,
    Constraint.RUNTIME,
)


@dataclass(frozen=True, slots=True)
class BoardFit:
    """A file's description for one board, and whether it fits that board without firmware."""

    board: BoardType
    description: Description
    verdict: Verdict


def judge_file(data: bytes, board_slug: str, kernels: str) -> BoardFit:
    """Describe a model file for a board and judge it under the bare board's reserve.

    Writes nothing. Raises FormatError for bytes that are no sound network and LookupFailed for a
    board that the catalogue lacks.
    """
    board = find_board(board_slug)
    target = Board(board.slug, board.core, board.clock_hz)
    description = describe(data, board=target, kernels=kernels)
    verdict = assess(_need(description), bare_board_capacity(board, kernels), only=_ASKED)
    return BoardFit(board, description, verdict)


def find_board(slug: str) -> BoardType:
    """The board type with that slug, or LookupFailed with the nearest names."""
    board = BoardType.objects.filter(slug=slug).first()
    if board is not None:
        return board
    known = list(BoardType.objects.values_list("slug", flat=True))
    if not known:
        raise LookupFailed("the catalogue is empty; load it with manage.py load_catalogue")
    near = get_close_matches(slug, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise LookupFailed(f"there is no board {slug!r} in the catalogue{hint}")


def _need(description: Description) -> Need:
    return Need(
        variant="",
        flash_bytes=description.file_bytes,
        figures=tuple(
            figure for figure in derived_figures(description) if figure.metric is not Metric.MACS
        ),
        operators=description.network.operator_versions,
        dtypes=description.known_dtypes,
        sensors=None,
        runtimes=facts.RUNTIMES_OF_FORMAT[MEDIA_TYPES[description.network.file_format]],
    )


def bare_board_capacity(board: BoardType, kernels: str) -> Capacity:
    """A bare board's under its reserve, with a runtime of the kernels that were asked for."""
    profile = CapabilityProfile(board=board, firmware=None, sensors=None)
    capacity = facts.capacity_of(profile, facts.BareBoard.from_settings())
    if capacity.runtime is None:
        return capacity
    return replace(capacity, runtime=replace(capacity.runtime, kernels=kernels))
