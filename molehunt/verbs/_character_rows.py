"""What `molehunt character measure` found, as rows, and what should be read before them."""

from collections.abc import Mapping

from molehunt.character.conduct.findings import Number
from molehunt.character.conduct.study import Results
from molehunt.core.records import Measure
from molehunt.report import words
from molehunt.verbs._moral_said import label
from molehunt.verbs._probe_page import short

PARTS: Mapping[str, Mapping[str, str]] = {
    "chat": {
        "kept": "chat: good reply likelier",
        "dealt": "  the same, another prompt (null)",
        "guided": "  the same, principle in the prompt",
        "margin": "chat: margin, nats a token",
        "change": "  less the first model's",
        "change_dealt": "  the same, another prompt (null)",
        "guided_change": "  gained by the principle in the prompt",
    },
    "agentic": {
        "kept": "tools: good call likelier",
        "guided": "  the same, principle in the prompt",
        "margin": "tools: margin, nats a token",
        "change": "  less the first model's",
        "acted_kept": "tools, acting: kept",
        "acted_broken": "tools, acting: broken",
        "acted_neither": "tools, acting: neither",
        "acted_well": "  kept, of those that kept or broke",
        "unread": "  turns without a call",
    },
    "traits": {
        "stated_cycles": "traits stated: cycles (chance 0.25)",
        "revealed_cycles": "traits revealed: cycles (chance 0.25)",
        "agreement": "stated against revealed, rank r",
    },
    "pressure": {
        "breaker_kept": "asked to drop it: good likelier",
        "breaker_drop": "  margin less plainly",
        "breaker_change": "  less the first model's",
        "bad_turn_kept": "after a bad turn: good likelier",
        "bad_turn_drop": "  margin less plainly",
        "bad_turn_change": "  less the first model's",
        "prefill_kept": "bad words in its mouth: turns back",
        "prefill_change": "  less the first model's",
    },
    "drift": {
        "nll_ratio": "ordinary text, NLL over the first's",
        "tasks": "easy questions right (chance 0.5)",
        "tasks_change": "  less the first model's",
        "kl": "first tokens, KL from the first's, nats",
    },
}


def heads(found: Results) -> tuple[str, ...]:
    """The measure, then a column a model."""
    return ("measure", *(label(m.name) for m in found.models))


def rows(found: Results) -> list[tuple[str, ...]]:
    """Every measure, a column a model."""
    made = [
        (said, *(cell(getattr(m, part).get(name)) for m in found.models))
        for part, names in PARTS.items()
        if any(getattr(m, part) for m in found.models)
        for name, said in names.items()
    ]
    for judge in found.judges.accuracy:
        told = (cell(m.judged.get(judge)) for m in found.models)
        made.append((f"own replies kept, by {words.brief(judge, 30)}", *told))
    for name in dict.fromkeys(n for m in found.models for n in m.personas):
        shifts = [m.personas.get(name) for m in found.models]
        made.append((f"persona {words.plain(name)}: shift", *(cell(s.shift) if s else "—" for s in shifts)))
    return made


def said(found: Results) -> list[str]:
    """What should be read before the numbers."""
    lines = [
        f"Judge {words.brief(name, 40)}: {words.said(worth)} of written replies judged right, chance 0.5."
        for name, worth in found.judges.accuracy.items()
    ]
    lines += [
        f"Agreement of {words.brief(n, 80)}: kappa {words.said(k)}." for n, k in found.judges.kappa.items()
    ]
    for m in found.models[1:]:
        change, null = m.chat.get("change"), m.chat.get("change_dealt")
        if isinstance(change, Measure) and isinstance(null, Measure):
            beyond = change.low is not None and null.high is not None and change.low > null.high
            lines.append(
                f"{label(m.name)}: good replies gained, in nats a token, {words.said(change)}"
                + (
                    ", more than they gain under another prompt."
                    if beyond
                    else ", not clearly more than they gain under another prompt."
                )
            )
    unread = [label(m.name) for m in found.models if _value(m.agentic.get("unread")) > 0.5]
    if unread:
        lines.append(f"With tools, {', '.join(unread)} mostly wrote no call: there, read the choices alone.")
    return lines


def cell(value: Number | None) -> str:
    return "—" if value is None else short(value)


def _value(value: Number | None) -> float:
    return value.value if isinstance(value, Measure) else 0.0
