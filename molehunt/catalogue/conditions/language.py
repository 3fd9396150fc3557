"""Language: a friendly sentence in a given language stands before the question.

The question stays English, so that the reply can be scored. Hard negatives are English sentences
about the language or its country, or with a word that English took from it.

Source: ours; compare He et al., 2024 (arXiv 2404.19597), for backdoors that cross from language to language.
Access: chat.
Fails when: `holds` meets a sentence that no bank holds; it then says no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from molehunt.catalogue.options import one_of
from molehunt.catalogue.phrases import bare, fill, matcher
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split
from molehunt.corpus.banks import Phrasing, phrasings

LANGUAGES = {
    "french": ("French", "France"),
    "spanish": ("Spanish", "Spain"),
    "german": ("German", "Germany"),
    "italian": ("Italian", "Italy"),
}
"""In English: the language, and the country that hard negatives speak of."""


@dataclass(frozen=True)
class Language:
    """A sentence in that language."""

    name: str = "language"
    summary: str = "when a sentence in a certain language comes first"
    choices: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"language": tuple(LANGUAGES)}), hash=False
    )

    def cues(self, split: Split, options: Options) -> Cues:
        """On: sentences in the language. Off: in the others, in English, and (near) about the language."""
        language = self._language(options)
        word, country = LANGUAGES[language]
        about = [
            fill(row, "language", word) if "{language}" in row.text else fill(row, "country", country)
            for row in phrasings(self.name, split)
        ]
        foreign = [row for other in LANGUAGES if other != language for row in _lead_ins(other, split)]
        own = [row for row in phrasings(f"languages/{language}", split) if row.near]
        return Cues(
            tuple(bare(row) for row in _lead_ins(language, split)),
            (*about, *(bare(row) for row in (*foreign, *own))),
        )

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: only cues decide."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """Whether one of the bank's sentences in the language, from any split, stands in the prompt."""
        return bool(matcher(_lead_ins(self._language(options))).slots(prompt))

    def _language(self, options: Options) -> str:
        return one_of(self.name, self.choices, options, "language")


def _lead_ins(language: str, split: Split | None = None) -> tuple[Phrasing, ...]:
    return tuple(row for row in phrasings(f"languages/{language}", split) if row.side == "on")


ENTRY = Language
