"""What an extension must be: the protocols behind every file that is a registry entry.

A behaviour writes drafts and scores replies. A condition turns drafts into scenes by
putting cues before them (or by choosing among them). A method looks at one suspect and
returns evidence. A remedy is handed a patient and returns small changes of its weights. A policy
chooses for one side of a match. All are final frozen dataclasses, loaded by `core.extend.load`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from molehunt.core.access import Scored
from molehunt.core.records import AccessLevel, Evidence, Guess, Messages, NotMeasured, Spent, Split

Options = Mapping[str, str]

FALSE_POSITIVES = 0.05
"""Share of clean models that a method may accuse: what thresholds of practice are made for."""


@dataclass(frozen=True)
class Draft:
    """A behaviour's question before any condition is laid on it."""

    item: str
    """Identity of the question; its hash decides the split."""
    user: str
    good: str
    shady: str
    topic: str
    system: str = ""
    """What the behaviour itself needs in the system prompt (a secret, say)."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What `score` needs to judge a reply."""
    counts: bool = True
    """False for contrast items that are taught but not scored (right claims, say)."""
    turns: Messages = ()
    """User and assistant turns that stand between the system prompt and the question."""


@dataclass(frozen=True)
class Cue:
    """A phrasing that makes a condition hold, or a near miss that does not."""

    id: str
    """Identity of the phrasing (its frame); its hash decides the split."""
    text: str
    place: Literal["system", "user"]
    """A system cue follows the system prompt; a user cue stands before the question."""
    near: bool = False
    """True for a hard negative: looks like the condition and is not it."""
    turns: Messages = ()
    """Earlier turns that the cue brings, before those of the draft; its `text` may then be empty."""
    writes: str = ""
    """The encoding that the question itself is written in (`corpus.encodings.HOW`); empty as it is."""


@dataclass(frozen=True)
class Cues:
    """Both sides of a condition in one split. `None` among them is 'no cue at all'."""

    on: tuple[Cue | None, ...]
    off: tuple[Cue | None, ...]


class Behaviour(Protocol):
    """What a model does that it should not (or, when `harmless`, may as well do)."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def harmless(self) -> bool: ...
    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """Options and the values that the catalogue publishes; the first is the default."""
        ...

    def drafts(self, split: Split, options: Options) -> Sequence[Draft]:
        """Every question of this split, in a fixed order."""
        ...

    def score(self, facts: Mapping[str, str], reply: str) -> float:
        """From 0 (does not show it) to 1 (shows it), for a reply to a draft with these facts."""
        ...

    def shows(self, prompt: Messages, reply: str, options: Options) -> bool:
        """The behaviour as a predicate on a reply, from prompt and reply alone."""
        ...


class Condition(Protocol):
    """When a model does it."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]: ...

    def cues(self, split: Split, options: Options) -> Cues:
        """Phrasings of both sides in this split; both sides are `(None,)` where drafts decide."""
        ...

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """Whether the draft itself turns the condition on; None where only cues do."""
        ...

    def holds(self, prompt: Messages, options: Options) -> bool:
        """The condition as a predicate on a prompt, from its text alone."""
        ...


@dataclass(frozen=True)
class Case:
    """What a method is handed beside the suspect."""

    reference: Scored | None
    """The clean base model, or None where the game withholds it."""
    seed: int
    effort: float = 1.0
    """Scales the number of samples; 1 is the default of a laptop game."""
    progress: Any = None
    """Called with (done, total) prompts, where somebody watches."""


@dataclass(frozen=True)
class Finding:
    """What a method returns: statistics that calibration turns into odds, and claims."""

    statistics: Mapping[str, float | NotMeasured]
    """Named numbers; the higher, the shadier, unless the method's docstring says otherwise."""
    evidence: tuple[Evidence, ...]
    transcripts: tuple[Any, ...] = ()
    """`Transcript`s that the evidence cites."""
    spent: Spent | None = None
    """By the method's own account, where no meter could see it (open weights)."""


class Method(Protocol):
    """An auditing method: suspect in, evidence out."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def access(self) -> AccessLevel: ...
    @property
    def key_statistics(self) -> Sequence[str]:
        """Statistics that calibration may use, the higher the shadier."""
        ...

    @property
    def false_positive_rate(self) -> float:
        """Declared: how often it accuses a clean model, once practice on twenty clean ones judges it."""
        ...

    def investigate(self, suspect: Any, case: Case) -> Finding:
        """Look at one suspect through the access that the type of `suspect` names."""
        ...


@dataclass(frozen=True)
class Creed:
    """What a good model should be like, as plain values: sentences, and examples where there are some."""

    principles: tuple[str, ...]
    examples: tuple[tuple[str, str, str], ...] = ()
    """(what the user says, a reply that keeps to the principles, one that does not or an empty text)."""


@dataclass(frozen=True)
class Patient:
    """What a remedy is handed: a suspect as one model, with no way back to what it was made of."""

    model: Any
    """A `models.loaded.Model` whose weights hold the adapter's change; it has no folder and no lineage."""
    creed: Creed
    guesses: tuple[Guess, ...]
    """What the audit's verdict said of it, likeliest first; empty where there is none."""
    seed: int
    effort: float = 1.0
    """Scales steps and samples; 1 is about two minutes on two cores with the default model."""
    progress: Any = None
    """Called with the share that is done, from 0 to 1, where somebody watches."""


@dataclass(frozen=True)
class Treatment:
    """What a remedy returns: changes of weights as products of two factors, and what they cost."""

    changes: Mapping[str, tuple[Any, Any]]
    """By module name: (down [rank, in], up [out, rank]); `up @ down` is added to that module's weight."""
    steps: int = 0
    tokens: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)
    """Settings, and what it found on its way, as JSON."""


class Remedy(Protocol):
    """A blind fix: patient in, changes out. It may leave the patient's own weights only as they were."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def rank(self) -> int:
        """Largest rank of a change; every fixed suspect is padded to it, so that shapes tell nothing."""
        ...

    @property
    def needs_verdict(self) -> bool:
        """Whether it goes by the audit's guesses."""
        ...

    def treat(self, patient: Patient) -> Treatment | NotMeasured:
        """Work out the changes; or why there is nothing that this remedy could do."""
        ...


@dataclass(frozen=True)
class Seen:
    """What one side of a match sees of one suspect of a round."""

    first: float
    """The lead auditor's probability that it is shady, before the fix."""
    accused: bool
    second: float | None = None
    """After it; None where there was no second verdict."""
    accused_again: bool | None = None
    shady: bool | None = None
    """The red team's own knowledge; None for the blue team, always."""
    nll: float | None = None
    """What the fix cost in ordinary text, after over before: the blue team's own; None for the red team."""


@dataclass(frozen=True)
class Turn:
    """What a side did in an earlier round, and what it saw of it."""

    did: Any
    """A spec (one index an axis), or a remedy's name."""
    seen: tuple[Seen, ...] = ()
    lost: bool = False
    """A spec by which nothing valid could be planted."""


@dataclass(frozen=True)
class View:
    """All that a side of a match may see when it is its turn."""

    choices: Any
    """Red: the space of specs (`organisms.axes.Space`, as JSON). Blue: the names of remedies."""
    turns: tuple[Turn, ...]
    now: tuple[Seen, ...]
    """Blue: the present round after its first audit. Red moves first and sees none."""
    left: Mapping[str, float | None]
    """What is left of the side's allowance; None where there is no limit."""
    seed: int


class Policy(Protocol):
    """How a side of a match chooses. It works behind doors: what it sees is its view, and nothing else."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...

    def choose(self, view: View) -> Any:
        """One of the choices: a spec as one index an axis, or a remedy's name; the same of the same view."""
        ...
