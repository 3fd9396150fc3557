"""Lets a person play auditor: talk with a suspect under a method's budget, then hand in a verdict.

Lines are questions. /new begins a new conversation, /reference QUESTION asks the clean model, /left shows
the budget, /verdict goes on to the verdict, /quit leaves without one. A verdict may be replaced until the
envelope is opened; then it is scored like a method's. Through a pipe it works the same, a line each.
"""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from molehunt.core.errors import MolehuntError, UserError
from molehunt.core.extend import load
from molehunt.core.pattern import compiled
from molehunt.core.plain_text import plain
from molehunt.core.records import Guess, Message, Predicate, Spent, Verdict
from molehunt.game.opening import catalogue_reads
from molehunt.referee.predicates import Part, reads
from molehunt.report import words
from molehunt.verbs._screen import show
from molehunt.verbs._talk import Typed

if TYPE_CHECKING:
    from molehunt.core.store import Run
    from molehunt.game.sitting import Sitting

STOPPED = "Stopped; what was asked and spent is kept, no verdict was handed in: run the same command again."
KINDS = "catalogue:NAME[,option=value], pattern:REGEX or words:SOME WORDS"
HELP = "Ask away; /new, /reference QUESTION, /left, /verdict, /quit."
PATIENCE = 5
"""How often an answer that cannot be read is asked for again at a terminal."""


@dataclass(frozen=True)
class Options:
    """Who is accused, by whom, of what."""

    folder: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The run folder, still sealed (`molehunt play --until planted` or `--until audited`), or `starter`."""
    suspect: Positional[Annotated[str, arg(metavar="SUSPECT")]]
    """The suspect's code name."""
    p: float | None = None
    """Probability that something is planted; without it you are asked."""
    what: str | None = None
    """What it does: catalogue:NAME[,option=value], pattern:REGEX or words:SOME WORDS."""
    when: str | None = None
    """When it does so, in the same form; `always` if only --what is given."""
    auditor: Annotated[str, arg(name="as")] = "person"
    """The auditor's name."""
    max_tokens: int = 64
    """Longest reply, in tokens."""
    temperature: float = 0.0
    """0 takes the likeliest token every time."""
    seed: int = 0
    """Seeds the sampling, where the temperature is above 0."""
    json: bool = False
    """Print the talk and the verdict as JSON."""


def run(options: Options) -> int:
    """Talk, then hand in."""
    from molehunt.game import library
    from molehunt.game.handing_in import free_name, hand_in, refuse_if_open
    from molehunt.game.shipped import or_starter
    from molehunt.game.sitting import known, spent_by

    if options.p is not None:
        _probability(str(options.p))
    if options.max_tokens < 1 or not 0 <= options.temperature <= 10:
        raise UserError("--max-tokens should be at least 1, and --temperature a number from 0 to 10.")
    guess = _guess(options.what, options.when)
    typed = Typed.here()
    turns: list[dict[str, str]] = []
    with library.existing(or_starter(options.folder)).held() as held:
        refuse_if_open(held)
        known(held, options.suspect)
        free_name(options.auditor)
        # At a terminal, a verdict on the command line leaves nothing to talk about.
        if not (typed.at_terminal and options.p is not None) and not _talk(held, options, typed, turns):
            show({"handed_in": False, "turns": turns}, options.json, "No verdict was handed in.")
            return 0
        p = options.p if options.p is not None else _ask(typed, "p(shady), 0 to 1: ", _probability)
        if options.p is None and guess is None:
            guess = _ask_guess(typed)
        spent = spent_by(held, options.suspect, options.auditor)
        verdict = Verdict(options.suspect, options.auditor, p, (guess,) if guess else (), spent=spent)
        hand_in(held, options.auditor, [verdict])
    said = f"On record: {options.auditor} says {p:.2f} of {options.suspect}; {_spoken(spent)} spent."
    show({"handed_in": True, "verdict": verdict, "turns": turns}, options.json, said)
    return 0


def _talk(held: "Run", options: Options, typed: Typed, turns: list[dict[str, str]]) -> bool:
    """Questions and answers; whether a verdict follows."""
    from molehunt.game.sitting import sitting

    talk: list[Message] = []
    with contextlib.ExitStack() as stack:
        seat: Sitting | None = None
        if typed.at_terminal:
            print(HELP, file=sys.stderr)
        for line in typed.lines("you: "):
            command, _, rest = line.partition(" ")
            if command == "/quit":
                return False
            if command == "/verdict":
                return True
            if command == "/new":
                talk = []
                continue
            seat = seat or stack.enter_context(sitting(held, options.suspect, options.auditor))
            if command == "/left":
                print(f"left: {_spoken(seat.left())}", file=sys.stderr, flush=True)
                continue
            try:
                _question(seat, talk, line, rest, options, typed, turns)
            except MolehuntError as error:
                # Refusals are part of the game: the talk goes on, the verdict is still to come.
                print(f"molehunt: {plain(str(error), one_line=True)}", file=sys.stderr, flush=True)
    if options.p is None:
        raise UserError("No verdict was handed in: give --p, or a line /verdict and then p, what and when.")
    return True


def _question(
    seat: "Sitting",
    talk: list[Message],
    line: str,
    rest: str,
    options: Options,
    typed: Typed,
    turns: list[dict[str, str]],
) -> None:
    of_reference = line.startswith("/reference ")
    asked = [Message("user", rest)] if of_reference else [*talk, Message("user", line)]
    how: dict[str, Any] = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
    }
    reply = seat.ask(tuple(asked), of_reference=of_reference, **how)
    who = "reference" if of_reference else seat.suspect
    if not of_reference:
        talk[:] = [*asked, Message("assistant", reply)]
    turns.append({"to": who, "question": asked[-1].content, "reply": reply})
    if not options.json:
        print(f"{who}: {plain(reply, 20_000)}", flush=True)
    if typed.at_terminal:
        print(f"left: {_spoken(seat.left())}", file=sys.stderr)


def _ask(typed: Typed, prompt: str, read: Any) -> Any:
    """An answer, asked for again at a terminal until it can be read."""
    for last in [*[False] * (PATIENCE - 1), True]:
        line = typed.line(prompt)
        if line is None:
            raise UserError(
                f"The input ended where {prompt.rstrip(': ')!r} was asked; no verdict was handed in."
            )
        try:
            return read(line.strip())
        except UserError as error:
            if last or not typed.at_terminal:
                raise
            print(f"molehunt: {plain(str(error), one_line=True)}", file=sys.stderr)
    raise AssertionError


def _ask_guess(typed: Typed) -> Guess | None:
    what = _ask(typed, f"what it does, or nothing ({KINDS}): ", lambda t: predicate(t, "what") if t else None)
    if what is None:
        return None
    when = _ask(typed, "when, or nothing for always: ", lambda t: predicate(t or "catalogue:always", "when"))
    return _both(what, when)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{text[:40]!r} is no probability; it goes from 0 to 1.")
    return value


def _guess(what: str | None, when: str | None) -> Guess | None:
    if what is None:
        if when is not None:
            raise UserError("--when says when; say what it does too, with --what.")
        return None
    return _both(predicate(what, "what"), predicate(when or "catalogue:always", "when"))


def _both(what: Predicate, when: Predicate) -> Guess:
    return Guess(what, when, 1.0, f"{words.predicate(what)} when {words.predicate(when)}")


def predicate(text: str, part: Part) -> Predicate:
    """`catalogue:NAME[,option=value]`, `pattern:REGEX` or `words:...` as something that can be run.

    Raises:
        UserError: none of these, or one that could not be run.
    """
    kind, _, body = text.partition(":")
    body = body.strip()
    if kind == "pattern" and body:
        compiled(body)
        return Predicate("pattern", body)
    if kind == "words" and body:
        made = Predicate("words", body)
        reads(made, part, (), "")
        return made
    if kind == "catalogue" and body:
        name, *given = body.split(",")
        entry = load("catalogue.conditions" if part == "when" else "catalogue.behaviours", name)
        options = {option: value for option, _, value in (g.partition("=") for g in given)}
        for option, value in options.items():
            if option not in entry.choices or not value:
                known_ones = ", ".join(entry.choices) or "none"
                raise UserError(
                    f"{name} has no option {option[:40]!r} with a value; its options: {known_ones}."
                )
        made = Predicate("catalogue", name, options)
        catalogue_reads(made, part, (Message("user", "Hello."),), "Hello.")  # a wrong value is said now
        return made
    raise UserError(f"--{part} is {text[:60]!r}; write {KINDS}.")


def _spoken(spent: Spent) -> str:
    return f"{spent.queries:,} queries, {spent.tokens:,} tokens, {spent.seconds:,.0f} seconds"
