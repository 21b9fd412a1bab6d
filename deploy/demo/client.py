"""The demonstration as a user of the installation's own web edge."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from django.conf import settings

from deploy.accounts import ADMINISTRATOR

_COUNT_DEVICES = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT (COUNT(DISTINCT ?device) AS ?devices) WHERE { ?device a tf:Device ; tf:profile ?profile }
"""


@dataclass(frozen=True, slots=True)
class Client:
    """Asks over HTTP with the administrator's name and password."""

    base_url: str
    password: str

    @classmethod
    def from_settings(cls) -> Client:
        """The client of this installation."""
        password = (settings.KEYS_DIR / "admin-password").read_text()
        return cls(f"http://{settings.WEB_HOST}:{settings.WEB_PORT}", password)

    def count_devices(self) -> int:
        """How many devices the knowledge graph knows, asked at /sparql."""
        answer = httpx.post(
            f"{self.base_url}/sparql",
            data={"query": _COUNT_DEVICES},
            headers={"Accept": "application/sparql-results+json"},
            auth=(ADMINISTRATOR, self.password),
            timeout=settings.NETWORK_TIMEOUT_S,
        )
        answer.raise_for_status()
        return int(answer.json()["results"]["bindings"][0]["devices"]["value"])
