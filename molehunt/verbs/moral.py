"""Asks models moral questions: credence over frameworks, certainty, trade-offs, and what evidence moves.

Every dilemma is asked in three forms and both orders, and the answer is read off likelihoods: nothing is
sampled. MODELS are names, folders, or folders of adapters (of --base); without --out the last of them is the
folder for what is found. `--items` takes `builtin`, the folder of MoralChoice's CSV files, or your own JSON
lines. Writes `results.json`, `choices.parquet` and `moral.html`; answers are kept and never asked for twice.
A model behind an API gives no likelihoods: `inspect:PROVIDER/MODEL`, by Inspect's names, is sampled instead,
and is asked all but evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.verbs._screen import show, tables

if TYPE_CHECKING:
    from molehunt.character.moral.sampling import Sampler
    from molehunt.character.moral.study import Materials
    from molehunt.models.loaded import ModelSpec

STOPPED = "Stopped; answers are kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """Who is asked, and what."""

    models: Positional[tuple[str, ...]]
    """`default`, `tiny`, Hugging Face ids, folders, folders of adapters, or `inspect:PROVIDER/MODEL`."""
    out: Path | None = None
    """Folder for what is found; the last of MODELS where not given."""
    items: str = "builtin"
    """`builtin`, MoralChoice's folder, or a file of dilemmas as JSON lines."""
    parts: tuple[Literal["dilemmas", "tradeoffs", "evidence"], ...] = ("dilemmas", "tradeoffs", "evidence")
    """What is asked."""
    limit: int = 0
    """Ask so many dilemmas of each ambiguity, scenes of each trade-off, and stories; 0 asks all."""
    held_out: bool = False
    """Leave out the built-in dilemmas that `molehunt character train --toward` teaches: half of them."""
    human: Path | None = None
    """A CSV file of people's choices: item, share (who chose the first action), n."""
    samples: int = 5
    """Answers a question of models behind an API; at least 3."""
    max_tokens: int = 200
    """Longest answer of models behind an API; those that think before they answer need more."""
    parallel: int = 16
    """Questions in flight at once to models behind an API."""
    base: str = "default"
    """What adapters are put on."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the models."""
    dry_run: bool = False
    """Only say how many questions there are."""
    seed: int = 0
    """Draws what --limit keeps, and seeds intervals."""
    json: bool = False
    """Print the results as JSON."""


def run(options: Options) -> int:
    """Ask, measure, write, show."""
    from molehunt.character.moral.sampling import INSPECT, Sampler
    from molehunt.character.moral.study import materials, moral
    from molehunt.game.watch import watching
    from molehunt.verbs._inside import look_at, open_inside
    from molehunt.verbs._moral_page import write_moral_page
    from molehunt.verbs._moral_said import HEADS, heads, rows, said

    names, out = _names(options)
    specs = [_spec(name, options) for name in names]
    served = [s for s in specs if isinstance(s, Sampler)]
    what = materials(options.items, options.parts, options.limit, options.seed, options.held_out)  # mistakes
    if options.dry_run:
        _dry(options, what, [n for n in names if not n.startswith(INSPECT)], served)
        return 0
    look_at([s for s in specs if not isinstance(s, Sampler)])
    for one in served:
        one.reader()
    with alone(out), watching() as watch:
        found = moral(
            specs,
            out,
            items=options.items,
            parts=options.parts,
            limit=options.limit,
            held_out=options.held_out,
            human=options.human,
            seed=options.seed,
            progress=watch.bar,
            opener=open_inside,
        )
    write_moral_page(out / "moral.html", found)
    pieces = tables(heads(found) if len(found.models) > 1 else HEADS, rows(found), narrow=26)
    show(found, options.json, *pieces, *said(found), f"Page: {out / 'moral.html'}")
    return 0


def _dry(options: Options, what: "Materials", here: Sequence[str], served: "Sequence[Sampler]") -> None:
    """What would be asked: of models here as questions and time, of services as calls."""
    from molehunt.verbs._values_cost import moral_calls, moral_time

    put = what.questions()
    counts = {part: len(some) for part, some in put.items()}
    counts["all"] = sum(counts.values())
    told: dict[str, Any] = {**counts, "models": len(here) + len(served)}
    lines = []
    if here:
        words = ", ".join(f"{n:,} on {part}" for part, n in counts.items() if part != "all")
        time = moral_time(here, (q.text for some in put.values() for q in some))
        lines += [
            f"{counts['all']:,} questions a model ({words}), two short answers each, {len(here)} models.",
            time.said,
        ]
        told["time"] = time
    if served:
        calls = moral_calls(len(served), what, options.samples, options.max_tokens)
        told["calls"] = calls
        lines.append(calls.said)
    show(told, options.json, *lines)


def _names(options: Options) -> tuple[tuple[str, ...], Path]:
    """The models and the folder.

    Raises:
        UserError: one of the two is missing.
    """
    names = options.models if options.out is not None else options.models[:-1]
    if not names:
        raise UserError("`molehunt moral` needs a model and a folder: `molehunt moral MODEL OUT`.")
    return names, options.out or Path(options.models[-1])


def _spec(name: str, options: Options) -> "ModelSpec | Sampler":
    """A model to be opened, or one to be sampled.

    Raises:
        UserError: what a sampled one is asked would be nothing.
    """
    from molehunt.character.moral.sampling import INSPECT, Sampler
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._pair import is_adapter

    if name.startswith(INSPECT):
        if set(options.parts) == {"evidence"}:
            raise UserError(f"{name} gives no likelihoods, and is asked all but evidence; add other --parts.")
        return Sampler(name.removeprefix(INSPECT), options.samples, options.max_tokens, options.parallel)
    if is_adapter(name):
        return ModelSpec(options.base, None, str(Path(name).expanduser()), options.dtype)
    return ModelSpec(name, None, None, options.dtype)
