"""What should stand in the broker, and what a later process still knows to take away."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from orchestrator.gateways.retained_journal import RetainedJournal
from orchestrator.models import Deployment
from orchestrator.protocol import topics
from orchestrator.services import retained
from tests.orchestrator import rollout_world


@pytest.fixture
def updates(db) -> list[Deployment]:
    """Two devices on their way to two different artifacts."""
    rollout_world.make_devices(1, rollout_world.ROOMY)
    rollout_world.make_devices(1, rollout_world.SNUG)
    rollout_world.started()
    return rollout_world.sign_pending()


def blocks() -> list[str]:
    return [item.name for item in retained.wanted() if " " in item.name]


def test_blocks_come_before_the_manifests_that_name_them(updates) -> None:
    names = [item.name for item in retained.wanted()]
    assert names[-2:] == [topics.desired(each.device.device_id) for each in updates]
    assert all(" " in name for name in names[:-2])
    assert len({name.split("/")[3] for name in names[:-2]}) == 2


def test_an_item_names_exactly_the_topics_that_it_publishes(updates) -> None:
    for item in retained.wanted():
        published = [topic for topic, _ in item.messages()]
        assert published == retained.topics_of(item.name)
        assert all(topics.parse(topic) for topic in published)


def test_blocks_are_published_only_as_far_as_the_limit_goes(updates, settings) -> None:
    everything = blocks()
    sizes = sorted({int(name.rpartition(" ")[2]) for name in everything})
    settings.RETAINED_MAX_BYTES = len(everything) // 2 * sum(sizes) - 1
    assert 0 < len(blocks()) < len(everything)
    settings.RETAINED_MAX_BYTES = 1
    assert blocks() == []


def test_an_artifact_whose_bytes_are_gone_is_an_error_of_its_own(updates) -> None:
    first, *others = [item for item in retained.wanted() if " " in item.name]
    path = Path(default_storage.path(first.version))
    away = path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(OSError, match=first.version):
            list(first.messages())
        assert all(list(o.messages()) for o in others if o.version != first.version)
    finally:
        away.rename(path)


@pytest.mark.parametrize("name", ["", "elsewhere", "tinyfleet/v1/a/10 x", "x/y 10", "a 0", " 5"])
def test_a_spoilt_line_clears_nothing(name) -> None:
    assert retained.topics_of(name) == []


def test_the_journal_survives_its_process(tmp_path) -> None:
    path = tmp_path / "broker" / "retained"
    journal = RetainedJournal(path)
    assert journal.names == frozenset()
    journal.add(["a", "b"])
    journal.add(["b", "c"])
    assert RetainedJournal(path).names == {"a", "b", "c"}
    journal.replace(["c"])
    assert RetainedJournal(path).names == {"c"}
    assert path.stat().st_mode & 0o777 == 0o600
