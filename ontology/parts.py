"""How descriptions say that one thing is a part of another, in the terms of SSN and SOSA.

Source: W3C, Semantic Sensor Network Ontology, https://www.w3.org/TR/vocab-ssn/.
"""

from __future__ import annotations

# Stated of the whole: what follows is its part.
HAS_PART = ("ssn:hasSubSystem", "sosa:hosts")
# The inverses, stated of the part: what follows is the whole.
IS_PART_OF = ("ssn:isSubSystemOf", "sosa:isHostedBy")
