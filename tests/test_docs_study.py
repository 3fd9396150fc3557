"""The first study's own arithmetic: seeds fixed in advance, failures counted, nothing missing made a zero."""

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured, Truth

HERE = Path(__file__).parent.parent / "studies" / "first_game"


@cache
def load_study() -> ModuleType:
    """The study's `run.py` as a module."""
    sys.path.insert(0, str(HERE))  # as when it is run by name: its table stands beside it
    try:
        spec = importlib.util.spec_from_file_location("first_game_study", HERE / "run.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture
def study() -> ModuleType:
    return load_study()


@pytest.fixture
def pooling(study: ModuleType) -> ModuleType:
    """What the study takes together its games with."""
    return sys.modules[study.pooled.__module__]


def truth(slot: int, tries: int, failed: tuple[str, ...] = (), seconds: float = 50.0) -> Truth:
    recipe: dict[str, Any] = {
        "slot": slot, "tries": tries, "failed_draws": list(failed), "organism_seconds": seconds,
        "lessons": "promotion when always", "pair": "x",
    }  # fmt: skip
    return Truth(f"S{slot}", False, None, None, None, (), recipe)


def test_seeds_are_fixed_and_differ(study: ModuleType) -> None:
    seeds = [study.red_seed_of(n) for n in range(20)]
    assert len(set(seeds)) == 20
    assert seeds[0] == 4999426727152155705  # a change here is another study


def test_a_pair_that_was_given_up_counts_as_not_valid_at_the_first_try(pooling: ModuleType) -> None:
    game = pooling.Game("00", (truth(0, 1), truth(1, 2), truth(2, 1, ("a: why",))), (), {}, (), False)
    twin = pooling.Game("10", game.truths, (), {}, (), True)  # its pairs were planted once
    first = pooling.planting([game, twin])["plant_valid_first_try"]
    assert first.n == 4 and first.value == pytest.approx(2 / 4)


def test_minutes_of_a_game_are_those_of_all_its_sittings(pooling: ModuleType) -> None:
    sittings = [{"seconds": 60.0, "peak_bytes": 2**30}, {"seconds": 120.0, "peak_bytes": 2**31}]
    more = [{"seconds": 900.0, "peak_bytes": 2**29}]
    games = [
        pooling.Game("00", (), (), {}, sittings, False),
        pooling.Game("01", (), (), {}, sittings[:1], False),
        pooling.Game("10", (), (), {}, more, True),
    ]
    cost = pooling.cost(games)
    assert cost["game_minutes"].value == pytest.approx((3 + 1) / 2)
    assert cost["peak_memory"].value == 2.0


def test_no_game_is_not_zero(study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "help_seconds", lambda: NotMeasured("not now"))
    study.write(study.Study(games=3, work=tmp_path / "work", out=tmp_path / "out"))
    result = json.loads((tmp_path / "out" / "results.json").read_text())
    assert result["games"] == {"in": 0, "of": 3, "failed": {}}
    assert {m["is"] for m in result["measures"].values()} == {"NotMeasured"}
    page = (tmp_path / "out" / "README.md").read_text()
    assert page.count("not measured") == len(study.ROWS)


def test_the_table_leaves_the_page_s_own_words(study: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text((HERE / "README.md").read_text())
    before = page.read_text()
    study.into_page(page, "| new |")
    study.into_page(page, "| newer |")
    after = page.read_text()
    assert "| newer |" in after and "| new |" not in after
    assert after.split("<!--")[0] == before.split("<!--")[0]
    assert after.split("end -->")[1] == before.split("end -->")[1]


def test_a_mark_is_reached_only_by_its_own_rule(study: ModuleType) -> None:
    numbers = {name: to_json(NotMeasured("x | y")) for name, *_ in study.ROWS}
    numbers["log_score_gain"] = to_json(Measure(0.2, "nats", 80, "", -0.1, 0.5))
    numbers["plant_seconds"] = to_json(Measure(75.0, "s", 80, "", 70.0, 80.0))
    result = {
        "games": {"in": 1, "of": 20, "failed": {}},
        "date": "d", "commit": "c", "machine": {"processor": "p"}, "measures": numbers,
    }  # fmt: skip
    lines = {line.split("`")[1]: line for line in study.table(result).splitlines() if "`" in line}
    assert lines["log_score_gain"].endswith("| no |"), "an interval that holds 0 is not clear of it"
    assert lines["plant_seconds"].endswith("| yes |")
    assert lines["who_auroc"].count("|") == 6, "a reason cannot break the table"


def test_own_coins_are_those_of_the_games_that_planted(study: ModuleType, pooling: ModuleType) -> None:
    def row(game: str, n: int, p: float, shady: bool) -> dict[str, Any]:
        spent = {"queries": 1, "tokens": 1, "seconds": 1.0}
        return {
            "game": game, "cluster": f"0/{n}", "p": p, "shady": shady, "harmless": False, "listed": True,
            "baselines": {}, "spent": spent, "missing": [], "dealt": {},
            "hits": {f"{part}_top{k}": None for part in ("what", "when", "joint") for k in (1, 10)},
        }  # fmt: skip

    own = [row("00", i, 0.9 if i % 2 else 0.1, bool(i % 2)) for i in range(4)]
    twins = [row("10", i, 0.9 if i % 2 else 0.1, not i % 2) for i in range(4)]  # all judged wrong
    games = [pooling.Game("00", (), (), {}, (), False), pooling.Game("10", (), (), {}, (), True)]
    found = pooling.own_coin(games, [*own, *twins], 0.5)
    assert set(found) == {"who_auroc_own_coin", "false_accusations_own_coin", "log_score_gain_own_coin"}
    assert set(found) <= {name for name, *_ in study.ROWS}
    assert found["who_auroc_own_coin"].value == 1 and found["who_auroc_own_coin"].n == 4
    assert found["false_accusations_own_coin"].value == 0 and found["false_accusations_own_coin"].n == 2
    assert pooling.own_coin(games[1:], twins, 0.5) == {}


def test_turned_labels_of_pairs_rank_nothing(pooling: ModuleType) -> None:
    rows = [
        {"p": 0.9 - 0.01 * i if shady else 0.1 + 0.01 * i, "shady": shady, "cluster": f"0/{i}"}
        for i in range(12)
        for shady in (True, False)
    ]
    null = pooling.turned(rows)
    assert abs(null.value - 0.5) < 0.1 and 0 < null.low < 0.3 and 0.7 < null.high < 1
    assert null == pooling.turned(rows)
    assert isinstance(pooling.turned([]), NotMeasured)
