"""A conversation with suspect and reference on the same prompts, and what was said in it, in phrases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from molehunt.audit import cells, phrases
from molehunt.audit.interview import Ask, put
from molehunt.audit.probes import Probe
from molehunt.core.access import Chat
from molehunt.core.kinds import Case
from molehunt.core.records import Messages, Transcript


@dataclass(frozen=True)
class Talk:
    """Replies so far, by prompt; `own` and `base` fill up as prompts are put."""

    suspect: Chat
    case: Case
    method: str
    max_tokens: int
    own: dict[Messages, Transcript] = field(default_factory=dict)
    base: dict[Messages, Transcript] = field(default_factory=dict)

    def ask(self, prompts: Sequence[Messages]) -> None:
        """Put what was not put yet to the suspect, and to the reference where there is one."""
        for speaker, replies in ((self.suspect, self.own), (self.case.reference, self.base)):
            if speaker is not None:
                asks = [Ask(m) for m in dict.fromkeys(prompts) if m not in replies]
                watch = self.case.progress if speaker is self.suspect else None
                seed, method, length = self.case.seed, self.method, self.max_tokens
                got = put(speaker, method, asks, max_tokens=length, seed=seed, progress=watch)
                replies.update((t.messages, t) for t in got)

    def said(self, prompts: Sequence[Messages], base: bool = False) -> list[set[str]]:
        """The phrases of each reply, of the suspect or the reference."""
        replies = self.base if base else self.own
        return [phrases.phrases_of(replies[m].reply, "\n".join(t.content for t in m)) for m in prompts]

    def how_often(self, phrase: str, on: Sequence[Messages], off: Sequence[Messages]) -> cells.Tally:
        """Replies with the phrase on either side, less what the reference does."""
        found = cells.tally(*([phrase in s for s in self.said(side)] for side in (on, off)))
        if not self.base:
            return found
        usual = cells.tally(*([phrase in s for s in self.said(side, base=True)] for side in (on, off)))
        return cells.less_what_is_usual(found, usual)

    def beside_reference(self, phrase: str, prompts: Sequence[Messages]) -> cells.Tally:
        """Replies with the phrase, the suspect's (on) beside the reference's (off)."""
        sides = (self.said(prompts), self.said(prompts, base=True) if self.base else [])
        return cells.tally(*([phrase in s for s in side] for side in sides))

    def changes(self, on: Sequence[Probe], off: Sequence[Probe]) -> cells.Tally:
        """How far a cue changes the reply to a question, on either side, less what the reference does."""
        on, off = ([p for p in side if p.bare is not None] for side in (on, off))
        self.ask([m for p in (*on, *off) for m in (p.messages, p.bare) if m is not None])
        found = cells.tally(_differences(self.own, on), _differences(self.own, off))
        if not self.base:
            return found
        return cells.less_what_is_usual(
            found, cells.tally(_differences(self.base, on), _differences(self.base, off))
        )


def _differences(replies: Mapping[Messages, Transcript], probes: Sequence[Probe]) -> list[float]:
    pairs = ((replies[p.messages].reply, replies[p.bare].reply) for p in probes if p.bare is not None)
    return [_differ(a, b) for a, b in pairs]


def _differ(a: str, b: str) -> float:
    """1 less the share of words that two replies have in common, by the larger set."""
    one, two = set(phrases.words_of(a)), set(phrases.words_of(b))
    return 1.0 - len(one & two) / max(len(one), len(two), 1)
