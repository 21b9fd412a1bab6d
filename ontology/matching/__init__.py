"""What fits what, and why not: the one rule set that gates deployments.

`assess` judges one variant on one profile; `match_all` judges many on many with the same rules;
`rank` orders what came of it; `explain` says a reason in words.
"""

from ontology.matching.conflicts import conflicts
from ontology.matching.figures import accuracy_of, best_figure, qualities, quality_of
from ontology.matching.language import is_small_for
from ontology.matching.merit import Ranking, merit_of
from ontology.matching.ranking import (
    LatencyTarget,
    Weights,
    parse_weights,
    rank,
    relative_headroom,
    reward,
    weighted_merit,
)
from ontology.matching.rules import assess, restrict
from ontology.matching.sentences import explain
from ontology.matching.table import MatchTable, match_all
from ontology.matching.techniques import assess_technique

__all__ = [
    "LatencyTarget",
    "MatchTable",
    "Ranking",
    "Weights",
    "accuracy_of",
    "assess",
    "assess_technique",
    "best_figure",
    "conflicts",
    "explain",
    "is_small_for",
    "match_all",
    "merit_of",
    "parse_weights",
    "qualities",
    "quality_of",
    "rank",
    "relative_headroom",
    "restrict",
    "reward",
    "weighted_merit",
]
