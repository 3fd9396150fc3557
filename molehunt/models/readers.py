"""Models that read and answer questions, many at once: by Inspect's names, or by our own sampler.

    local:NAME        a model on this machine: `local:default`, or a Hugging Face id, a model's or an
                      adapter's folder after the colon
    PROVIDER/MODEL    Inspect's model API by its usual names (`anthropic/...`, `openai/...`, `vllm/...`);
                      inspect-ai is imported only then, and is an extra of this package

What could not be answered is a `NotMeasured` with the reason, never an empty answer. `Remembered` keeps
answers in a file of JSON lines, so that nothing is asked (or paid for) twice: a question's key is the hash
of reader, length and text. A line that a killed run left half-written is dropped. Failures are not kept.

What this cannot tell you: whether an answer is right, or would be the same tomorrow. Served models change
under one name.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from molehunt.core.atomic import canonical, read_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.growing import append_lines, whole_lines
from molehunt.core.records import Message, NotMeasured
from molehunt.models.loaded import Model, ModelSpec

Reply = str | NotMeasured
LOCAL = "local:"
FAILED = "the reader failed"
"""How a reason begins that says nothing of the question: asked again, it may be answered."""
RETRIES, PATIENCE = 6, 300
"""Times that a service is asked once more, and seconds until a question counts as not answered: Inspect would
try for ever, an account without credit included."""
LONGEST = 20_000
"""Characters of an answer that are kept."""


@runtime_checkable
class Answerer(Protocol):
    """Whoever answers questions."""

    @property
    def name(self) -> str:
        """By which it is known, and its answers remembered."""
        ...

    def ask(self, questions: Sequence[str], max_tokens: int) -> list[Reply]:
        """An answer a question, in their order."""
        ...


@dataclass(frozen=True, eq=False)
class LocalReader:
    """A model in memory, sampled at temperature 0."""

    model: Model

    @property
    def name(self) -> str:
        """Its weights, so that another model's answers are not taken for its own."""
        return f"{LOCAL}{self.model.fingerprint}"

    def ask(self, questions: Sequence[str], max_tokens: int) -> list[Reply]:
        """An answer a question; those that do not fit into the model are not measured."""
        from molehunt.models.prompts import prompt_ids
        from molehunt.models.sample import sample

        room = getattr(self.model.module.config.get_text_config(), "max_position_embeddings", None)
        chats = [(Message("user", q),) for q in questions]
        sizes = [len(prompt_ids(self.model.tokenizer, c)) + max_tokens for c in chats]
        fits = [i for i, size in enumerate(sizes) if room is None or size <= room]
        told = dict(
            zip(fits, sample(self.model, [chats[i] for i in fits], max_tokens=max_tokens), strict=True)
        )
        unfit = NotMeasured("the question does not fit into the reader's positions")
        return [_kept(told[i]) if i in told else unfit for i in range(len(questions))]


@dataclass(frozen=True)
class InspectReader:
    """Any model that Inspect knows, so many questions in flight at once."""

    name: str
    parallel: int = 16
    make: Callable[[], Any] | None = None
    """Makes the Inspect model; by its name where None."""
    temperature: float = 0.0

    def ask(self, questions: Sequence[str], max_tokens: int) -> list[Reply]:
        """An answer a question.

        Raises:
            UserError: inspect-ai is missing, or cannot make this model (no such name, no key).
        """
        return asyncio.run(self._all(questions, max_tokens))

    def look(self) -> None:
        """Say what is wrong with the name or the key before any work. Errors as `ask`."""
        self._model(1)

    async def _all(self, questions: Sequence[str], max_tokens: int) -> list[Reply]:
        model, config = self._model(max_tokens)
        gate = asyncio.Semaphore(self.parallel)

        async def one(question: str) -> Reply:
            async with gate:
                try:
                    out = await model.generate(question, config=config)
                except Exception as error:  # whatever a provider raises is a failure of this question alone
                    return NotMeasured(f"{FAILED}: {_first(error)}")
            return NotMeasured(f"{FAILED}: {out.error[:200]}") if out.error else _kept(out.completion)

        return list(await asyncio.gather(*map(one, questions)))

    def _model(self, max_tokens: int) -> tuple[Any, Any]:
        if find_spec("inspect_ai") is None:
            raise UserError(
                f"The reader {self.name!r} needs inspect-ai; run `pip install 'molehunt[inspect]'`, or use "
                f"`statistics` or {LOCAL}default."
            )
        inspect = import_module("inspect_ai.model")  # late: it costs seconds, and not all have it
        config = inspect.GenerateConfig(
            max_tokens=max_tokens,
            temperature=self.temperature,
            max_connections=self.parallel,
            max_retries=RETRIES,
            timeout=PATIENCE,
        )
        try:
            return (self.make() if self.make else inspect.get_model(self.name, memoize=False)), config
        except Exception as error:
            raise UserError(f"Inspect cannot open the reader {self.name!r}: {_mend(error)}.") from error


@dataclass
class Remembered:
    """Asks a reader only what its file of answers does not hold."""

    reader: Answerer
    path: Path
    known: dict[str, str] = field(default_factory=dict)
    draws: bool = False
    """Whether a question that stands several times is asked as often: its answers are draws, by number."""

    def __post_init__(self) -> None:
        for number, row in whole_lines(self.path, cut=True):
            try:
                self.known[row["key"]] = str(row["text"])
            except (KeyError, TypeError):
                raise BadFile(f"{self.path} line {number} is no answer; delete it.") from None

    @property
    def name(self) -> str:
        """The reader's."""
        return self.reader.name

    def ask(self, questions: Sequence[str], max_tokens: int, *, only_known: bool = False) -> list[Reply]:
        """An answer a question; each different one, or each draw of it, is asked at most once.

        With `only_known` nothing is asked.
        """
        met: Counter[str] = Counter()
        keys = []
        for q in questions:
            keys.append(self._key(q, max_tokens, met[q]))
            met[q] += 1
        todo = {k: q for k, q in zip(keys, questions, strict=True) if k not in self.known}
        fresh: dict[str, Reply] = dict.fromkeys(todo, NotMeasured("it was asked no more"))
        if todo and not only_known:
            fresh = dict(zip(todo, self.reader.ask(list(todo.values()), max_tokens), strict=True))
            told = {k: a for k, a in fresh.items() if isinstance(a, str)}
            append_lines(self.path, ({"key": k, "text": a} for k, a in told.items()))
            self.known |= told
        return [self.known[k] if k in self.known else fresh[k] for k in keys]

    def knows(self, question: str, max_tokens: int) -> bool:
        """Whether its file holds an answer to this question, of draws the first."""
        return self._key(question, max_tokens, 0) in self.known

    def _key(self, question: str, max_tokens: int, draw: int) -> str:
        asked = [self.name, max_tokens, question, *([draw] if self.draws else [])]
        return hashlib.sha256(canonical(asked)).hexdigest()


def open_reader(name: str, parallel: int = 16) -> Answerer:
    """A reader by its name.

    Raises:
        UserError: a name of neither kind, inspect-ai missing, or a model that cannot be opened.
    """
    if name.startswith(LOCAL):
        return LocalReader(open_local(name))
    if "/" not in name:
        raise UserError(
            f"There is no reader {name[:80]!r}; give `statistics`, {LOCAL}NAME, or PROVIDER/MODEL as Inspect "
            "writes it."
        )
    reader = InspectReader(name, max(1, parallel))
    reader.look()
    return reader


def open_local(name: str) -> Model:
    """The model of `local:NAME`; an adapter is put on the model that its configuration names.

    Raises:
        BadFile: an adapter that names no base. Others as `open_model`.
    """
    from molehunt.models.load import open_model

    said = name.removeprefix(LOCAL) or "default"
    folder = Path(said).expanduser()
    if not (folder / "adapter_config.json").is_file() or (folder / "config.json").is_file():
        return open_model(ModelSpec(said))
    config = read_json(folder / "adapter_config.json")
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise BadFile(f"{folder} does not say which model it was made on; merge it into one first.")
    return open_model(ModelSpec(base, adapter=str(folder)))


def _kept(text: str) -> Reply:
    return text[:LONGEST] if text.strip() else NotMeasured("the reader said nothing")


def _mend(error: Exception) -> str:
    """What stands in the way of a reader and what would mend it: Inspect says the latter further down."""
    said = re.sub(r"\[/?[a-z][a-z0-9_ ]*\]", "", str(getattr(error, "message", "") or error))
    lines = [line.strip().rstrip(".:") for line in said.splitlines() if line.strip()]
    return ": ".join(lines[:3]).removeprefix("ERROR: ")[:300] or type(error).__name__


def _first(error: Exception) -> str:
    """What went wrong, on one line; Inspect puts the whole request before what the service said."""
    said = getattr(error, "provider_message", "") or getattr(error, "message", "") or error
    text = str(said).strip()
    return (text.splitlines() or [type(error).__name__])[0][:200].rstrip(". ")
