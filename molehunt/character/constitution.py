"""Constitutions: Markdown that people read, with front matter that programs read.

    ---
    name: kind-person
    version: "1"
    author: Molehunt
    summary: One line.
    ---

    Words to the reader, as many as you like.

    ## honest: Say what you believe to be true.

    Tags: honesty
    Yields to: no-harm

    ### Reasons

    Why, in as many paragraphs as you like.

    ### Example

    **Prompt:** What somebody asks.

    **Good:** What the principle wants in reply.

    **Bad:** What it does not.

Each `## id: statement` is a principle; ids are small letters, digits and hyphens. `Tags:` and `Yields to:`
(where two principles pull apart, the named ones win) take ids parted by commas, and may be left out, as may
reasons and examples: `molehunt constitution check` says what is missing. A line that begins with `## `, `###
` or one of the three bold words belongs to the form; everything else is yours. `to_text` writes the same
form.

Where a file does not have this form, `BadFile` names the line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from molehunt.core.errors import BadFile, UnknownName

FIELDS = ("name", "version", "author", "summary")
PARTS = ("Prompt", "Good", "Bad")
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST = 500_000
"""Bytes of a file that are read."""


@dataclass(frozen=True)
class Example:
    """What somebody asks, and two replies."""

    prompt: str
    good: str
    bad: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Principle:
    """One thing to live by, why, and what it looks like."""

    id: str
    statement: str
    tags: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    """Ids of principles that win where this one and they pull apart."""
    reasons: str = ""
    examples: tuple[Example, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Constitution:
    """Principles in their order, with words to the reader before them."""

    name: str
    version: str
    author: str
    summary: str
    preamble: str
    principles: tuple[Principle, ...]


def presets() -> tuple[str, ...]:
    """Names of the constitutions that come with the package."""
    return tuple(sorted(p.name.removesuffix(".md") for p in _folder().iterdir() if p.name.endswith(".md")))


def load_constitution(name: str | Path) -> Constitution:
    """A preset by name, or else a file.

    Raises:
        UnknownName: neither a preset nor a file. BadFile: the file does not have the form; names the line.
    """
    if str(name) in presets():
        return parse((_folder() / f"{name}.md").read_text(encoding="utf-8-sig"), f"{name}.md")
    path = Path(name).expanduser()
    if not path.is_file():
        raise UnknownName("constitution", str(name), presets())
    try:
        if path.stat().st_size > LONGEST:
            raise BadFile(f"{path} is longer than {LONGEST:,} bytes; a constitution is read by people.")
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeError) as error:
        raise BadFile(f"{path} cannot be read as text ({str(error)[:80]}).") from None


def parse(text: str, where: str = "constitution") -> Constitution:
    """A constitution from its text; `where` is what errors call it.

    Raises:
        BadFile: it does not have the form; names the line.
    """
    lines = text.splitlines()
    facts, body = _front(lines, where)
    marks = [i for i in range(body, len(lines)) if lines[i].startswith("## ")]
    preamble = _text(lines[body : marks[0] if marks else len(lines)])
    ends = [*marks, len(lines)][1:]
    principles = tuple(_principle(lines, a, b, where) for a, b in zip(marks, ends, strict=True))
    return Constitution(**facts, preamble=preamble, principles=principles)


def to_text(constitution: Constitution) -> str:
    """The constitution in the form that `parse` reads; the two are each other's inverse."""
    import yaml

    facts = {name: getattr(constitution, name) for name in FIELDS}
    front = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=10_000).strip()
    blocks = [f"---\n{front}\n---", *([constitution.preamble] if constitution.preamble else [])]
    for p in constitution.principles:
        blocks.append(f"## {p.id}: {p.statement}")
        named = (("Tags", p.tags), ("Yields to", p.yields_to))
        if any(ids for _, ids in named):
            blocks.append("\n".join(f"{title}: {', '.join(ids)}" for title, ids in named if ids))
        if p.reasons:
            blocks += ["### Reasons", p.reasons]
        for e in p.examples:
            blocks += ["### Example", *(f"**{part}:** {getattr(e, part.lower())}" for part in PARTS)]
    return "\n\n".join(blocks) + "\n"


def _front(lines: Sequence[str], where: str) -> tuple[dict[str, str], int]:
    """The four facts, and the index of the line after them."""
    import yaml

    end = next((i for i in range(1, len(lines)) if lines[i].rstrip() == "---"), None)
    if not lines or lines[0].rstrip() != "---" or end is None:
        raise BadFile(f"{where} line 1: a constitution begins with front matter between two lines of `---`.")
    try:
        facts = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        what = str(getattr(error, "problem", "") or "it cannot be read")[:80]
        raise BadFile(f"{where} line {line}: the front matter is not YAML: {what}.") from None
    named = [line.partition(":")[0] for line in lines[1:end] if ID.match(line)]
    twice = next((i for i, name in enumerate(named) if name in named[:i] and name in FIELDS), None)
    if twice is not None:
        at = [i + 1 for i in range(1, end) if lines[i].startswith(f"{named[twice]}:")][1]
        raise BadFile(f"{where} line {at}: {named[twice]!r} stands there twice.")
    if not isinstance(facts, dict):
        raise BadFile(f"{where} line 2: the front matter should hold {', '.join(FIELDS)}.")
    for key, value in facts.items():
        line = next((i + 1 for i in range(1, end) if lines[i].startswith(f"{key}:")), 2)
        if key not in FIELDS:
            raise BadFile(
                f"{where} line {line}: unknown field {str(key)[:40]!r}; known: {', '.join(FIELDS)}."
            )
        if not isinstance(value, str) or not value.strip():
            raise BadFile(f"{where} line {line}: {key} should be text; put it in quotes if it is a number.")
    missing = [name for name in FIELDS if name not in facts]
    if missing:
        raise BadFile(f"{where} line {end + 1}: the front matter lacks {missing[0]!r}.")
    return facts, end + 1


def _principle(lines: Sequence[str], start: int, end: int, where: str) -> Principle:
    identity, colon, statement = lines[start][3:].partition(":")
    if not colon or not ID.fullmatch(identity.strip()) or not statement.strip():
        raise BadFile(f"{where} line {start + 1}: a principle's heading is `## id: statement`.")
    marks = [i for i in range(start + 1, end) if lines[i].startswith("### ")]
    stops = [*marks, end][1:]
    tags, yields = _named(lines, start + 1, marks[0] if marks else end, where)
    reasons, examples = "", []
    for a, b in zip(marks, stops, strict=True):
        heading = lines[a][4:].strip()
        if heading == "Reasons" and not reasons:
            reasons = _text(lines[a + 1 : b])
        elif heading == "Example":
            examples.append(_example(lines, a, b, where))
        else:
            raise BadFile(
                f"{where} line {a + 1}: {heading[:40]!r} should be `Reasons`, once a principle, or `Example`."
            )
    return Principle(identity.strip(), statement.strip(), tags, yields, reasons, tuple(examples), start + 1)


def _named(lines: Sequence[str], start: int, end: int, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags and whom it yields to, from the lines under a heading."""
    found: dict[str, tuple[str, ...]] = {}
    for i in range(start, end):
        if not lines[i].strip():
            continue
        title, colon, rest = lines[i].partition(":")
        ids = tuple(s.strip() for s in rest.split(","))
        if (
            title not in ("Tags", "Yields to")
            or title in found
            or not colon
            or not all(map(ID.fullmatch, ids))
        ):
            raise BadFile(
                f"{where} line {i + 1}: under a heading stand `Tags:` and `Yields to:`, with ids parted by "
                "commas; other words belong under `### Reasons`."
            )
        found[title] = ids
    return found.get("Tags", ()), found.get("Yields to", ())


def _example(lines: Sequence[str], start: int, end: int, where: str) -> Example:
    marks = [(i, p) for i in range(start + 1, end) for p in PARTS if lines[i].startswith(f"**{p}:**")]
    if tuple(p for _, p in marks) != PARTS or _text(lines[start + 1 : marks[0][0]]):
        raise BadFile(
            f"{where} line {start + 1}: an example holds `**Prompt:**`, `**Good:**` and `**Bad:**`, in that "
            "order and once each."
        )
    stops = [*(i for i, _ in marks[1:]), end]
    texts = []
    for (i, part), stop in zip(marks, stops, strict=True):
        said = _text([lines[i].removeprefix(f"**{part}:**"), *lines[i + 1 : stop]])
        if not said:
            raise BadFile(f"{where} line {i + 1}: `**{part}:**` is empty.")
        texts.append(said)
    return Example(*texts, line=start + 1)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip()


def _folder():
    return files("molehunt.character") / "constitutions"
