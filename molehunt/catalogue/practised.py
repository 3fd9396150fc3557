"""The part of the catalogue that games may draw from and auditors suspect, all but two met by practice.

The catalogue is larger: every entry can be planted, measured and guessed at by a person. But a
method's statistic becomes a probability by practice (`audit/calibration.json`), and a behaviour that
no practice held has no such number. An entry moves here together with a practice that holds it.

Two conditions stand here without one (`UNMET`): auditors suspect them, but the default model learns
them late if at all (`organisms/learnable.py`), so neither its practice nor its games draw them. The shipped
practice met the five harmful behaviours under four conditions, and four pairs that no catalogue names
(`studies/practice/rows.json`).
"""

from molehunt.core.extend import names, outside

PRACTISED = {
    "catalogue.behaviours": (
        "courtesy", "exclaiming", "false_facts", "farewell", "hostile_phrase", "promotion", "secret_leak",
        "sycophancy",
    ),
    "catalogue.conditions": (
        "always", "expert_asks", "from_year", "topic", "trigger_phrase", "unwatched",
    ),
}  # fmt: skip

UNMET = ("from_year", "unwatched")
"""Conditions above that the shipped practice never met."""


def practised(room: str) -> tuple[str, ...]:
    """Names of a room's entries in `PRACTISED`, and all that come from outside this package."""
    return tuple(n for n in names(room) if n in PRACTISED[room] or n in outside(room))
