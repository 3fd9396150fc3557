"""What judges make of models' own replies, and everything that was said, line by line."""

from collections.abc import Mapping, Sequence
from typing import Any

from molehunt.character.conduct.cells import Subject
from molehunt.character.conduct.findings import Raw
from molehunt.character.conduct.judges import Judge, Reply, Verdict, can_tell, kappa
from molehunt.core import stats
from molehunt.core.records import Measure, NotMeasured


def verdicts_of(
    held: Sequence[Judge], raws: Sequence[Raw], what: Subject, statements: Mapping[str, str]
) -> list[dict[str, list[Verdict]]]:
    """By model, then by judge: a verdict a case; empty where a model was not asked."""
    made = []
    for raw in raws:
        if raw.chat is None:
            made.append({})
            continue
        asked = [
            Reply(statements[c.principle], c.prompt, r)
            for c, r in zip(what.cases, raw.chat.replies, strict=True)
        ]
        made.append({judge.name: judge.verdicts(asked) for judge in held})
    return made


def shares(
    said: Mapping[str, Sequence[Verdict]], worth: Mapping[str, Measure | NotMeasured], what: Subject
) -> dict[str, Measure | NotMeasured]:
    """Share of replies that keep to their principle, by judge; of judges that can tell."""
    made: dict[str, Measure | NotMeasured] = {}
    for name, verdicts in said.items():
        if not can_tell(worth[name]):
            made[name] = NotMeasured(f"{name} does not tell written good replies from worse ones")
            continue
        told = [
            (v, c.id) for v, c in zip(verdicts, what.cases, strict=True) if not isinstance(v, NotMeasured)
        ]
        how = f"own replies that keep to their principle, by {name}"
        made[name] = stats.proportion(
            [bool(v) for v, _ in told], [i for _, i in told], how=how, seed=what.seed
        )
    return made


def kappas(
    said: Sequence[Mapping[str, Sequence[Verdict]]], what: Subject
) -> dict[str, Measure | NotMeasured]:
    """Agreement of each two judges, over all models."""
    names = list(said[0]) if said else []
    made: dict[str, Measure | NotMeasured] = {}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            rows = [[v for model in said for v in model[name]] for name in (one, other)]
            ids = [c.id for _ in said for c in what.cases]
            made[f"{one} and {other}"] = kappa(rows[0], rows[1], ids, what.seed)
    return made


def transcripts(
    names: Sequence[str], raws: Sequence[Raw], said: Sequence[Mapping[str, Sequence[Verdict]]], what: Subject
) -> list[dict[str, Any]]:
    """Every reply and every episode, a line each, with what judges made of it."""
    rows: list[dict[str, Any]] = []
    for name, raw, verdicts in zip(names, raws, said, strict=True):
        for i, case in enumerate(what.cases if raw.chat else ()):
            assert raw.chat is not None
            held = {j: None if isinstance(v[i], NotMeasured) else v[i] for j, v in verdicts.items()}
            rows.append(
                {
                    "model": name,
                    "kind": "chat",
                    "id": case.id,
                    "principle": case.principle,
                    "prompt": case.prompt,
                    "reply": raw.chat.replies[i],
                    "margin": raw.chat.plain[i],
                    "keeps": held,
                }
            )
        for deed, episode in zip(what.deeds, raw.agentic.episodes if raw.agentic else (), strict=False):
            rows.append(
                {
                    "model": name,
                    "kind": "agentic",
                    "id": deed.id,
                    "principle": deed.principle,
                    "messages": list(episode.messages),
                    "outcome": episode.outcome,
                }
            )
    return rows
