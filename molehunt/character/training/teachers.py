"""Who criticises, revises and reflects: the written corpus, the model itself, or another by its name.

`self` is the model in training, before training; other names are those of `models/readers.py`. Whatever a
reader was asked is kept in `told.jsonl` and asked once. A reader that refuses everything ends the training
with a sentence; single refusals leave out their prompt, and are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.character.training.oversight import AnswerWeigher, OddsWeigher, Weigher
from molehunt.character.training.plan import SELF
from molehunt.core.errors import UserError
from molehunt.core.records import NotMeasured
from molehunt.models.loaded import Model
from molehunt.models.readers import LOCAL, Answerer, LocalReader, Remembered, Reply, open_local, open_reader

REMEMBERED = "told.jsonl"


@dataclass
class Teacher:
    """A reader whose refusals are counted."""

    name: str
    reader: Answerer
    asked: int = 0
    refused: int = 0

    def tell(self, questions: Sequence[str], most: int) -> list[Reply]:
        """An answer a question.

        Raises:
            UserError: it has refused everything that it was asked so far, this block included.
        """
        told = self.reader.ask(questions, most)
        missing = [t for t in told if isinstance(t, NotMeasured)]
        self.asked, self.refused = self.asked + len(told), self.refused + len(missing)
        if missing and self.refused == self.asked:
            raise UserError(
                f"The teacher {self.name!r} refused all of {self.asked} questions "
                f"({missing[0].reason[:200].rstrip('. ')}); name another with --teacher."
            )
        return told


def open_teacher(name: str, model: Model, folder: Path, parallel: int = 16) -> Teacher:
    """A teacher other than the corpus.

    Raises:
        UserError: no such reader, or one that cannot be opened.
    """
    reader = LocalReader(model) if name == SELF else open_reader(name, parallel)
    return Teacher(name, Remembered(reader, folder / REMEMBERED))


def open_weigher(name: str, model: Model, folder: Path, parallel: int = 16) -> Weigher:
    """Who compares replies: models here by likelihood, others by their answers. Errors as above."""
    if name == SELF:
        return OddsWeigher(SELF, model)
    if name.startswith(LOCAL):
        return OddsWeigher(name, open_local(name))
    return AnswerWeigher(Remembered(open_reader(name, parallel), folder / REMEMBERED))
