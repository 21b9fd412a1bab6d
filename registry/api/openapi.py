"""What the OpenAPI description says of our own ways to sign in."""

from __future__ import annotations

from drf_spectacular.authentication import BasicScheme


class BasicOnceVerifiedScheme(BasicScheme):
    """HTTP Basic like any other: what is remembered of a password shows nowhere outside."""

    target_class = "registry.api.authentication.BasicOnceVerified"
