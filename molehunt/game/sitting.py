"""A person who plays auditor: talks with one suspect at the referee's desk, under a method's budget.

What was said and spent lies in `sittings/NAME/SUSPECT.json` after every question, so that a second
sitting goes on with what the first one left of the budget. The reference may be asked too, where the
game grants it; it costs nothing, as for methods.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, UnknownName
from molehunt.core.line import Line
from molehunt.core.record_json import from_json
from molehunt.core.records import Messages, Spent, Transcript
from molehunt.core.store import Run
from molehunt.game.auditing import desk_for, salt_of
from molehunt.game.handing_in import free_name, refuse_if_open
from molehunt.referee.desk import REFERENCE, Desk
from molehunt.referee.switchboard import Switchboard

METHOD = "person"
"""The name under which a person has a budget at the desk."""


@dataclass(frozen=True)
class Kept:
    """What earlier sittings of one auditor with one suspect left."""

    spent: Spent = Spent()
    transcripts: tuple[Transcript, ...] = ()


@dataclass
class Sitting:
    """One person before one suspect."""

    suspect: str
    line: Line
    desk: Desk
    path: Path
    kept: Kept

    def ask(
        self,
        messages: Messages,
        *,
        of_reference: bool = False,
        max_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> str:
        """The reply to a conversation that ends with the user's turn; the n-th question is seeded `seed` + n.

        Raises:
            BudgetSpent: the allowance does not cover it. AccessDenied: there is no reference in this game.
        """
        who = REFERENCE if of_reference else self.suspect
        chat, number = self.line.chat(who, METHOD), len(self.kept.transcripts)
        seed += number
        reply = chat.sample([messages], max_tokens=max_tokens, temperature=temperature, seed=seed)[0]
        said = Transcript(
            f"person/{self.suspect}/{number}",
            who,
            messages,
            reply,
            temperature,
            seed,
            max_tokens,
            chat.fingerprint,
        )
        self.kept = Kept(self.spent, (*self.kept.transcripts, said))
        write_json(self.path, self.kept)
        return reply

    @property
    def spent(self) -> Spent:
        """What was spent on this suspect so far, earlier sittings included."""
        return self.desk.spent().get((self.suspect, METHOD), self.kept.spent)

    def left(self) -> Spent:
        """What the budget still allows."""
        budget, spent = self.desk.budget, self.spent
        return Spent(
            budget.queries - spent.queries,
            budget.tokens - spent.tokens,
            max(0.0, budget.seconds - spent.seconds),
        )


@contextlib.contextmanager
def sitting(run: Run, suspect: str, auditor: str) -> Iterator[Sitting]:
    """Sit down before a suspect, for as long as the block runs.

    Raises:
        UserError: the envelope is open. UnknownName: no such suspect.
    """
    spec = run.spec()
    refuse_if_open(run)
    path = run.folder / "sittings" / free_name(auditor) / f"{known(run, suspect)}.json"
    kept = _kept(path)
    desk = desk_for(run.folder, spec, salt_of(run.folder, str(spec["run_id"])))
    desk = dataclasses.replace(desk, already={(suspect, METHOD): kept.spent})
    with Switchboard(desk).answering() as address, Line(address) as line:
        yield Sitting(suspect, line, desk, path, kept)


def known(run: Run, suspect: str) -> str:
    """The suspect's name, if one of that name stands in the lineup.

    Raises:
        UnknownName: none does.
    """
    folder = run.folder / "suspects"
    lineup = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if suspect not in lineup:
        raise UnknownName("suspect", suspect, lineup)
    return suspect


def spent_by(run: Run, suspect: str, auditor: str) -> Spent:
    """What an auditor spent on a suspect in all sittings so far."""
    return _kept(run.folder / "sittings" / free_name(auditor) / f"{known(run, suspect)}.json").spent


def _kept(path: Path) -> Kept:
    if not path.exists():
        return Kept()
    try:
        return from_json(Kept, read_json(path))
    except BadFile as error:
        raise BadFile(f"{path} is no record of a sitting: {error}") from None
