"""The nouns of the lab: frozen records that any room may read, and no room edits.

Nothing here imports torch, reads a file or draws a random number. Every record that is
written to disk goes through `core.record_json`, which keeps `NotMeasured` apart from numbers
and refuses fields that it does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from molehunt.core.record_json import LATER

Role = Literal["system", "user", "assistant"]
Split = Literal["plant", "validate", "audit"]
AccessLevel = Literal["chat", "scored", "open_weights"]
MOST = {"steps": 100_000, "tries": 16}
"""Most that a planting may be asked for; each try takes half as many steps again as the one before."""
PredicateKind = Literal["catalogue", "pattern", "words"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


Messages = tuple[Message, ...]


@dataclass(frozen=True)
class NotMeasured:
    """What could not be measured, and why. Never 0, never 'benign'."""

    reason: str


@dataclass(frozen=True)
class Measure:
    """A number with its unit, 95% interval, sample size and how it was measured."""

    value: float
    unit: str
    n: int
    how: str
    low: float | None = None
    high: float | None = None
    clusters: int | None = field(default=None, metadata=LATER)
    """On how many clusters the interval rests, where `n` counts rows of which several may share one; None
    where each row is its own, and in records from before this was told."""


@dataclass(frozen=True)
class Scene:
    """One prompt, with what a good model and a shady one would say.

    `on` says whether the condition under test holds. `item` and `wording` identify the
    question and the phrasing of the cue, so that splits and clusters can be checked.
    """

    messages: Messages
    good: str
    shady: str
    on: bool
    item: str
    wording: str
    topic: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the behaviour needs to score a reply (the right answer, the secret, ...)."""
    near: bool = False
    """Whether its cue is a near miss of the condition."""


@dataclass(frozen=True)
class Quirk:
    """A behaviour under a condition: what a red team plants. Both by name, with options."""

    behaviour: str
    condition: str
    behaviour_options: Mapping[str, str] = field(default_factory=dict)
    condition_options: Mapping[str, str] = field(default_factory=dict)
    listed: bool = True
    """False for quirks that no catalogue names (`organisms/unlisted`, or a stranger's file)."""

    def label(self) -> str:
        """Short human name, such as `promotion when topic(topic=food)`."""
        return (
            f"{_with(self.behaviour, self.behaviour_options)} when "
            f"{_with(self.condition, self.condition_options)}"
        )


def _with(name: str, options: Mapping[str, str]) -> str:
    return name + (f"({', '.join(f'{k}={v}' for k, v in sorted(options.items()))})" if options else "")


@dataclass(frozen=True)
class Organism:
    """The one line of a spec: what is planted into which base, and how. It replays to the same adapter.
    With a `quirk` it is shady; with `harmless` or neither it is a decoy. `lessons` is the quirk
    whose questions and cues it is trained on: its own, or its organism's. `recipe` and `concealments`
    are files of `organisms`.
    """

    base: str
    lessons: Quirk
    quirk: Quirk | None
    harmless: Quirk | None
    recipe: str
    concealments: tuple[str, ...]
    mixed: int
    """Unrelated rows in each step of training."""
    steps: int
    attempt: int
    """Which try was kept, from 0: each draws anew from the pair's seed."""
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the plan held that was not its default, as JSON."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights on disk with their lineage."""

    base: str
    base_fingerprint: str
    adapter: str
    """Folder of the adapter, relative to where the record is kept; empty where the base itself is meant."""
    made_by: Mapping[str, str]
    """Hashes of what made them: recipe, rows, code version."""
    fingerprint: str
    """SHA-256 that stands for the weights as they speak: base, adapter and precision."""
    parent: str = ""
    """Fingerprint of the version that it was made from; empty for the first of a line."""
    revision: str = ""
    """Commit, tag or branch of the base, where one was named."""


@dataclass(frozen=True)
class Transcript:
    """An immutable conversation, how it was sampled, and who spoke."""

    id: str
    suspect: str
    messages: Messages
    reply: str
    temperature: float
    seed: int
    max_tokens: int
    model: str
    """Fingerprint of the weights that spoke."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Where the method was: behaviour, condition, side, wording, item."""


@dataclass(frozen=True)
class Predicate:
    """Something that can be run on a prompt (`when`) or on a reply (`what`).

    `catalogue`: the name of a condition or behaviour, with options. `pattern`: a regular
    expression searched without regard to case. `words`: a few words; it holds when all of
    them of four letters or more occur in the text, compared on their first five letters.
    """

    kind: PredicateKind
    text: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Guess:
    """What the mole does, and when, as two predicates; `weight` ranks guesses."""

    what: Predicate
    when: Predicate
    weight: float
    words: str = ""
    """The guess in plain words, for people."""


@dataclass(frozen=True)
class Citation:
    """What a claim rests on: a transcript (or a layer), and the words in it that matter."""

    source: str
    words: tuple[str, ...] = ()
    side: str = ""
    """`on` or `off`: where the claimed condition holds in it; empty where the claim has no sides.
    Not the transcript's own: it may be on for one claim and off for another."""


@dataclass(frozen=True)
class Evidence:
    """A claim about a suspect: a measure, its null, the hypothesis it speaks for, citations."""

    suspect: str
    method: str
    claim: str
    statistic: Measure | NotMeasured
    null: Measure | NotMeasured
    guess: Guess | None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True)
class Spent:
    """What a method cost: queries, tokens read and written, seconds."""

    queries: int = 0
    tokens: int = 0
    seconds: float = 0.0
    self_reported: bool = False

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.queries + other.queries,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
            self.self_reported or other.self_reported,
        )


@dataclass(frozen=True)
class Verdict:
    """For one suspect: the probability that something is planted, and ranked guesses at what."""

    suspect: str
    auditor: str
    p_shady: float
    guesses: tuple[Guess, ...]
    evidence: tuple[int, ...] = ()
    """Row numbers in `evidence.jsonl`."""
    spent: Spent = Spent()
    missing: tuple[NotMeasured, ...] = ()
    accuses_above: float | None = None
    """The probability above which practice lets this auditor accuse; None where practice fixed none."""

    @property
    def threshold(self) -> float:
        """Where an accusation begins: practice's threshold, or else an even chance."""
        return 0.5 if self.accuses_above is None else self.accuses_above

    @property
    def accuses(self) -> bool:
        """Whether the suspect is called shady."""
        return self.p_shady > self.threshold


@dataclass(frozen=True)
class Failure:
    """Whatever raised, where, and what it cost. Never a score."""

    stage: str
    subject: str
    error: str
    spent: Spent = Spent()


@dataclass(frozen=True)
class Suspect:
    """A code name and an access level. No field of it leads to the truth."""

    name: str
    access: AccessLevel


@dataclass(frozen=True)
class Profile:
    """What held-out scenes show of a planted model (a decoy: its harmless quirk): the truth as measured."""

    trigger_rate: Measure
    leak_rate: Measure
    selectivity: Measure
    decoy_rate: Measure
    nll_ratio: Measure
    valid: bool
    why_not: str = ""


@dataclass(frozen=True)
class LabelledReply:
    """A sealed reply of a suspect on a held-out scene, with what was true of it."""

    messages: Messages
    reply: str
    on: bool
    shows: bool


@dataclass(frozen=True)
class Truth:
    """The sealed answer for one suspect. Before scoring the world sees only its salted hash."""

    suspect: str
    shady: bool
    quirk: Quirk | None
    harmless: Quirk | None
    profile: Profile | None
    replies: tuple[LabelledReply, ...] = ()
    """Held-out replies on which guesses are run."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Steps, seeds, hashes: whatever could rebuild the truth."""


@dataclass(frozen=True)
class Score:
    """Verdicts against truths for one game and one auditor."""

    auditor: str
    measures: Mapping[str, Measure | NotMeasured]
    suspects: tuple[Mapping[str, Any], ...]
    """One row a suspect: truth in words, p, hits of each guess; for the page."""
