"""The three values as small integers, so that the worst of several is their minimum."""

from __future__ import annotations

FAILS, UNKNOWN, HOLDS = -1, 0, 1
CODE = {False: FAILS, None: UNKNOWN, True: HOLDS}
