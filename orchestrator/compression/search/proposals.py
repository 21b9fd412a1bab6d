"""Which choice to try next: optuna's TPE, one study a budget, all of them told of every trial.

Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011), section 4, with constraints
as in Watanabe and Hutter, "c-TPE" (2023): what overruns a budget is told by how much.
"""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler

from ontology.facts import SensorNeed
from orchestrator.compression.search.choices import Choice, Dimension, OneOf, Space, checked, key
from orchestrator.compression.search.trials import Trial
from orchestrator.policy.budgets import Budget, excess

_RANDOM_FIRST = 4  # in each study, before TPE has something to go by
_TRIES = 8  # to find a choice that was not tried yet

optuna.logging.set_verbosity(optuna.logging.WARNING)


def proposal(
    space: Space,
    budget: Budget,
    sensors: tuple[SensorNeed, ...] | None,
    trials: Sequence[Trial],
    seed: int,
) -> Choice:
    """The choice to try next for one budget, after these trials; the same for the same arguments.

    Nothing is remembered between calls, so a search that was killed goes on as if it had not been.
    """
    tried = {key(trial.choice) for trial in trials}
    choice: Choice = {}
    for attempt in range(_TRIES):
        choice = _ask(space, budget, sensors, trials, seed * _TRIES + attempt, attempt > 2)
        if key(choice) not in tried:
            break
    return checked(space, choice)


def _ask(
    space: Space,
    budget: Budget,
    sensors: tuple[SensorNeed, ...] | None,
    trials: Sequence[Trial],
    seed: int,
    blind: bool,
) -> Choice:
    guided = TPESampler(seed=seed, n_startup_trials=_RANDOM_FIRST, multivariate=True)
    study = optuna.create_study(
        direction="maximize", sampler=RandomSampler(seed=seed) if blind else guided
    )
    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    for trial in trials:
        if trial.choice.keys() != space.keys():
            continue  # of a search that began before a dimension came or went
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(trial.choice),
                distributions=distributions,
                value=trial.score or 0.0,
                constraints=excess(budget, trial.need(sensors)),
            )
        )
    return study.ask(distributions).params


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, OneOf):
        return CategoricalDistribution(dimension.values)
    return IntDistribution(dimension.least, dimension.most, step=dimension.step)
