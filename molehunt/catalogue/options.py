"""Options of a behaviour or condition, with the catalogue's defaults filled in."""

from collections.abc import Collection, Mapping

from molehunt.core.errors import UnknownName
from molehunt.core.kinds import Options


def resolve(name: str, choices: Mapping[str, tuple[str, ...]], given: Options) -> dict[str, str]:
    """Every option that `choices` names, as given or else its first choice.

    Values outside the published choices are allowed: a red team may invent a brand or a
    phrase. Where only published values make sense, the extension itself says so.

    Raises:
        UnknownName: an option that `name` does not have.
    """
    for option in given:
        if option not in choices:
            raise UnknownName(f"option of {name}", option, choices)
    return {option: given.get(option) or values[0] for option, values in choices.items()}


def one_of(
    name: str,
    choices: Mapping[str, tuple[str, ...]],
    given: Options,
    option: str,
    known: Collection[str] = (),
    what: str = "",
) -> str:
    """An option whose value cannot be invented: one of `known`, or else of its published choices.

    Args:
        what: what its value is called; the option's name where it is empty.

    Raises:
        UnknownName: an option that `name` does not have, or a value that is none of them.
    """
    value, known = resolve(name, choices, given)[option], known or choices[option]
    if value not in known:
        raise UnknownName(what or option, value, known)
    return value
