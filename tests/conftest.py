"""Fixtures that every test may ask for, and how hard Hypothesis tries."""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from api.embedded import Embedded
from tests.support.database import TestDatabase, add_template, clone, fresh, new_server, remove

# OBOLE_HYPOTHESIS chooses one. A shared machine stalls now and then, so no example has a deadline.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("OBOLE_HYPOTHESIS", "ci" if "CI" in os.environ else "dev"))


@pytest.fixture(scope="session")
def server() -> Generator[Embedded]:
    """Run this worker's PostgreSQL, without fsync, the migrated template in it."""
    with new_server(durable=False) as running:
        add_template(running)
        yield running


@pytest.fixture(scope="session")
def durable_server() -> Generator[Embedded]:
    """Run a PostgreSQL as it runs in production, with fsync, the migrated template in it."""
    with new_server(durable=True) as running:
        add_template(running)
        yield running


@pytest.fixture
def database(server: Embedded) -> Generator[TestDatabase]:
    """Give a migrated database of the test's own: `.app_url`, `.owner_url`, `.name`."""
    with clone(server) as made:
        yield made


@pytest.fixture
def empty_database(server: Embedded) -> Generator[TestDatabase]:
    """Give a database that no migration has touched."""
    with fresh(server) as made:
        yield made


@pytest.fixture
def durable_database(durable_server: Embedded) -> Generator[TestDatabase]:
    """Give a migrated database on a server with fsync, for what is about durability or speed."""
    with clone(durable_server) as made:
        yield made


@pytest.fixture
def lone_database() -> Generator[TestDatabase]:
    """Give a migrated database on a server of the test's own, which it may stop or kill.

    `with lone_database.server.away():` is a database that is down for a while.
    """
    with new_server(durable=True) as running:
        add_template(running)
        with clone(running) as made:
            yield made


@pytest.fixture
def obole_home() -> Generator[Path]:
    """Give an OBOLE_HOME that does not exist yet, removed with its server's data after the test.

    It stands where everybody may enter, unlike `tmp_path`: for root, a server's data would be put
    outside that, and stay.
    """
    with tempfile.TemporaryDirectory(prefix="obole-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"
        remove(Path(folder) / "home")
