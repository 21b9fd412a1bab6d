"""What fits what, and why not: the one rule set that gates deployments.

`assess` judges one variant on one profile; `match_all` judges many on many with the same rules;
`rank` orders what came of it; `explain` says a reason in words.
"""

from ontology.matching.figures import accuracy_of, best_figure
from ontology.matching.ranking import rank, relative_headroom
from ontology.matching.rules import assess, restrict
from ontology.matching.sentences import explain
from ontology.matching.table import MatchTable, match_all

__all__ = [
    "MatchTable",
    "accuracy_of",
    "assess",
    "best_figure",
    "explain",
    "match_all",
    "rank",
    "relative_headroom",
    "restrict",
]
