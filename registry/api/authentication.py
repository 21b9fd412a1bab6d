"""How a program says who it is."""

from __future__ import annotations

from rest_framework.authentication import TokenAuthentication


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer TOKEN` (RFC 6750) with a token made in the admin."""

    keyword = "Bearer"
