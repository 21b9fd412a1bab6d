"""Where an alias belongs: the rule alone, driven through random histories of two parties."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.policy.aliases import (
    NOWHERE,
    AliasFacts,
    Deed,
    Move,
    choose_deed,
    read_move,
)

# Two versions of each of three releases of ours, and one of somebody else's.
RELEASES = {"a": ("1", "2"), "b": ("3", "4"), "c": ("5", "6")}
OURS = [version for versions in RELEASES.values() for version in versions]
FOREIGN = "9"


def release_of(version: str) -> str | None:
    return next((name for name, versions in RELEASES.items() if version in versions), None)


@dataclass
class Installation:
    """The registry's side as the service keeps it, with a server that anybody may write to."""

    title: str | None = None
    stands_at: str = NOWHERE
    told: str | None = None
    put: str = NOWHERE
    putting: str = NOWHERE
    answered: str = NOWHERE
    proposed: str | None = None
    is_open: bool = False
    proposals: list[str] = field(default_factory=list)

    def facts(self) -> AliasFacts:
        titled = RELEASES.get(self.title or "", ())
        here = self.proposed is not None and release_of(self.stands_at) == self.proposed
        return AliasFacts(
            stands_at=self.stands_at,
            own=frozenset({self.put, self.putting}),
            titled=frozenset(titled),
            face=titled[0] if titled else NOWHERE,
            is_ours=self.stands_at in OURS,
            answered=self.answered,
            title_moved=self.told != self.title,
            proposal_pending=here and self.is_open,
            proposal_ended=here and not self.is_open and self.stands_at == self.answered,
        )

    def look(self, *, dies_before_saving: bool = False) -> None:
        """One turn of the job; a killed one has written its intent and moved the alias."""
        facts = self.facts()
        if read_move(facts) is Move.WISH:
            self.answered = self.stands_at
            self.proposed, self.is_open = release_of(self.stands_at), True
            self.proposals.append(self.stands_at)
            facts = self.facts()
        elif facts.proposal_pending:
            self.answered = self.stands_at
        elif self.stands_at in facts.titled | facts.own | {NOWHERE}:
            self.answered = NOWHERE
            if self.stands_at in facts.titled:
                self.put = self.putting = self.stands_at
        deed = choose_deed(facts)
        if deed is not Deed.LEAVE:
            if self.stands_at in facts.own | facts.titled:
                self.put = self.stands_at
            self.putting = self.stands_at = facts.face if deed is Deed.PUT else NOWHERE
            if dies_before_saving:
                return
            self.put, self.answered = self.stands_at, NOWHERE
        self.told = self.title


TITLES = st.sampled_from([None, *RELEASES])


@given(st.lists(st.tuples(TITLES, st.sampled_from(["look", "killed", "away"])), max_size=12))
def test_what_we_do_alone_never_proposes_and_ends_at_the_title(history):
    here = Installation()
    for title, then in history:
        here.title = title
        if then != "away":
            here.look(dies_before_saving=then == "killed")
    here.look()
    here.look()
    assert here.proposals == []
    assert here.stands_at == (RELEASES[here.title][0] if here.title else NOWHERE)


@given(TITLES, st.sampled_from(OURS), st.integers(1, 4))
def test_a_move_of_somebody_elses_proposes_once(title, version, looks):
    here = Installation(title=title)
    here.look()
    here.stands_at = version
    for _ in range(looks):
        here.look()
    holds_it = title is not None and version in RELEASES[title]
    assert here.proposals == ([] if holds_it else [version])
    assert here.stands_at == version


@given(st.sampled_from(list(RELEASES)), st.sampled_from(OURS))
def test_a_proposal_that_was_turned_down_puts_the_alias_back(title, version):
    here = Installation(title=title)
    here.look()
    before = here.stands_at
    here.stands_at = version
    here.look()
    here.is_open = False
    here.look()
    assert here.stands_at == (version if version in RELEASES[title] else before)
    here.stands_at = version
    here.look()
    assert len(here.proposals) == (0 if version in RELEASES[title] else 2)


@given(TITLES, st.sampled_from(OURS), st.booleans())
def test_a_wish_that_came_true_goes_back_with_its_title(title, version, seen_in_between):
    here = Installation(title=title)
    here.look()
    here.stands_at = version
    here.look()
    wished = list(here.proposals)
    here.title, here.is_open = release_of(version), False
    if seen_in_between:
        here.look()
        assert here.stands_at == version
    here.title = title
    here.look()
    here.look()
    assert here.proposals == wished
    if title is not None:
        assert here.stands_at in RELEASES[title]


def test_without_a_title_a_wish_that_was_turned_down_is_left_alone():
    here = Installation(stands_at="3")
    here.look()
    here.is_open = False
    here.look()
    assert (here.stands_at, here.proposals) == ("3", ["3"])


@given(TITLES, st.sampled_from(list(RELEASES)))
def test_a_foreign_version_stays_until_the_title_moves(title, later):
    here = Installation(title=title)
    here.look()
    here.stands_at = FOREIGN
    here.look()
    assert read_move(here.facts()) is Move.FOREIGN
    assert (here.stands_at, here.proposals) == (FOREIGN, [])
    here.title = later
    here.look()
    assert here.stands_at == (FOREIGN if later == title else RELEASES[later][0])


@given(st.sampled_from(list(RELEASES)))
def test_an_alias_that_was_taken_away_comes_back(title):
    here = Installation(title=title)
    here.look()
    here.stands_at = NOWHERE
    here.look()
    assert here.stands_at == RELEASES[title][0]


def test_two_that_share_a_model_do_not_take_the_alias_from_each_other_for_ever():
    """Each knows the other's versions as foreign; the alias is the last one's whose title moved."""
    ours = Installation(title="a")
    ours.look()
    ours.stands_at = FOREIGN  # the other's
    for _ in range(5):
        ours.look()
        assert ours.stands_at == FOREIGN
