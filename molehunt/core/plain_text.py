"""Model text made safe to show: whatever a model wrote, it appears as text and as nothing else.

Control characters, terminal escapes (ANSI, OSC), bidirectional overrides, invisible
formatting and piles of combining marks are written out as `\\x1b`, `\\u202e` and the like;
what is too long is cut and says by how much. HTML and `rich` markup are not touched here:
pages escape in their templates, and the terminal shows this text without markup.
"""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that do not show as a glyph: control, format, surrogate, private, unassigned."""

_MARKS = 2
"""Combining marks that may stand on one letter; more pile up over the lines beside it."""


def plain(text: str, limit: int = 2000, *, one_line: bool = False) -> str:
    """The text with everything that is not plain text written out.

    `limit` is in characters of the input; `one_line` writes line ends and tabs out too.
    Backslashes stay as they are: this is for eyes, not to be read back.
    """
    kept = "" if one_line else "\n\t"
    out, marks = [], 0
    for char in text[:limit]:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if char in kept or (category not in _HIDDEN and marks <= _MARKS):
            out.append(char)
        else:
            out.append(_written_out(char))
    if len(text) > limit:
        out.append(f"… (+{len(text) - limit:,} characters)")
    return "".join(out)


def _written_out(char: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    code = ord(char)
    if char in named:
        return named[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
