"""What `molehunt character train` says: its cost before, and what came of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molehunt.character.training.result import Result
from molehunt.core.errors import UserError
from molehunt.report import words
from molehunt.verbs._moral_said import FORM_NAMES, alarm_said
from molehunt.verbs._probe_page import short

QUESTION = 220
"""Tokens of a question to a teacher or judge, about."""
OVERSIGHT = {
    "told": "written good replies preferred (chance 0.5)",
    "leans": "the same, the letters' places taken out (chance 0.5)",
    "steady": "the same preference in both orders",
    "named": "critiques that name words of the reply",
    "named_dealt": "the same beside another reply (null)",
    "named_more": "the former less the latter (chance 0)",
    "changed": "revisions that differ",
    "revised": "revisions preferred by itself (chance 0.5)",
    "revised_words": "revisions better by `words` (chance 0.5)",
    "guided": "replies under the principle preferred (chance 0.5)",
}
SIGNS = {
    "margin": "margin of written good replies, watched cases",
    "kept": "share of them above 0",
    "nll": "NLL of ordinary text, nats a token",
    "right": "easy questions right",
    "repeats": "replies that repeat themselves",
}


def priced(cost: Mapping[str, Any], price_in: float, price_out: float) -> dict[str, Any]:
    """The cost with what a teacher that is paid takes at most, where prices are given.

    Raises:
        UserError: a price below 0.
    """
    if min(price_in, price_out) < 0:
        raise UserError("--price-in and --price-out are prices; they should be 0 or more.")
    if not (price_in or price_out) or "teacher_questions_most" not in cost:
        return dict(cost)
    asked = cost["teacher_questions_most"] + cost["judge_questions_most"]
    most = asked * QUESTION * price_in + cost["sampled_tokens_most"] * price_out
    return {**cost, "price_most": round(most / 1e6, 2)}


def cost_said(cost: Mapping[str, Any]) -> str:
    """The cost in a line."""
    if "dilemmas" in cost:
        return (
            f"{cost['dilemmas']:,} dilemmas as {cost['questions_taught']:,} questions, {cost['steps']:,} "
            "steps; nothing is sampled."
        )
    price = f", at most {cost['price_most']:g} by the prices given" if "price_most" in cost else ""
    return (
        f"{cost['prompts']:,} prompts; at most {cost['own_replies_most']:,} replies of the model's own, "
        f"{cost['teacher_questions_most']:,} questions to a teacher and {cost['judge_questions_most']:,} to "
        f"a judge, {cost['sampled_tokens_most']:,} tokens of replies{price}; {cost['steps']:,} steps."
    )


def trained_rows(result: Result) -> list[tuple[str, str]]:
    """What came of a training, for a table."""
    made = [
        (f"{said}, before and after", f"{words.number(result.before[n])} → {words.number(result.after[n])}")
        for n, said in SIGNS.items()
        if n in result.before and n in result.after
    ]
    if result.oversight is not None:
        made += [(said, short(result.oversight.measures[n])) for n, said in OVERSIGHT.items()]
    for when, halves in result.moral.items():
        for part, moral in halves.items():
            where = f"{words.plain(part)} dilemmas, {when}"
            made += [
                (f"right where all agree, {where}", short(moral.measures["low_accuracy"])),
                (f"unsure where it is hard (AUROC), {where}", short(moral.measures["entropy_auroc"])),
                (f"distance from the target, {where}", short(moral.distance)),
                (f"certainty, {where}", short(moral.certainty)),
                (f"alarm, {where}", alarm_said(moral.alarm)),
            ]
            if when == "after":
                made += [
                    (f"distance, asked for {FORM_NAMES[f]}, {where}", short(one.distance))
                    for f, one in moral.forms.items()
                ]
                made += [
                    (f"alarm, asked for {FORM_NAMES[f]}, {where}", alarm_said(one.alarm))
                    for f, one in moral.forms.items()
                ]
    return made


def trained_said(result: Result, folder: Path) -> list[str]:
    """What should be read beside the numbers."""
    lines = []
    if result.oversight is not None:
        lines.append(result.oversight.why)
    who = {"corpus": "the written corpus", "self": "the model itself"}.get(result.teacher, result.teacher)
    refused = f"; {result.refused} questions were refused" if result.refused else ""
    lines.append(
        f"Taught by {who}: {result.lessons:,} rows and {result.preferences:,} preferences in "
        f"{result.steps:,} steps{refused}. Read them in {folder / 'lessons.jsonl'}."
    )
    lines.append(f"The adapter: {folder / result.adapter}")
    return lines
