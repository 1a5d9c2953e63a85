"""The fixture ``apmatrix_host``."""

from __future__ import annotations

import os
from typing import Callable, Iterator

import pytest

from apmatrix.host import Host, Lacking


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("apmatrix").addoption(
        "--apmatrix-required",
        action="store_true",
        default=os.environ.get("APMATRIX_REQUIRED") == "1",
        help="fail tests that use apmatrix_host where /dev/fuse or namespaces are missing, instead of skipping them",
    )


@pytest.fixture
def apmatrix_host(request: pytest.FixtureRequest) -> Iterator[Callable[..., Host]]:
    """Boots hosts: ``apmatrix_host(machine="tiny")``; all end with the test."""
    hosts: list[Host] = []

    def boot(machine: str | os.PathLike[str] = "default") -> Host:
        try:
            host = Host(machine)
        except Lacking as lacking:
            if request.config.getoption("--apmatrix-required"):
                pytest.fail(str(lacking), pytrace=False)
            pytest.skip(str(lacking))
        hosts.append(host)
        return host

    yield boot
    for host in reversed(hosts):
        host.close()
