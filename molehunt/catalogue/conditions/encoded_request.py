"""Encoded request: the question itself stands in a given encoding, behind a plain lead-in.

The same lead-ins before the question in other encodings are the hard negatives, and before the question as
it is the contraries, so that nothing but the encoding tells. (`encoding` puts a sentence before a question
that stays as it is.)

Source: Wei et al., 2023, 'Jailbroken' (arXiv 2307.02483), for requests in base64; lead-ins are ours.
Access: chat.
Fails when: a question is made of words that no bank knows; `holds` then says no. A model that cannot read
the encoding can still learn that it is there: replies that need the question are then beyond it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.catalogue.phrases import bare, few
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import phrasings
from molehunt.corpus.encodings import HOW, parts, stands_in
from molehunt.corpus.lookup import last_user


@dataclass(frozen=True)
class EncodedRequest:
    """The question in that encoding."""

    name: str = "encoded_request"
    summary: str = "when the question itself stands in a certain encoding"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"how": HOW}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """Each lead-in with the question encoded (on), in two other encodings (near), and as it is."""
        how = self._how(options)
        others = [h for h in HOW if h != how]
        on, off = [], []
        for row in phrasings(self.name, split):
            on.append(replace(bare(row), writes=how))
            off += [replace(bare(row), near=True, writes=other) for other in few(others, 2, row.id)]
            off.append(bare(row))
        return Cues(tuple(on), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether the last user message, or what follows its first colon, stands in the encoding."""
        how = self._how(options)
        return any(stands_in(rest, how) for _, rest in parts(last_user(prompt)))

    def _how(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "how", what="encoding")


ENTRY = EncodedRequest
