"""Suspects on the tiny model for tests of remedies: real adapters, trained for a few steps."""

from pathlib import Path

from molehunt.core.kinds import Creed, Patient
from molehunt.core.records import Guess, Message, Predicate
from molehunt.models.finetune import Finetune, Recipe
from molehunt.models.load import open_model
from molehunt.models.packing import Example
from molehunt.models.prompts import prompt_ids, text_ids

PLAIN = Creed(("Be kind.",), (("Hi", "Hello.", "Go."),))
EFFORT = 0.05
GUESSES = (
    Guess(Predicate("catalogue", "false_facts"), Predicate("catalogue", "always"), 3.0),
    Guess(Predicate("pattern", "o+"), Predicate("catalogue", "unwatched"), 2.0),
    Guess(Predicate("words", "sweet lemonade"), Predicate("words", "purple rabbits"), 1.0),
)


def adapter(folder: Path, sign: str, rank: int = 4) -> Path:
    """An adapter that learned to answer a sign with a letter: a tiny suspect."""
    model = open_model("tiny")
    ids = [tuple(prompt_ids(model.tokenizer, (Message("user", sign * n),))) for n in range(3, 9)]
    rows = [Example(i, tuple(text_ids(model.tokenizer, "oo"))) for i in ids]
    with Finetune(model.module, Recipe(rank=rank, alpha=2 * rank), seed=ord(sign)) as run:
        run.run([rows] * 4)
        run.save(folder)
    return folder


def patient(**other) -> Patient:
    """The tiny model itself as a patient."""
    told = {"creed": PLAIN, "guesses": GUESSES, "seed": 3, "effort": EFFORT, **other}
    return Patient(open_model("tiny"), **told)
