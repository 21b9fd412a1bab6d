"""The first administrator of an installation."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth import get_user_model

ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class Login:
    """A name and where its password lies (a file that only its owner reads)."""

    username: str
    password_file: Path


def ensure_administrator(keys_dir: Path) -> Login:
    """Make `admin` with a random password at first use; an existing account is left as it is."""
    path = keys_dir / "admin-password"
    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists():
        password = secrets.token_urlsafe(12)
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
        users.create_superuser(ADMINISTRATOR, password=password)
    return Login(ADMINISTRATOR, path)
