import pytest

from tests.shop import shop, world

__all__ = ["many", "shop", "world"]


@pytest.fixture
def many(request: pytest.FixtureRequest) -> int:
    """A busy player's operations in a year. Sums over so many are not another PostgreSQL's affair: there, fewer."""
    return 1000 if request.node.callspec.params["postgres"] == "postgresql15" else 5000
