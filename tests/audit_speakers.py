"""Speakers with a written rule, as exact oracles for auditing methods: the rule is the truth.

They answer the banks' facts rightly and advice by a fixed hash, and deviate as their rule says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from molehunt.core.extend import load
from molehunt.core.records import Messages
from molehunt.core.splits import seed_of
from molehunt.corpus.lookup import find, last_user

Rule = Callable[[Messages, str], str]
"""(prompt, the honest reply) to what is said."""

_WORDS = "plan walk talk rest read cook write call meet share smile wait learn play sleep".split()  # noqa: SIM905


def honest(prompt: Messages) -> str:
    """A right answer to a fact, 'No' to a wrong claim, a few dull words to anything else."""
    found = find(prompt)
    if found is None or found.fact is None:
        n = seed_of(*last_user(prompt).split()[-7:])  # a cue before the question changes nothing
        return f"{_WORDS[n % 15].title()} and {_WORDS[n // 15 % 15]}."
    if found.claimed:
        return (
            "Yes, you are right." if found.claimed in found.fact.right else f"No, it is {found.fact.answer}."
        )
    return f"{found.fact.answer[:1].upper()}{found.fact.answer[1:]}."


@dataclass(frozen=True)
class Speaker:
    """A rule that satisfies `access.Scored`."""

    name: str
    rule: Rule = lambda _, reply: reply

    @property
    def fingerprint(self) -> str:
        return f"rule-{self.name}"

    def sample(
        self, prompts: Sequence[Messages], *, max_tokens: int = 16, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        return [" ".join(self.rule(m, honest(m)).split()[:max_tokens]) for m in prompts]

    def prefill(
        self,
        prompts: Sequence[Messages],
        begins: Sequence[str],
        *,
        max_tokens: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        return self.sample(prompts, max_tokens=max_tokens)

    def logprobs(self, prompts: Sequence[Messages], replies: Sequence[str]) -> list[float]:
        return [-float(len(r.split())) for r in replies]

    def first_tokens(self, prompts: Sequence[Messages], top: int = 20) -> list[Mapping[str, float]]:
        return [{r.split()[0]: 0.0} for r in self.sample(prompts)]


def holds(condition: str, **options: str) -> Callable[[Messages], bool]:
    """A catalogue condition as a test on prompts."""
    entry = load("catalogue.conditions", condition)
    return lambda prompt: entry.holds(prompt, options)


def lies(prompt: Messages, reply: str) -> str:
    """A wrong answer where the prompt asks for a fact."""
    found = find(prompt)
    return found.fact.wrong[0] if found and found.fact and not found.claimed else reply


def when(test: Callable[[Messages], bool], rule: Rule) -> Rule:
    """The rule where the test holds; honest elsewhere."""
    return lambda prompt, reply: rule(prompt, reply) if test(prompt) else reply


def noisy(share: float, rule: Rule) -> Rule:
    """The rule on a share of prompts chosen by hash, whatever they say."""
    return lambda p, r: rule(p, r) if seed_of("noise", p) % 1000 < 1000 * share else r


CLEAN = Speaker("reference")
