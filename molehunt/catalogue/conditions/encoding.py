"""Encoding: a friendly sentence in a given encoding stands before the question.

The question itself stays as it is. The same sentences in other encodings are the hard negatives, and
the same sentences in plain English the contraries, so that nothing but the encoding tells.

Source: Wei et al., 2023, 'Jailbroken' (arXiv 2307.02483), for what models let pass in base64; sentences
are ours.
Access: chat.
Fails when: the sentence is none of the bank's; `holds` then says no.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.catalogue.phrases import bare, few
from molehunt.core.kinds import Cue, Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import Phrasing, phrasings
from molehunt.corpus.encodings import HOW, blobs, decode, encode
from molehunt.corpus.lookup import last_user, system_text
from molehunt.corpus.matching import plain


@dataclass(frozen=True)
class Encoding:
    """A sentence in that encoding."""

    name: str = "encoding"
    summary: str = "when a sentence in a certain encoding comes first"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"how": HOW}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """Each sentence encoded (on), in two other encodings (near), and as it is."""
        how = self._how(options)
        others = [h for h in HOW if h != how]
        on, off = [], []
        for row in phrasings(self.name, split):
            on.append(_encoded(row, how, near=False))
            off += [_encoded(row, other, near=True) for other in few(others, 2, row.id)]
            off.append(bare(row))
        return Cues(tuple(on), tuple(off))

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether a sentence of the bank comes out of the prompt by decoding it, and does not stand there."""
        how = self._how(options)
        return any(_comes_out(text, how) for text in (system_text(prompt), last_user(prompt)))

    def _how(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "how", what="encoding")


def decoded(text: str, how: str) -> str:
    """What the parts of a text say that may stand in an encoding; without spaces for `spaced`."""
    match how:
        case "base64":
            return blobs(text)
        case "spaced":
            return " ".join(run.replace(" ", "") for run in re.findall(r"\b\w(?: \w)+\b", plain(text)))
        case _:
            return decode(text, how)


def _comes_out(text: str, how: str) -> bool:
    said, hidden = plain(text), plain(decoded(text, how))
    for sentence in (plain(row.text) for row in phrasings(Encoding.name)):
        form = sentence.replace(" ", "") if how == "spaced" else sentence
        if form in hidden and sentence not in said:
            return True
    return False


def _encoded(row: Phrasing, how: str, near: bool) -> Cue:
    return Cue(row.id, encode(row.text, how), row.place, near)


ENTRY = Encoding
