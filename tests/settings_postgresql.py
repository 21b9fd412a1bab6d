"""The test suite's settings with a PostgreSQL database, whose address the environment gives."""

import os

from deploy.environment import postgresql_database
from tests.settings import *  # noqa: F403

DATABASES = {"default": postgresql_database(os.environ["POSTGRESQL_FOR_TESTS"])}
