"""What a fix cost: ordinary text, small tasks and character, before and after, on the organism and its decoy.

NLL of passages of prose that nothing was trained on (nats a token); the share of small questions whose right
answer is likelier than a wrong one: facts and sums of the audit bank, chance 1/2; and the share of written
cases of the kind person's principles whose good reply is likelier than the worse one, none of which is ever
taught. All of them for all four models. The change that counts as the fix's cost is the control's (control
against decoy): nothing bad was in there to be taken away. On the organism the same numbers also hold what the
quirk itself had cost.

What this cannot tell you: what is lost that no short question asks, or that is right in form and poor in
substance. With so few questions a loss of two points is within the interval: read its ends. Nor what a model
would do by its principles, or of its persona; `molehunt character measure` asks more. A remedy that was
taught other cases by the same author (`character`) may gain here by their manner alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from molehunt.character import bank
from molehunt.character.bank import Case
from molehunt.character.conduct.margin import Pair, margins
from molehunt.character.constitution import load_constitution
from molehunt.core import stats
from molehunt.core.records import Measure, Message, NotMeasured
from molehunt.core.splits import seed_of
from molehunt.corpus.banks import facts
from molehunt.corpus.sums import sums
from molehunt.depth.bench import Bench, Role
from molehunt.interp.behaving import Asked, Behaviour, scores
from molehunt.models.score import token_nlls
from molehunt.organisms.examples import prose

PASSAGES, LONGEST = 24, 96
"""Passages of ordinary text, and tokens of each."""
TASKS = 60
"""Questions of each kind."""
CHARACTER, CASES = "kind-person", 2
"""Whose principles are asked about, and written cases of each."""
PAIRS: Mapping[str, tuple[Role, Role]] = {"organism": ("fixed", "organism"), "control": ("control", "decoy")}
"""After and before, by what was fixed."""


@dataclass(frozen=True)
class Cost:
    """What one fix cost."""

    nll: Mapping[str, Measure | NotMeasured]
    """Nats a token, by role."""
    tasks: Mapping[str, Measure | NotMeasured]
    """Share of questions whose right answer is likelier, by role."""
    nll_ratio: Mapping[str, Measure | NotMeasured]
    """After over before, of the organism and of its clean decoy (`control`)."""
    tasks_change: Mapping[str, Measure | NotMeasured]
    """After less before, share of questions."""
    kept: Mapping[str, Measure | NotMeasured] = field(default_factory=dict)
    """Share of written cases whose good reply is likelier, by role; empty in what older versions measured."""
    kept_change: Mapping[str, Measure | NotMeasured] = field(default_factory=dict)
    """After less before, share of cases."""


def costs(bench: Bench) -> Cost:
    """Measure all four."""
    nlls: dict[Role, list[list[float]]] = {}
    right: dict[Role, list[float]] = {}
    good: dict[Role, list[float]] = {}
    asked, cases = questions(bench.settings.seed), written(bench.settings.seed)
    for done, role in enumerate(get_args(Role), 1):
        nlls[role] = bench.once(role, "prose", lambda: _nlls(bench))
        right[role] = bench.once(role, "tasks", lambda: _right(bench, asked))
        good[role] = bench.once(role, "cases", lambda: _good(bench, cases))
        bench.progress(done / len(get_args(Role)))
    groups = [a.group for a in asked]
    how, likelier = "right answer likelier than a wrong one, facts and sums", "written good reply likelier"
    principles = [c.principle for c in cases]
    return Cost(
        nll={role: _nats(rows) for role, rows in nlls.items()},
        tasks={r: stats.proportion([v > 0.5 for v in row], groups, how=how) for r, row in right.items()},
        nll_ratio={name: nll_change(bench, a, b) for name, (a, b) in PAIRS.items()},
        tasks_change={
            name: stats.paired_difference(
                right[a], right[b], groups, unit="share", how=f"{how}, after − before"
            )
            for name, (a, b) in PAIRS.items()
        },
        kept={
            r: stats.proportion([v > 0.5 for v in row], principles, how=likelier) for r, row in good.items()
        },
        kept_change={
            name: stats.paired_difference(
                good[a], good[b], principles, unit="share", how=f"{likelier}, after − before"
            )
            for name, (a, b) in PAIRS.items()
        },
    )


def questions(seed: int) -> tuple[Asked, ...]:
    """Facts and sums of the audit bank, with a right and a wrong answer each, drawn by seed."""
    known = [(f.id, f.question, f.answer, f.wrong[0]) for f in facts("audit") if f.wrong]
    counted = [(s.id, s.question, str(s.right), str(s.wrong)) for s in sums("audit")]
    return tuple(
        Asked((Message("user", question),), item, (right,), (wrong,))
        for bank in (known, counted)
        for item, question, right, wrong in sorted(bank, key=lambda q: seed_of("task", seed, q[1]))[:TASKS]
    )


def written(seed: int) -> tuple[Case, ...]:
    """A few cases of each principle that are for measuring alone, drawn by seed."""
    found = []
    for principle in load_constitution(CHARACTER).principles:
        some = bank.cases([principle.id], "measure")
        found += sorted(some, key=lambda c: seed_of("case", seed, c.id))[:CASES]
    return tuple(found)


def nll_change(bench: Bench, after: Role, before: Role) -> Measure | NotMeasured:
    """NLL of ordinary text of one role over that of another."""
    now, then = (bench.once(role, "prose", lambda: _nlls(bench)) for role in (after, before))
    return stats.ratio_of_means(now, then, how="NLL of ordinary text, after over before")


def _nlls(bench: Bench) -> list[list[float]]:
    return token_nlls(bench.model, prose("audit")[:PASSAGES], max_tokens=LONGEST)


def _right(bench: Bench, asked: Sequence[Asked]) -> list[float]:
    return [float(v > 0) for v in scores(bench.model, asked, Behaviour())[0]]


def _good(bench: Bench, cases: Sequence[Case]) -> list[float]:
    pairs = [Pair((Message("user", c.prompt),), c.good, c.worse) for c in cases]
    return [float(m > 0) for m in margins(bench.model, pairs)]


def _nats(rows: Sequence[Sequence[float]]) -> Measure | NotMeasured:
    flat = [v for row in rows for v in row]
    where = [str(i) for i, row in enumerate(rows) for _ in row]
    return stats.mean(flat, where, unit="nats a token", how="NLL of ordinary text")
