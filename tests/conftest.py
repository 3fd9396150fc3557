"""What all tests share: the longest files begin first, so that two workers end together; children fork."""

import sys

import nursery
import pytest

LONGEST = (
    *("test_killed_game", "test_docs", "test_cli_game", "test_cli", "test_match", "test_interp_crosscoder"),
    *("test_audit_doors", "test_models_load", "test_fix", "test_audit_methods", "test_concealments"),
    *(
        "test_recipes",
        "test_starter",
        "test_organisms",
        "test_depth_runs",
        "test_worse_search",
        "test_worse_remedies",
        "test_bring",
        "test_kept_planting",
    ),
    *("test_report_browser", "test_character_train", "test_difficulty", "test_depth"),
)
"""Files that take fifteen seconds and more; what comes after them is dealt in small parts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, the others in their order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _children_are_forks() -> None:
    """Whoever starts a game's child in this process or its commands asks the nursery for it."""
    sys.executable = nursery.interpreter()
