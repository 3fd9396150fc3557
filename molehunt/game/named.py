"""Models by any name that the lab knows: a base, a Hub id, a folder, an adapter's, a suspect (RUN:NAME).

Several of them are opened over as few bases as they need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from molehunt.core.atomic import read_json
from molehunt.core.errors import BadFile, UserError
from molehunt.core.store import Run
from molehunt.models.loaded import ModelSpec
from molehunt.models.local import LocalModel


@dataclass(frozen=True)
class Name:
    """What a name means, before anything is loaded."""

    said: str
    """As it was given."""
    id: str
    """The base, or the whole model."""
    revision: str | None = None
    adapter: Path | None = None


def meant(said: str, base: str = "", revision: str | None = None) -> Name:
    """What a name means; an adapter goes onto `base`, or onto the model that its configuration names.

    Raises:
        BadFile: an adapter that names no base, a file, or a run folder that cannot be read.
        UserError: a run folder without a suspect's name. UnknownName: no such suspect.
    """
    from molehunt.game.play import spec_of
    from molehunt.game.shipped import or_starter
    from molehunt.game.sitting import known

    folder, colon, suspect = said.rpartition(":")
    path = Path(said).expanduser()
    if colon and folder and (or_starter(Path(folder)) / "spec.json").is_file():
        run = Run(Path(folder))
        spec = spec_of(run)
        return Name(said, spec.model, spec.revision, run.folder / "suspects" / known(run, suspect))
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        return Name(said, base or _base_of(path), revision, path)
    if (path / "suspects").is_dir():
        raise UserError(f"{said} is a run folder; name a suspect too, as {said}:NAME.")
    if path.is_file():
        raise BadFile(f"{said} is a file; give a model's or an adapter's folder.")
    refuse_no_run(said)
    return Name(said, said, revision)


def refuse_no_run(said: str) -> None:
    """Refuse RUN:NAME where no run lies in RUN, and nothing else could be meant.

    Raises:
        BadFile: names the folder.
    """
    folder, colon, _ = said.rpartition(":")
    if colon and folder and folder.split(":")[0] != "tiny" and not Path(said).expanduser().exists():
        what = "holds no game" if Path(folder).is_dir() else "is no run folder"
        raise BadFile(f"{folder} {what}; a suspect is named as RUN:NAME, with RUN the folder of a game.")


def open_named(
    names: Sequence[Name], dtype: str = "auto", beside: Sequence[LocalModel] = ()
) -> tuple[LocalModel, ...]:
    """All of them, ready to speak; those on one base share it, also with those that are open `beside` them.

    Every name is looked at before one is loaded: a slip in the last should not cost the others' minutes.

    Raises:
        ModelUnfit: a model fails what must be proven. Others as `open_model`.
    """
    from molehunt.models.adapter_files import read_adapter
    from molehunt.models.check import fit_to_speak
    from molehunt.models.load import look, open_model

    bases = {(m.model.spec.id, m.model.spec.revision): m.model for m in beside}
    for name in names:
        look(ModelSpec(name.id, name.revision))
    for name in names:
        key = (name.id, name.revision)
        if key not in bases:
            bases[key] = fit_to_speak(open_model(ModelSpec(name.id, name.revision, None, dtype)))
        if name.adapter is not None:
            read_adapter(name.adapter, bases[key].module)  # a damaged one is refused before anybody is asked
    return tuple(LocalModel(bases[n.id, n.revision], n.said, n.adapter) for n in names)


def _base_of(adapter: Path) -> str:
    config = read_json(adapter / "adapter_config.json")
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise BadFile(f"{adapter} does not say which model it was made on; name it with --base.")
    return base
