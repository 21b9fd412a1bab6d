"""An alias in MLflow that stands for a title here: who moved it, and where it belongs.

MLflow gives an alias to one version of a registered model
(https://mlflow.org/docs/latest/ml/model-registry/), a title belongs to a release with several: the
alias stands at one of them, its face. Anybody may move an alias there and is asked by nobody, so a
move is a wish, which proposes a rollout; only a rollout moves a title.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NOWHERE = ""


class Move(StrEnum):
    """What the place of an alias says."""

    NONE = "none"
    WISH = "wish"
    FOREIGN = "foreign"


class Deed(StrEnum):
    """What is to be done with the alias."""

    LEAVE = "leave"
    PUT = "put"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class AliasFacts:
    """Where an alias stands, and what is known of it. Versions are MLflow's numbers, as text.

    `own` are the versions at which we put it last, or may have begun to, or at which it said what
    the title says; `titled` those of the release that has the title, `face` the one of these that
    is to bear it; `answered` is the wish that was answered last. A proposal is pending from its
    making to its end, for the version at which the alias stands now.
    """

    stands_at: str
    own: frozenset[str]
    titled: frozenset[str]
    face: str
    is_ours: bool
    answered: str
    title_moved: bool
    proposal_pending: bool = False
    proposal_ended: bool = False


def read_move(alias: AliasFacts) -> Move:
    """Whether somebody else moved it, and whether that was answered.

    A foreign version stays foreign until it moves on or is imported; then it is a wish.
    """
    if not _is_moved(alias):
        return Move.NONE
    if not alias.is_ours:
        return Move.FOREIGN
    answered = alias.stands_at == alias.answered or alias.proposal_pending
    return Move.NONE if answered else Move.WISH


def choose_deed(alias: AliasFacts) -> Deed:
    """Where it belongs, once moves have been answered.

    A wish stays where it is until its proposal has ended, a foreign version until the title moves,
    and what others put there is never taken away: of two installations that share a model in
    MLflow neither takes the alias back and forth.
    """
    if alias.proposal_pending or alias.stands_at in alias.titled:
        return Deed.LEAVE
    is_moved = _is_moved(alias)
    if alias.face == NOWHERE:
        is_left_over = alias.stands_at != NOWHERE and not is_moved
        return Deed.REMOVE if is_left_over else Deed.LEAVE
    due = not is_moved or alias.title_moved or alias.proposal_ended
    return Deed.PUT if due else Deed.LEAVE


def _is_moved(alias: AliasFacts) -> bool:
    """Whether it stands where neither the title nor we have put it."""
    return alias.stands_at not in alias.titled | alias.own | {NOWHERE}
