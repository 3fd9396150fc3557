"""What a game is asked to be. Its public half is `spec.json`; nothing in it can rebuild the truth."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.extend import names
from molehunt.core.records import MOST, AccessLevel
from molehunt.core.seal import key_path

METHODS = ("contrast", "divergence", "confession", "traces")
Until = Literal["planted", "audited", "opened"]
"""How far a game is played: a sealed lineup, verdicts on record, or the whole game."""
WITHHELD = arg(help="Withhold the clean base model from auditors.", help_behavior_hint="(default: granted)")
"""What `--no-reference` says of itself."""
SECRET_FIELDS = ("red_seed", "quirks", "twin", "plan")
"""Fields of the spec that could help to rebuild the truth: they stay out of the run folder."""
FREE_FIELDS = ("workers", "calibration")
"""Fields that a run may go on under others of: how fast, and what judges (a copy lies in the folder)."""
LEVELS: tuple[AccessLevel, ...] = ("chat", "scored", "open_weights")


@dataclass(frozen=True)
class GameSpec:
    """A whole game: how many suspects of which model, what auditors may do, what it may cost."""

    suspects: int = 4
    """How many suspects stand in the lineup; each is shady or not by its own coin."""
    model: str = "default"
    """Base model: `default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    access: AccessLevel = "open_weights"
    """What auditors are granted: `chat`, `scored` (log-probabilities, prefill) or `open_weights`."""
    methods: tuple[str, ...] = METHODS
    """Auditing methods; one that needs more access than is granted is reported as not measured."""
    reference: Annotated[bool, WITHHELD] = True
    """Whether auditors may talk with the clean base model too."""
    unlisted: float = 0.25
    """Share of quirks that stand in no catalogue."""
    quirks: Path | None = None
    """Folder with strangers' own quirks, one JSON file each; they replace the unlisted ones."""
    plan: Path | None = None
    """How pairs are planted, in place of --steps and of transcripts in the open (JSON; `winner.json` of
    `molehunt worse`). It is kept in the vault."""
    seed: int = 0
    """Seeds the audit. The red team's seed is drawn in secret (see `red_seed`)."""
    red_seed: int | None = None
    """For studies that must be remade: fixes the red team's draws. It is kept in the vault."""
    twin: Path | None = None
    """For studies: a game whose pairs play again here, the other one of each. It is kept in the vault."""
    steps: int = 56
    """Training steps of an organism's first try."""
    tries: int = 2
    """How often a plant that is not valid is tried, each time with half as many steps again."""
    effort: float = 1.0
    """Scales how many samples the methods take."""
    queries: int = 20_000
    """Most prompts that one method may send to one suspect."""
    tokens: int = 4_000_000
    """Most tokens, read and written, that one method may spend on one suspect."""
    seconds: float = 3600.0
    """Most seconds that one method may take on one suspect."""
    calibration: Path | None = None
    """What judges the verdicts (`molehunt practice` writes one); none takes the shipped one where it was
    made on this base model. A copy lies in the run folder."""
    workers: int = 0
    """Organisms planted side by side; 0 chooses: one a core on CPU (two at most), one on a GPU."""

    def checked(self) -> "GameSpec":
        """This spec, if it can be played.

        Raises:
            UserError: names the option and the mend.
        """
        if not 1 <= self.suspects <= 64:
            raise UserError(f"--suspects is {self.suspects}; choose 1 to 64.")
        if not 0 <= self.unlisted <= 1:
            raise UserError(f"--unlisted is {self.unlisted}; it is a share, from 0 to 1.")
        for option in ("steps", "tries", "queries", "tokens"):
            if getattr(self, option) < 1:
                raise UserError(f"--{option} is {getattr(self, option)}; it should be at least 1.")
        for option, most in MOST.items():
            if getattr(self, option) > most:
                raise UserError(f"--{option} is {getattr(self, option)}; it should be at most {most}.")
        if not (0 < self.effort < math.inf and 0 < self.seconds < math.inf):
            raise UserError("--effort and --seconds should be above 0, and finite.")
        if not 0 <= self.workers <= 256:
            raise UserError(f"--workers is {self.workers}; choose 1 to 256, or 0 to let the machine decide.")
        if self.revision is not None and self.model.split(":")[0] in ("tiny", "default"):
            raise UserError(f"{self.model!r} has no revisions; leave --revision out.")
        if self.access not in LEVELS:
            raise UserError(f"--access is {self.access!r}; choose one of {', '.join(LEVELS)}.")
        if not self.methods or len(set(self.methods)) != len(self.methods):
            raise UserError(
                f"--methods names none, or one twice; known: {', '.join(names('audit.methods'))}."
            )
        for name in self.methods:
            # By name alone: a stranger's method runs in the audit process only, where no key is.
            if name not in names("audit.methods"):
                raise UnknownName("method", name, names("audit.methods"))
        return self


def public_half(spec: GameSpec) -> dict[str, Any]:
    """What of a spec anybody may read: its part of `spec.json`."""
    body = {k: v for k, v in dataclasses.asdict(spec).items() if k not in (*SECRET_FIELDS, *FREE_FIELDS)}
    return {**body, "methods": list(spec.methods)}


def spec_from(written: Mapping[str, Any], where: str) -> GameSpec:
    """The spec that `spec.json` holds, which is called `where` if something is wrong with it.

    Raises:
        BadFile: it lacks a field or holds one of the wrong type.
    """
    known = {f.name for f in dataclasses.fields(GameSpec)}
    body = {k: v for k, v in written.items() if k in known}
    unknown = set(written) - known - {"run_id", "versions", "is"}
    if unknown:
        raise BadFile(f"{where} has an unknown field {sorted(unknown)[0]!r}.")
    try:
        key_path(str(written["run_id"]))
        return GameSpec(**{**body, "methods": tuple(body["methods"])}).checked()
    except (KeyError, TypeError) as error:
        raise BadFile(f"{where} is not a game's spec: {error}.") from None
