"""DFT-Gaze: its exact size, what of it a user tunes, and that tuning touches nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.compression.datasets.eyes import angular_error_degrees, drawn
from orchestrator.compression.zoo import gaze
from orchestrator.compression.zoo.entry import parameters
from orchestrator.compression.zoo.gaze_tuning import (
    DistillationConfig,
    PersonalConfig,
    distil,
    personalised,
)
from orchestrator.compression.zoo.normalisation import GlobalResponseNorm, LayerNorm
from orchestrator.compression.zoo.training import outputs

pytestmark = pytest.mark.slow  # torch takes seconds to load


def tunable(network: gaze.GazeNetwork) -> int:
    return sum(weights.numel() for weights in network.tunable())


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.fixture
def user():
    (images,) = drawn(1, 6, np.random.default_rng(3))
    return images


def test_it_is_as_large_as_the_paper_says():
    student, teacher = gaze.build(1.0), gaze.build_teacher(1.0)
    assert (parameters(student), tunable(student)) == (281_012, 14_432)
    assert tunable(teacher) == 191_702


def test_a_user_tunes_adapters_norm_and_head_alone(user):
    torch.manual_seed(0)
    network = gaze.build(0.25)
    before = weights_of(network)
    personal = weights_of(personalised(network, user, PersonalConfig(steps=3)))
    allowed = {id(weights) for weights in network.tunable()}
    tuned = {key for key, weights in network.named_parameters() if id(weights) in allowed}
    changed = {key for key in before if not torch.equal(before[key], personal[key])}
    assert changed == tuned
    assert all(torch.equal(before[key], value) for key, value in weights_of(network).items())


def test_a_users_images_lower_the_error_on_them(user):
    torch.manual_seed(0)
    network = gaze.build(0.25)
    personal = personalised(network, user, PersonalConfig(steps=20))
    errors = [
        angular_error_degrees(outputs(each, user.inputs)[0], user.targets)
        for each in (network, personal)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_a_student_learns_from_its_teacher_which_stays_as_it_is(user):
    torch.manual_seed(0)
    teacher, student = gaze.build_teacher(0.25), gaze.build(0.25)
    as_it_was, untaught = weights_of(teacher), outputs(student, user.inputs)
    config = DistillationConfig(answers=1.0)
    distil(student, teacher, gaze.ENTRY, user, 0, config, epochs=20)
    assert all(torch.equal(as_it_was[key], value) for key, value in weights_of(teacher).items())
    wanted, taught = (outputs(network, user.inputs)[0] for network in (teacher, student))
    errors = [np.mean((said - wanted) ** 2) for said in (untaught[0], taught)]
    assert errors[1] < 0.5 * errors[0]


def test_no_two_users_look_alike_and_a_seed_draws_them_again():
    once, again = (drawn(2, 3, np.random.default_rng(1)) for _ in range(2))
    for first, second in zip(once, again, strict=True):
        assert np.array_equal(first.inputs, second.inputs)
    assert not np.array_equal(once[0].inputs, once[1].inputs)
    assert once[0].inputs.min() >= 0
    assert once[0].inputs.max() <= 1


def test_an_angle_is_that_between_two_lines_of_sight():
    ahead, right = np.zeros((1, 2), np.float32), np.array([[1.0, 0.0]], np.float32)
    assert angular_error_degrees(ahead, right) == pytest.approx(30)
    assert angular_error_degrees(right, right) == pytest.approx(0, abs=1e-4)


def test_layer_norm_is_torchs():
    ours, theirs = LayerNorm(12), nn.LayerNorm(12)
    x = torch.from_numpy(np.random.default_rng(0).normal(2, 3, (4, 5, 12)).astype(np.float32))
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_global_response_norm_is_the_papers():
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 3, 4, 6)).astype(np.float32))
    norm = GlobalResponseNorm(6)
    nn.init.normal_(norm.gamma, generator=torch.Generator().manual_seed(0))
    strength = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
    paper = norm.gamma * x * strength / strength.mean(-1, keepdim=True) + norm.beta + x
    assert torch.allclose(norm(x), paper, atol=1e-3)
