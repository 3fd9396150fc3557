"""Which version came from which, which passed the gate, which one is current: a graph in `lineage.json`.

    v0 ──passed──► v1 ──stopped──► v2        v0 is the first of the line and is taken on trust;
                    └── current              the others stand or fall by the gates that they came to.

A version may label, judge or train others only where `may_judge` says so: it is the first of its line and a
whole model (an adapter has a base, beside which an audit can see it), or the last gate that it came to let it
pass, that gate's old version is good itself, an audit cleared it, and it was not rolled back. Whoever lets a
model label, judge or train has to ask: `molehunt character` and `molehunt label` do, of the lineage in `HOME`
where there is one, or of the one that --lineage names; nothing else does. What is trained further has to be
good as well, cleared or not. Nothing is deleted, ever: what happened is a list that grows, and a rollback is
one more line of it, which points the current version elsewhere and says why.

What this cannot tell you: that somebody did not write the file by hand. The hash of each gate's results shows
that they were changed, not that they are true; and the first version was never held against anything.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from molehunt.core.atomic import read_json, write_json
from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.core.record_json import from_json
from molehunt.core.records import Checkpoint

FILE = "lineage.json"
HOME = Path("runs/lineage")
"""Where `molehunt gate` records, and whoever asks looks, unless another folder is named."""


@dataclass(frozen=True)
class Edge:
    """One gate between two versions, and what came of it."""

    old: str
    new: str
    """Names of versions."""
    passed: bool
    why: tuple[str, ...]
    """Why it stopped; nothing where it passed."""
    audit: str
    """What the audit of the new version said, or why there was none."""
    cleared: bool
    """Whether that audit was done and did not accuse it."""
    results: str
    """File of the gate's results, relative to the lineage's folder."""
    sha256: str
    """Of that file."""
    bounds: str
    """SHA-256 of the bounds that were set before: of what decides, not of their name and reasons."""
    seed: int
    at: str
    """Date and time, ISO 8601."""


@dataclass(frozen=True)
class Turn:
    """The current version is another one from here on."""

    to: str
    why: str
    at: str
    away: str = ""
    """The version that was rolled back; empty where the turn goes on to a new one."""


@dataclass(frozen=True)
class Lineage:
    """Versions by name, in the order in which they were met, and what happened to them."""

    versions: Mapping[str, Checkpoint]
    events: tuple[Edge | Turn, ...] = ()

    @property
    def first(self) -> str:
        """The version that is taken on trust."""
        return next(iter(self.versions))

    @property
    def current(self) -> str:
        """The version in use: the last one that was turned to and is still good."""
        turns = (e.to for e in reversed(self.events) if isinstance(e, Turn))
        return next((to for to in turns if not self.why_bad(to)), self.first)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every gate, oldest first."""
        return tuple(e for e in self.events if isinstance(e, Edge))

    def name_of(self, fingerprint: str) -> str | None:
        """The version with these weights."""
        return next((n for n, c in self.versions.items() if c.fingerprint == fingerprint), None)

    def why_unseen(self, name: str) -> str:
        """Why a good version may not judge, in one sentence; empty where it may.

        The first of a line is taken on trust where it is a whole model, for nobody here has anything to hold
        it against; an adapter has its base, beside which an audit can see it.
        """
        edge, one = self.last_edge(name), self.versions[name]
        if edge is not None:
            return "" if edge.cleared else f"No audit cleared {name}: {edge.audit[:200]}."
        if not one.adapter:
            return ""
        return (
            f"{name} began its line as an adapter, and no audit saw it; gate it from its base "
            f"(`molehunt gate {one.base} ADAPTER`) in a line of its own."
        )

    def last_edge(self, name: str) -> Edge | None:
        """The last gate to which a version came as the new one."""
        return next((e for e in reversed(self.edges) if e.new == name), None)

    def withdrawn(self, name: str) -> str:
        """Why it was rolled back; empty where it was not. The same weights don't come back from that."""
        turns = (e for e in self.events if isinstance(e, Turn))
        return next((t.why for t in turns if t.away == name), "")

    def forebears(self, name: str) -> tuple[str, ...]:
        """The old versions of the last gates back to the first of the line, nearest first."""
        found: list[str] = []
        while (edge := self.last_edge(name)) is not None and edge.old not in found:
            found.append(name := edge.old)
        return tuple(found)

    def why_bad(self, name: str) -> str:
        """Why a version may not be built on, in one sentence; empty for a good one."""
        for one in (name, *self.forebears(name)):
            edge, behind = self.last_edge(one), "" if one == name else f", and {name} comes from it"
            if one != self.first and edge is None:
                return f"{one} never came to a gate{behind}."
            if edge is not None and not edge.passed:
                return f"The gate stopped {one}{behind}: {'; '.join(edge.why)[:200]}."
            if why := self.withdrawn(one):
                return f"{one} was rolled back{behind}: {why[:200]}."
        return ""


def begun(first: Checkpoint, at: str) -> Lineage:
    """A lineage whose first version is taken on trust."""
    return Lineage({"v0": first}, (Turn("v0", "the first of the line, taken on trust", at),))


def met(lineage: Lineage, version: Checkpoint) -> tuple[Lineage, str]:
    """The lineage with this version in it, and its name there."""
    name = lineage.name_of(version.fingerprint)
    if name is not None:
        return lineage, name
    name = f"v{len(lineage.versions)}"
    return replace(lineage, versions={**lineage.versions, name: version}), name


def recorded(lineage: Lineage, edge: Edge) -> Lineage:
    """One gate more; the new version becomes the current one where it passed.

    Where it is stopped and was current, or what is current came of it, the last good one is current again.

    Raises:
        UserError: the new version is one from which the old one comes, or the old one itself.
    """
    if edge.new in (edge.old, lineage.first, *lineage.forebears(edge.old)):
        raise UserError(f"{edge.old} comes from {edge.new}; the new version has to be the later one.")
    events: tuple[Edge | Turn, ...] = (*lineage.events, edge)
    if edge.passed:
        return replace(lineage, events=(*events, Turn(edge.new, f"passed the gate from {edge.old}", edge.at)))
    after = replace(lineage, events=events)
    if after.current == lineage.current:
        return after
    why = f"a later gate stopped {edge.new}"  # an audit that came after it had passed, say
    return replace(after, events=(*events, Turn(after.current, why, edge.at)))


def rolled_back(lineage: Lineage, why: str, at: str, to: str = "") -> Lineage:
    """The current version is rolled back to its last good forebear, or to the good version `to`.

    Raises:
        UserError: there is none, no reason is given, or `to` is not good.
        UnknownName: there is no version `to`.
    """
    current = lineage.current
    if not why.strip():
        raise UserError("Say why it is rolled back, with --why.")
    if to and to not in lineage.versions:
        raise UnknownName("version", to, lineage.versions)
    if current == lineage.first:
        raise UserError(f"{current} is the first of its line; there is nothing before it to go back to.")
    candidates = (to,) if to else lineage.forebears(current)
    after = replace(lineage, events=(*lineage.events, Turn(current, why, at, away=current)))
    target = next((n for n in candidates if n != current and not after.why_bad(n)), None)
    if target is None:
        to = to or lineage.first
        raise UserError(f"{to} is no version to go back to. {after.why_bad(to) or 'It is the current one.'}")
    return replace(lineage, events=(*lineage.events, Turn(target, why, at, away=current)))


def why_not_good(checkpoint: Checkpoint, home: Path = HOME) -> str:
    """Why these weights may not be trained further, in one sentence; empty where they may.

    Raises:
        BadFile: the lineage cannot be read.
    """
    lineage = read_lineage(home)
    name = lineage.name_of(checkpoint.fingerprint)
    if name is None:
        return (
            f"These weights stand in no lineage in {home}; `molehunt gate OLD NEW --lineage {home}` "
            "holds them against a version that does."
        )
    if why := lineage.why_bad(name):
        return why
    for one in (name, *lineage.forebears(name)):
        edge = lineage.last_edge(one)
        if edge is not None and _hash(home / edge.results) != edge.sha256:
            return f"The results of {one}'s gate are not those that were recorded; gate it again."
    return ""


def why_not_judge(checkpoint: Checkpoint, home: Path = HOME) -> str:
    """Why these weights may not label, judge or train others: as `why_not_good`, or no audit cleared them."""
    if why := why_not_good(checkpoint, home):
        return why
    lineage = read_lineage(home)
    return lineage.why_unseen(str(lineage.name_of(checkpoint.fingerprint)))


def may_judge(checkpoint: Checkpoint, home: Path = HOME) -> bool:
    """Whether these weights may label, judge or train others. Errors as `why_not_judge`."""
    return not why_not_judge(checkpoint, home)


def read_lineage(home: Path) -> Lineage:
    """The lineage of a folder.

    Raises:
        BadFile: there is none, or it cannot be read as one.
    """
    path = home / FILE
    if not path.is_file():
        raise BadFile(f"{home} holds no {FILE}; `molehunt gate OLD NEW --lineage {home}` begins one.")
    try:
        found = from_json(Lineage, read_json(path))
    except BadFile as error:
        raise BadFile(f"{path} is no lineage: {error}") from None
    named = {n for e in found.edges for n in (e.old, e.new)}
    named |= {n for e in found.events if isinstance(e, Turn) for n in (e.to, e.away) if n}
    if (
        not found.versions
        or named - set(found.versions)
        or not any(isinstance(e, Turn) for e in found.events)
    ):
        raise BadFile(f"{path} is no lineage: it speaks of versions that it does not hold, or of none.")
    return found


def write_lineage(home: Path, lineage: Lineage) -> None:
    """Put it there, whole or not at all. Errors as `atomic.write_bytes`."""
    write_json(home / FILE, lineage)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
