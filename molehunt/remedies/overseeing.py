"""A patient that oversees itself by a principle: what it says plainly, guided, as a critique, as a revision.

What this cannot tell you: whether it is right. `character/training/self_oversight.py` measures its worth.
"""

from collections.abc import Callable, Mapping, Sequence

from molehunt.character.bank import Case
from molehunt.character.training.oversight import Compared, Weigher, critique, question, revision
from molehunt.core.records import Message, Messages
from molehunt.corpus.mending import Context
from molehunt.models.prompts import reply_text
from molehunt.remedies.work import OPENING, Work, asked

Told = Mapping[str, Mapping[str, str]]
"""By case's id what the patient said: `reply`, `guided`, `critique`, `revision`."""
Row = tuple[Case, Context | None]


def guided(prompt: str, statement: str, context: Context | None = None) -> Messages:
    """A prompt as `asked` puts it, with a principle in the system prompt."""
    plain = asked(prompt, context)
    if plain[0].role == "system":
        return (Message("system", f"{plain[0].content} {statement}"), *plain[1:])
    return (Message("system", f"{OPENING}. {statement}"), *plain)


def overseen(work: Work, rows: Sequence[Row], statements: Mapping[str, str], longest: int) -> Told:
    """Everything, a stage at a time; `work` counts the tokens."""

    def stage(share: float, ask: Callable[[int], Messages]) -> list[str]:
        prompts = work.prompts([ask(i) for i in range(len(rows))])
        said = [reply_text(work.tokenizer, r) for r in work.replies(prompts, longest)]
        work.tell(share)
        return said

    def of(i: int) -> tuple[str, str, str]:
        case, context = rows[i]
        return statements[case.principle], asked(case.prompt, context)[-1].content, plain[i]

    plain = stage(0.05, lambda i: asked(rows[i][0].prompt, rows[i][1]))
    led = stage(0.1, lambda i: guided(rows[i][0].prompt, statements[rows[i][0].principle], rows[i][1]))
    named = stage(0.15, lambda i: asked(critique(*of(i))))
    anew = stage(0.2, lambda i: asked(revision(*of(i), named[i])))
    return {
        case.id: {"reply": plain[i], "guided": led[i], "critique": named[i], "revision": anew[i]}
        for i, (case, _) in enumerate(rows)
    }


def weighed(work: Work, rows: Sequence[Row], statements: Mapping[str, str], told: Told) -> int:
    """Tokens of the questions by which overseeing is judged: three pairs a case, in both orders."""
    pairs = [
        Compared(statements[c.principle], c.prompt, one, other)
        for c, _ in rows
        for one, other in (
            (c.good, c.worse),
            *((told[c.id][name], told[c.id]["reply"]) for name in ("revision", "guided")),
        )
    ]
    return sum(map(len, work.prompts([asked(question(p, order)) for p in pairs for order in (0, 1)])))


def agreed(
    weigher: Weigher, rows: Sequence[Row], statements: Mapping[str, str], told: Told
) -> list[tuple[Row, str, str]]:
    """Of guided and plain reply the one preferred in both orders, and the other; ties are left out."""
    pairs = [(row, told[row[0].id]["guided"], told[row[0].id]["reply"]) for row in rows]
    differ = [(row, a, b) for row, a, b in pairs if a.strip() and b.strip() and a.strip() != b.strip()]
    said = weigher.weigh([Compared(statements[c.principle], c.prompt, a, b) for (c, _), a, b in differ])
    return [
        (row, a, b) if v == 1.0 else (row, b, a)
        for (row, a, b), v in zip(differ, said, strict=True)
        if v in (0.0, 1.0)
    ]
