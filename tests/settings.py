"""Settings for the test suite: a state folder of its own, nothing that reaches a running system."""

import atexit
import os
import shutil
import tempfile

_VAR = tempfile.mkdtemp(prefix="tinyfleet-tests-")
atexit.register(shutil.rmtree, _VAR, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("TINYFLEET_")]:
    if _name not in {"TINYFLEET_DATA", "TINYFLEET_FUZZ_EXAMPLES", "TINYFLEET_TEST_SEED"}:
        del os.environ[_name]
os.environ["TINYFLEET_VAR"] = _VAR

from deploy.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SPARQL_WARM_READERS = 0  # each test has a store, and readers, of its own
