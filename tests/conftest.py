"""What tests share: longest files first, so that two workers end together; forked children; two fixtures."""

import sys
from pathlib import Path

import nursery
import pytest

LONGEST = (
    *("test_types", "test_killed_game", "test_cli_game", "test_docs", "test_cli", "test_audit_doors"),
    *("test_models_load", "test_depth", "test_interp_crosscoder", "test_audit_methods"),
    *("test_concealments", "test_report_browser", "test_gate_tiny", "test_moral_sampling", "test_ladders"),
    *("test_worse_remedies", "test_moral", "test_recipes", "test_blue_team", "test_match"),
    *("test_character_train", "test_organisms", "test_worse_search", "test_interp_files", "test_fix"),
    *("test_kept_planting", "test_interp_capture", "test_red_team_parts"),
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


# Both import late: what is imported above loads torch for every run, the process that deals out files too.
@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration that judges in searches of `worse`."""
    from worse_cases import write_judge

    return write_judge(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="session")
def quirk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a quirk that the tiny model learns."""
    from tiny_game import write_quirks

    return write_quirks(tmp_path_factory.mktemp("quirks")) / "hashes.json"
