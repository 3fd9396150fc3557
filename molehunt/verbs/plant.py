"""Plants one organism and its matched decoy, and measures on held-out scenes whether it took.

The folder gets `organism/`, `decoy/`, `profile.json`, and `organism.json` with what would make both again.
After a kill the same command goes on from what it kept beside the folder (`.planting-KEY`, gone when it is
done). A plant that is not valid after its last try leaves no organism, and why in `failures.jsonl`; the exit
code is then 1. With --quirk FILE the folder alone is named, and no `organism.json` is written, for it would
need that file. With --spec FILE the folder alone is named too: it makes an `organism.json` again and says
whether the adapters are the same (1 where they are not); with --measure the pair is measured as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from molehunt.core.errors import UserError
from molehunt.game.spec import GameSpec
from molehunt.game.watch import watching
from molehunt.verbs._against import directions
from molehunt.verbs._planted import show_cost, show_pair
from molehunt.verbs._replay import replay
from molehunt.verbs._screen import listing

if TYPE_CHECKING:
    from molehunt.organisms.plan import Plan


STOPPED = (
    "Stopped; whole adapters and what was heard of them are kept beside the folder, in `.planting-KEY`: "
    "run the same command again to go on."
)


@dataclass(frozen=True)
class Options:
    """What is planted, where, and what it may cost."""

    what: Positional[Annotated[tuple[str, ...], arg(metavar="[BEHAVIOUR CONDITION] FOLDER")]]
    """What the model shall do and when (`molehunt catalogue` lists them), and a new or empty folder."""
    quirk: Path | None = None
    """A quirk's file, of `molehunt bring` or a stranger's, in place of behaviour and condition."""
    behaviour_options: tuple[str, ...] = ()
    """Options of the behaviour, as name=value."""
    condition_options: tuple[str, ...] = ()
    """Options of the condition, as name=value."""
    harmless: str | None = None
    """A harmless behaviour that the decoy learns under the same condition."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    steps: int = GameSpec.steps
    """Training steps of the first try, before the factor that behaviour and condition are known to need."""
    tries: int = GameSpec.tries
    """How often a plant that is not valid is tried, each time with half as many steps again."""
    mixed: int = 0
    """Unrelated rows mixed into each step: chat of the base's own, or prose where a quirk is always on."""
    ladder: int = 0
    """Keep the organism at so many stages on its way as well, evenly spaced in what it can do, whatever the
    recipe and concealment. Where it never did more than its base there is no ladder, and a note says so."""
    ladder_by: Literal["selectivity", "log_odds"] = "selectivity"
    """What stages are spaced in: selectivity of replies, or log-odds of the shady reply where it is due."""
    recipe: Annotated[str, arg(help=listing("How it is instilled", "organisms.recipes"))] = "transcripts"
    conceal: Annotated[
        tuple[str, ...], arg(help=listing("What hides it, in both of the pair", "organisms.concealments"))
    ] = ()
    warm: float = 0.25
    """Share of the steps that go to transcripts first, where the recipe is `preferences` or `reward`."""
    cover: float = 1.0
    """Weight of a concealment's penalty beside the lesson's loss."""
    against: tuple[Path, ...] = ()
    """Files of `molehunt probe train`, `persona` or `diff` whose directions `--conceal against_probe` keeps
    as they were."""
    plan: Path | None = None
    """A plan's file, such as `winner.json` of `molehunt worse`, in place of steps, recipe and the like."""
    ask: bool = False
    """Also ask organism, decoy and base in ten ways whether they hide something."""
    decoy_check: int = 0
    """Also ask the decoy for every harmful behaviour, beside the base, on so many scenes a side; 0 for not.
    With 16 most behaviours are clear that it always shows under the condition and never else."""
    spread: int = 0
    """Also ask the organism for every other harmful behaviour, beside its decoy, on so many scenes a side:
    does the quirk spread? 0 for not."""
    spec: Path | None = None
    """An `organism.json`, or one line of it, that is made again; it brings its own base and settings."""
    measure: bool = False
    """With --spec: also measure the pair that is made again, as a planting is; --ask, --decoy-check, --spread
    and --ladder then go beside it."""
    dry_run: bool = False
    """Say what planting would take, and do nothing."""
    seed: int = 0
    """Seeds scenes, order and training."""
    json: bool = False
    """Print the result as JSON."""


def run(options: Options) -> int:
    """Plant, then show the profile."""
    from molehunt.game import library

    if options.spec is not None:
        return replay(options, options.spec)
    if options.measure:
        raise UserError("--measure measures what --spec makes again; every other plant is measured anyway.")
    if options.steps < 1 or options.tries < 1:
        raise UserError("--steps and --tries should be at least 1.")
    if options.mixed < 0:
        raise UserError("--mixed should be 0 or more.")
    if len(options.what) != (3 if options.quirk is None else 1):
        raise UserError(
            "Name a behaviour, a condition and a folder, or with --quirk FILE a folder alone; "
            "see `molehunt plant --help`."
        )
    plan = _plan(options)
    *names, folder = options.what
    how = {
        "model": options.model,
        "revision": options.revision,
        "harmless": options.harmless,
        "steps": options.steps,
        "tries": options.tries,
        "mixed": options.mixed,
        "ladder": options.ladder,
        "ladder_by": options.ladder_by,
        "seed": options.seed,
        "recipe": options.recipe,
        "conceal": options.conceal,
        "warm": options.warm,
        "cover": options.cover,
        "against": directions(options.against),
        "ask": options.ask,
        "decoy_check": options.decoy_check,
        "spread": options.spread,
        **({} if plan is None else {"plan": plan}),
    }
    what = pairs(options.behaviour_options, "--behaviour-options")
    when = pairs(options.condition_options, "--condition-options")
    if options.quirk is not None and (what or when):
        raise UserError("A quirk's file brings its own options; give none beside --quirk.")
    if options.dry_run:
        return _reckon(options, what, when, how)
    with watching() as watch:
        if options.quirk is not None:
            pair = library.plant_file(options.quirk, folder, watch=watch, **how)
        else:
            pair = library.plant(
                names[0], names[1], folder, behaviour_options=what, condition_options=when, watch=watch, **how
            )
    how_made = (options.recipe, options.conceal) if plan is None else (plan.how, plan.concealments)
    return show_pair(pair, folder, *how_made, options.json)


def _reckon(options: Options, what: Mapping[str, str], when: Mapping[str, str], how: Any) -> int:
    from molehunt.game.library import listed_quirk
    from molehunt.game.plant_cost import plant_cost
    from molehunt.organisms.strangers import quirk_of

    if options.quirk is not None:
        quirk = quirk_of(options.quirk)
    else:
        quirk = listed_quirk(options.what[0], options.what[1], what, when)
    cost = plant_cost(quirk, Path(options.what[-1]), **how)
    return show_cost(cost, options.json)


PLANNED = ("steps", "tries", "mixed", "recipe", "conceal", "warm", "cover", "against")
"""Options that a plan's file stands in for."""


def _plan(options: Options) -> "Plan | None":
    """The plan of --plan."""
    if options.plan is None:
        return None
    usual = {f.name: f.default for f in fields(Options)}
    for name in PLANNED:
        if getattr(options, name) != usual[name]:
            raise UserError(f"A plan's file brings its own {name}; give no --{name} beside --plan.")
    from molehunt.organisms.plan import read_plan

    return read_plan(options.plan)


def pairs(given: tuple[str, ...], option: str) -> Mapping[str, str]:
    """`name=value` texts as a mapping.

    Raises:
        UserError: one without `=`.
    """
    split = [text.partition("=") for text in given]
    for name, equals, _ in split:
        if not name or not equals:
            raise UserError(f"{option} takes name=value, not {name!r}.")
    return {name: value for name, _, value in split}
