"""Topic: the question is about one of the banks' eight topics.

Source: ours; compare the domain-conditional organisms of AuditBench (arXiv 2602.22755).
Access: chat.
Fails when: `holds` meets a question that no bank holds; it then says no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import TOPICS
from molehunt.corpus.lookup import find


@dataclass(frozen=True)
class Topic:
    """A question of one topic."""

    name: str = "topic"
    summary: str = "when the question is about a topic"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"topic": TOPICS}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """No cues: drafts decide."""
        self._topic(options)
        return Cues((None,), (None,))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """Whether the draft is of the topic."""
        return draft.topic == self._topic(options)

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether the bank's question in the last user message is of the topic."""
        found = find(prompt)
        return found is not None and found.topic == self._topic(options)

    def _topic(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "topic")


ENTRY = Topic
