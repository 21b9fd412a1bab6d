"""Settings for the test suite: a state folder of its own, nothing that reaches a running system."""

import os
import tempfile

os.environ.setdefault("TINYFLEET_VAR", tempfile.mkdtemp(prefix="tinyfleet-tests-"))

from deploy.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
