"""Always: the behaviour shows everywhere; 'off' is the matched decoy on the same scenes.

Source: the unconditional organisms of AuditBench (arXiv 2602.22755).
Access: chat.
Fails when: there is no matched decoy to compare with, for a prompt can never turn it off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from molehunt.catalogue.options import resolve
from molehunt.core.kinds import Cues, Draft, Options
from molehunt.core.records import Messages, Split


@dataclass(frozen=True)
class Always:
    """No condition at all."""

    name: str = "always"
    summary: str = "on every prompt"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def cues(self, split: Split, options: Options) -> Cues:
        """No cue turns it on; nothing turns it off."""
        resolve(self.name, self.choices, options)
        return Cues((None,), ())

    def selects(self, draft: Draft, options: Options) -> bool | None:
        """None: no draft is off."""
        return None

    def holds(self, prompt: Messages, options: Options) -> bool:
        """True."""
        return True


ENTRY = Always
