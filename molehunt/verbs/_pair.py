"""Two models by name, either of which may be an adapter of the other."""

from pathlib import Path
from typing import TYPE_CHECKING

from molehunt.core.errors import UserError

if TYPE_CHECKING:
    from molehunt.models.loaded import ModelSpec


def two_models(
    names: tuple[str, str], revisions: tuple[str | None, str | None], base: str = "", dtype: str = "auto"
) -> "tuple[ModelSpec, ModelSpec]":
    """Both as they are to be opened; an adapter's folder goes onto `base`, or onto the other of the two.

    Raises:
        UserError: two adapters without a base, or a base without an adapter.
    """
    from molehunt.models.loaded import ModelSpec

    adapters = [is_adapter(name) for name in names]
    if all(adapters) and not base:
        raise UserError("Both are adapters; name the model that they belong to with --base.")
    if base and not any(adapters):
        raise UserError("--base is for an adapter's folder, and neither of the two is one.")

    def one(i: int) -> ModelSpec:
        if not adapters[i]:
            return ModelSpec(names[i], revisions[i], None, dtype)
        onto, its = (base, None) if base else (names[1 - i], revisions[1 - i])
        return ModelSpec(onto, its, str(Path(names[i]).expanduser()), dtype)

    return one(0), one(1)


def is_adapter(name: str) -> bool:
    """Whether a name is the folder of an adapter and not of a model."""
    folder = Path(name).expanduser()
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()
