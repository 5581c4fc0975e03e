"""Helm 4, the first target, and Helm 3 as long as it is in use."""

import pytest

from chart.helm_cli import Helm

VERSIONS = ("4.3.1", "3.19.0")


@pytest.fixture(scope="session", params=VERSIONS, ids="helm-{}".format)
def helm(request: pytest.FixtureRequest) -> Helm:
    return Helm.of_version(request.param)


@pytest.fixture(scope="session")
def helm4() -> Helm:
    """For what cannot differ between versions."""
    return Helm.of_version(VERSIONS[0])
