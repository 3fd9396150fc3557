"""What all tests share: the longest files begin first, so that two workers end together."""

import pytest

LONGEST = ("test_killed_game.py", "test_docs.py", "test_cli_game.py", "test_match.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, the others in their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
