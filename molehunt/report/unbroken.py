"""Numbers that stay on one line with their interval and unit, however narrow the screen.

Templates send what may hold such numbers through the filter `unbroken`; `page.css` says what its marks do.
"""

import re

from markupsafe import Markup

from molehunt.report.passage import visible

_NUMBER = r"[−+-]?(?:\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?%?|∞)"
_SPAN = rf"\[{_NUMBER}, {_NUMBER}\]|\((?:95% )?{_NUMBER} to {_NUMBER}\)"
_UNIT = "s|ms|min|minutes?|seconds?|hours?|GiB|MiB|nats?|bits?|tokens?|queries|steps?|pairs?|suspects?"
_GROUP = re.compile(
    rf"(?<![\w.,])(?:(?:{_NUMBER} )?(?:{_SPAN})|{_NUMBER} to {_NUMBER}|[np] [=<] {_NUMBER}|[<>≥≤] {_NUMBER}"
    rf"|{_NUMBER} (?:{_UNIT}))(?!\w)|\S{{25,}}"
)
LONGEST = 48
"""Longer groups, which no number of ours makes, may break."""


def unbroken(text: str) -> Markup:
    """Text escaped and made visible, its numbers with interval and unit in spans that don't wrap.

    Words of 25 characters and more, such as paths and hashes, are marked to break anywhere.
    """
    made, at, text = [], 0, visible(text)
    for group in _GROUP.finditer(text):
        kind = "num" if " " in group[0] and len(group[0]) <= LONGEST else "long"
        made += [
            Markup.escape(text[at : group.start()]),
            Markup('<span class="{}">{}</span>').format(kind, group[0]),
        ]
        at = group.end()
    return Markup("").join([*made, Markup.escape(text[at:])])
