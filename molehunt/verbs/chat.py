"""Talks in the terminal with a model, an adapter, or a suspect of a game (RUN:NAME).

At a terminal type /new to begin afresh and /quit to leave. Through a pipe every line is a question of
one conversation. Nothing that is sealed is shown.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from molehunt.core.errors import BadFile, UserError
from molehunt.core.plain_text import plain
from molehunt.core.records import Message
from molehunt.verbs._screen import show
from molehunt.verbs._talk import Typed

STOPPED = "Stopped; nothing of the talk was kept."
MOST_SHOWN = 20_000
"""Characters of a reply that are shown."""


@dataclass(frozen=True)
class Options:
    """Whom to talk with, and how replies are drawn."""

    who: Positional[str]
    """`default`, a Hugging Face id, a model's or an adapter's folder, or RUN:NAME for a suspect, such as
    starter:NAME of the lineup that comes with the package."""
    model: str | None = None
    """Base model of an adapter; by default the one that its configuration names."""
    system: str | None = None
    """System prompt; by default the model's own."""
    temperature: float = 0.0
    """0 takes the likeliest token every time."""
    max_tokens: int = 128
    """Longest reply, in tokens."""
    seed: int = 0
    """Seeds the sampling, where the temperature is above 0."""
    json: bool = False
    """Print the whole talk as JSON when it ends."""


def run(options: Options) -> int:
    """Ask what comes in, show what comes back."""
    if options.max_tokens < 1 or not 0 <= options.temperature < math.inf:
        raise UserError("--max-tokens should be at least 1, and --temperature a number, 0 or more.")
    speaker = _speaker(options)
    typed = Typed.here()
    start = [Message("system", options.system)] if options.system is not None else []
    talk, turns = list(start), []
    for line in typed.lines("you: "):
        if line == "/quit":
            break
        if line == "/new":
            talk = list(start)
            continue
        talk.append(Message("user", line))
        try:
            reply = _reply(speaker, talk, options, len(turns))
        except UserError as error:
            if not typed.at_terminal:
                raise
            talk.pop()
            print(f"molehunt: {plain(str(error), one_line=True)}", file=sys.stderr)
            continue
        talk.append(Message("assistant", reply))
        turns.append({"question": line, "reply": reply})
        if not options.json:
            head = f"{plain(speaker.name, 60, one_line=True)}: " if typed.at_terminal else ""
            print(head + plain(reply, MOST_SHOWN), flush=True)
    if options.json:
        show({"who": speaker.name, "fingerprint": speaker.fingerprint, "turns": turns}, True)
    return 0


def _reply(speaker: Any, talk: list[Message], options: Options, turn: int) -> str:
    how = {"max_tokens": options.max_tokens, "temperature": options.temperature, "seed": options.seed + turn}
    return speaker.sample([tuple(talk)], **how)[0]


def _speaker(options: Options) -> Any:
    """Whoever is asked for, loaded. What is wrong with the name is said before anything is loaded."""
    from molehunt.core.store import Run
    from molehunt.game.named import refuse_no_run
    from molehunt.game.play import spec_of
    from molehunt.game.shipped import or_starter
    from molehunt.game.sitting import known

    base, revision, name, adapter = options.who, None, options.who, None
    run_folder, colon, suspect = options.who.rpartition(":")
    if colon and (or_starter(Path(run_folder)) / "spec.json").is_file():
        held = Run(Path(run_folder))
        spec = spec_of(held)
        base, revision, name = spec.model, spec.revision, known(held, suspect)
        adapter = held.folder / "suspects" / suspect
    elif (Path(options.who) / "adapter_config.json").is_file():
        adapter = Path(options.who)
        base, name = options.model or _base_of(adapter), adapter.name
    elif (Path(options.who) / "suspects").is_dir():
        names = sorted(p.name for p in (Path(options.who) / "suspects").iterdir() if p.is_dir())
        asked = f"{options.who}:{names[0] if names else 'NAME'}"
        raise UserError(f"{options.who} is a run folder; name a suspect too, such as {asked}.")
    elif Path(options.who).is_file():
        raise BadFile(f"{options.who} is a file; give a model's or an adapter's folder.")
    refuse_no_run(options.who if adapter is None else "")
    if options.model not in (None, base):
        raise UserError(
            f"--model is the base of an adapter's folder, and {options.who} is none; leave it out."
        )
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import open_model
    from molehunt.models.loaded import ModelSpec
    from molehunt.models.local import LocalModel

    speaker = LocalModel(fit_to_speak(open_model(ModelSpec(base, revision))), name, adapter)
    if speaker.model.note:
        print(f"molehunt: {speaker.model.note}", file=sys.stderr)
    return speaker


def _base_of(adapter: Path) -> str:
    from molehunt.core.atomic import read_json

    config = read_json(adapter / "adapter_config.json")
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise BadFile(f"{adapter} does not say which model it was made on; name it with --model.")
    return base
