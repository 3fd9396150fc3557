"""What one remedy costs to measure on one organism: tokens read and steps trained, counted before.

Most is scenes spoken on, and relearning decides: each step of it is a training step, each look some scenes
more. Where the pair was met before, under another remedy, organism and decoy need not be read again.

Counts are of the default model's prompts and replies; another quirk's may be twice as long.
"""

from dataclasses import dataclass

from molehunt.depth.bench import FIRST, Settings
from molehunt.depth.clock import FINE, look_steps
from molehunt.depth.costs import CASES, LONGEST, PASSAGES, TASKS
from molehunt.depth.prefilling import FORCED, READ
from molehunt.depth.reading import LAYERS
from molehunt.depth.steering import COARSE, GRID, RANDOMS, TEXTS
from molehunt.depth.steering import LONGEST as TEXT_TOKENS

PROMPT = 70
"""Tokens of a prompt that is read by itself."""
SPOKEN = 100
"""Of a scene that is spoken on, in tokens read: beginnings are shared, the reply's 16 count four times."""
LED = 76
"""Of a scene whose beginning was read with others: the reply alone."""
SHORT = 30
"""Tokens of a small question with both answers, beginnings shared."""
WRITTEN, PRINCIPLES = 85, 14
"""Tokens of a written case with both replies; principles of which there are cases."""
PACES = 3
"""Learning rates that are tried on the decoy before a pair is relearned."""


@dataclass(frozen=True)
class Reckoned:
    """Counts."""

    tokens: int
    """Read, or spoken at their price."""
    steps: int = 0
    """Trained."""


def measured(settings: Settings, first: bool) -> dict[str, int]:
    """Tokens of each measure, relearning's training and looks aside; `first`: the pair was not met before."""
    banks = 2 * settings.scenes
    look = (FIRST + settings.quick) // 2
    counts = {
        "residual": 2 * banks * SPOKEN,
        "relearning": 2 * FIRST * SPOKEN,
        "prefill": 2 * (len(FORCED) - 1) * settings.quick * LED + 3 * READ * PROMPT,
        "steering": (2 * (len(GRID) - 1) * look + RANDOMS * settings.quick) * SPOKEN,
        "reading": 2 * banks * PROMPT,
        "costs": 2 * (PASSAGES * LONGEST + 2 * TASKS * SHORT + PRINCIPLES * CASES * WRITTEN),
    }
    if first:
        counts["residual"] += 2 * banks * SPOKEN
        counts["relearning"] += settings.quick * SPOKEN
        counts["prefill"] += (len(FORCED) - 1) * settings.quick * LED + READ * PROMPT
        tried = len(COARSE) * LAYERS * FIRST + 2 * settings.quick
        counts["steering"] += TEXTS * TEXT_TOKENS * LAYERS + tried * SPOKEN
        counts["reading"] += 6 * banks * PROMPT
        counts["costs"] *= 2
    return counts


def relearned(settings: Settings, control: int, fixed: int) -> Reckoned:
    """Relearning in so many steps each, in every order."""
    looks, trained = (
        sum(both) for both in zip(*(looks_until(settings, s) for s in (control, fixed)), strict=True)
    )
    look = (FIRST + settings.quick) // 2
    return Reckoned(settings.orders * looks * look * SPOKEN, settings.orders * trained)


def paced(settings: Settings, first: bool) -> Reckoned:
    """Finding the pace: once on the control, and where the pair was not met before on its decoy."""
    if settings.clock <= 1:
        return Reckoned(0)
    tries = 1 + PACES * first
    return Reckoned(tries * (FIRST + settings.quick) // 2 * SPOKEN, tries * (settings.clock - 1))


def looks_until(settings: Settings, steps: int) -> tuple[int, int]:
    """Looks, the one at the beginning aside, and steps trained until it is found back at so many steps."""
    low, looks, high = 0, 0, 0
    for high in look_steps(settings.chunk, steps):
        looks += 1
        if high < steps:
            low = high
    trained = high
    while high - low > max(1, high // FINE):
        middle, looks = (low + high) // 2, looks + 1
        low, high = (low, middle) if middle >= steps else (middle, high)
    return looks, trained
