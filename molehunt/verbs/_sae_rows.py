"""What flows into the training of autoencoders, and the models that `molehunt sae` opens."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.errors import RunMismatch, UserError
from molehunt.game.watch import Watch
from molehunt.verbs._chats import make_chats
from molehunt.verbs._pair import two_models

if TYPE_CHECKING:
    from molehunt.verbs.sae import Options


def open_one(options: "Options") -> Any:
    """The model that is asked for."""
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    return open_inside(ModelSpec(options.model, options.revision, None, options.dtype, options.device))


def open_pair(options: "Options") -> Any:
    """Both models of a crosscoder."""
    from molehunt.verbs._inside import open_inside

    names, revisions = (options.model, options.against), (options.revision, options.against_revision)
    specs = two_models(names, revisions, options.base, options.dtype)
    return tuple(open_inside(replace(spec, device=options.device)) for spec in specs)


def reading(options: "Options") -> Any:
    """What is read, as options say."""
    from molehunt.interp.reading import ReadSpec

    return ReadSpec(options.text, options.addresses, options.context, options.column, seed=options.seed)


@dataclass(frozen=True)
class Rows:
    """What flows into a training, and what its autoencoders belong to."""

    flow: Any
    device: str
    text: tuple[str, ...]
    belongs: dict[str, Any]
    """Fields of `SavedSae`: model, model_id, and for a crosscoder against and against_id."""


def rows_of(options: "Options", watch: Watch) -> Rows:
    """A capture's rows, or those of one model or two as they read.

    Raises:
        UserError: neither is named, or a device that is not there.
    """
    from molehunt.interp.capture import open_capture
    from molehunt.interp.crosscoder import PairFlow
    from molehunt.interp.flows import LiveFlow, ShardFlow
    from molehunt.interp.reading import Reader
    from molehunt.models.load import choose_device

    if options.source is not None:
        held = open_capture(options.source)
        device = str(choose_device(options.device))
        flow = ShardFlow(held, options.addresses or held.addresses, options.seed)
        belongs = {"model": held.model, "model_id": held.about["model_id"]}
        return Rows(flow, device, tuple(held.about["spec"]["text"]), belongs)
    if not options.addresses:
        raise UserError("Name a capture with --source, or what to read with --addresses.")
    if options.against:
        a, b = open_pair(options)
        make_chats(a, options.text, options.seed, watch)
        belongs = {"model": a.fingerprint, "model_id": a.spec.id}
        belongs |= {"against": b.fingerprint, "against_id": options.against}
        return Rows(PairFlow(a, b, reading(options)), str(a.device), options.text, belongs)
    model = open_one(options)
    make_chats(model, options.text, options.seed, watch)
    flow = LiveFlow(Reader(model, reading(options)))
    belongs = {"model": model.fingerprint, "model_id": model.spec.id}
    return Rows(flow, str(model.device), options.text, belongs)


def clear(folder: Path, addresses: Iterable[str]) -> None:
    """Refuse a folder in which an autoencoder would take the place of something else.

    Raises:
        UserError: names the folder.
    """
    from molehunt.core.atomic import refuse_taken
    from molehunt.interp.sae_files import OURS

    for address in addresses:
        own = folder / address
        refuse_taken(own, OURS if (own / OURS[0]).is_file() else ())


def finished(folder: Path, rows: Rows, how: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the last step showed, by address, where this very training is whole; empty where it is not.

    Raises:
        RunMismatch: what lies there is of another training.
    """
    from molehunt.interp.sae_files import OURS, read_sae

    found = {}
    for address in rows.flow.addresses:
        if (folder / address / OURS[0]).is_file():
            saved = read_sae(folder / address)
            same = all(saved.made.get(name) == value for name, value in how.items())
            if not same or any(getattr(saved, name) != value for name, value in rows.belongs.items()):
                raise RunMismatch(
                    f"{folder / address} holds an autoencoder of another training; give another folder, or "
                    "the same command."
                )
            found[address] = dict(saved.made["last"])
    return found if len(found) == len(rows.flow.addresses) else {}
