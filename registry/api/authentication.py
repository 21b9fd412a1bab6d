"""How a program says who it is."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.request import Request


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer TOKEN` (RFC 6750) with a token made in the admin."""

    keyword = "Bearer"


class SessionForReading(SessionAuthentication):
    """The admin's session, for addresses where a POST changes nothing.

    A token against forged requests would protect nothing there: another site's page may send a
    query, as it may open an address, but reads no answer.
    """

    def enforce_csrf(self, request: Request | HttpRequest) -> None:
        """Nothing to enforce."""


class BasicOnceVerified(BasicAuthentication):
    """HTTP Basic whose password is hashed in full at first, not with every request.

    A password's hash is made to cost a third of a second and more, which would be most of what a
    query takes. What is remembered is a digest under a key of this process, of the password and of
    the hash that it was verified against: it is of no use elsewhere, and a changed password is not
    the one remembered.
    """

    def authenticate_credentials(
        self, userid: str, password: str, request: Any = None
    ) -> tuple[Any, None]:
        user = User.objects.filter(username=userid, is_active=True).first()
        seal = _seal(user.password, password) if user else b""
        if user and seal in _VERIFIED:
            return user, None
        verified: tuple[Any, None] = super().authenticate_credentials(userid, password, request)
        _VERIFIED[seal] = None
        while len(_VERIFIED) > _MOST_VERIFIED:
            _VERIFIED.popitem(last=False)
        return verified


_PROCESS_KEY = secrets.token_bytes(32)
_MOST_VERIFIED = 1_000
_VERIFIED: OrderedDict[bytes, None] = OrderedDict()


def _seal(stored: str, password: str) -> bytes:
    return hmac.digest(_PROCESS_KEY, f"{stored}\0{password}".encode(), "sha256")
