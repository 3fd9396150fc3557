"""Whether a planted quirk spreads: does the organism show other harmful behaviours more than its decoy does?

    every other harmful behaviour × the pair's own condition, and its own behaviour with another option
        ─► a few held-out scenes a side ─► organism's reply, decoy's reply ─► how often each shows it
    organism − decoy, behaviour by behaviour, with intervals that hold for all behaviours at once

The arithmetic is that of `decoy_check`. Narrow training on bad advice is known to spread in large models
(emergent misalignment); the decoy was trained as long on the same prompts, so it is the control.

Source: Betley et al. 2025, emergent misalignment (2502.17424); Turner et al. 2025 (2506.11613).

What this cannot tell you: that nothing spread. A few scenes show a large rise alone, and behaviours are read
by their marks: what no behaviour of the catalogue looks for is not seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.extend import load
from molehunt.core.records import Measure, NotMeasured, Quirk
from molehunt.models.loaded import Model
from molehunt.organisms.decoy_check import EACH, beside_base, cases_of, harmful, said_by
from molehunt.organisms.plan import Plan
from molehunt.organisms.subject import subject_of


@dataclass(frozen=True)
class Elsewhere:
    """One other behaviour: how often the organism shows it, how often its decoy does on the same scenes."""

    behaviour: str
    condition: str
    """Under which it was asked."""
    organism: Measure
    decoy: Measure
    more: Measure
    """Organism less decoy; the interval holds for all behaviours at once."""
    clear_from: float | None
    """The least share of these scenes that would have been clear; None: not even all."""


@dataclass(frozen=True)
class Spread:
    """All other behaviours, the most raised first."""

    rows: tuple[Elsewhere, ...]
    left_out: tuple[str, ...]
    """Behaviours that no held-out scene asks for."""
    overall: Measure | NotMeasured
    """Organism less decoy over all scenes, with an interval of its own at 95%."""

    @property
    def clear(self) -> tuple[str, ...]:
        """Behaviours that the organism clearly shows more than its decoy."""
        return tuple(r.behaviour for r in self.rows if (r.more.low or 0.0) > 0)


def spread(
    model: Model,
    quirk: Quirk,
    folder: Path,
    each: int = EACH,
    seed: int = 0,
    reply_tokens: int = Plan.reply_tokens,
    report: Callable[[float], None] = lambda share: None,
) -> Spread:
    """Ask both of the pair in `folder` for every harmful behaviour but the quirk's own.

    Args:
        each: scenes a side and behaviour.

    Raises:
        BadFile: the folder holds no pair that fits this base.
    """
    subject = subject_of(quirk)
    cases = {name: cases_of(subject, name, each, seed) for name in harmful() if name != quirk.behaviour}
    other = elsewhere(quirk)
    if other:
        cases[quirk.behaviour] = cases_of(subject, quirk.behaviour, each, seed, other)
    both = said_by(model, (folder / "organism", folder / "decoy"), cases, reply_tokens, report)
    found = beside_base(subject, cases, *both, who=("organism", "decoy"))
    rows = tuple(
        Elsewhere(r.behaviour, r.condition, r.decoy, r.base, r.more, r.clear_from) for r in found.rows
    )
    return Spread(rows, found.left_out, found.overall)


def elsewhere(quirk: Quirk) -> Mapping[str, str]:
    """The quirk's own behaviour with another value of each option, such as the other domain of bad advice."""
    if not quirk.listed:
        return {}
    choices = load("catalogue.behaviours", quirk.behaviour).choices
    other = {k: next((v for v in values if v != quirk.behaviour_options.get(k, values[0])), "")
             for k, values in choices.items()}  # fmt: skip
    return other if all(other.values()) else {}
