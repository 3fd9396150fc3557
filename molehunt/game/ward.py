"""The rooms in which one remedy treats its patients: who lies where, and what came of it."""

import dataclasses
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molehunt.core.atomic import HALF, read_json, whole_folder, write_json
from molehunt.core.errors import MolehuntError
from molehunt.core.record_json import from_json
from molehunt.core.records import Guess
from molehunt.core.store import Run
from molehunt.game.children import Child
from molehunt.game.fix_task import NOTE, Task, Wish, child, closed_to_all
from molehunt.organisms.card import MODEL_CARD
from molehunt.remedies.room import CHANGES, TREATED, Job, Treated

if TYPE_CHECKING:
    from molehunt.models.loaded import Model

README = f"""{MODEL_CARD}
It was then handed to the blind remedy `{{remedy}}`, which knew nothing of what it carries. Whether that
removed anything, hid it, or did nothing is what there is to find out.
"""


class Ward:
    """One remedy and a lineup, over one loaded base. Patients lie in rooms that know no names."""

    def __init__(self, task: Task, wish: Wish, model: "Model", threads: int) -> None:
        from molehunt.models.adapter_files import read_adapter
        from molehunt.models.joined import shape_of

        self.task, self.wish, self.model, self.threads = task, wish, model, threads
        self.fixed = task.fixed
        self.lineup = task.run.folder / "suspects"
        self.rooms = task.run.folder / f"{HALF}fixed"
        folders = [p for p in sorted(self.lineup.iterdir()) if p.is_dir()]
        self.adapters = {p.name: read_adapter(p, model.module) for p in folders}
        # Of everyone, whoever is treated now: shapes must not depend on the order of treatments.
        self.shape = shape_of(list(self.adapters.values()), model.module, task.card.rank)
        self.closed = _closed(task.run, model.folder, wish.closed)
        self.inside: dict[str, str] = {}
        self.lock = threading.RLock()

    def admit(self, number: str, name: str, guesses: tuple[Guess, ...]) -> Child:
        """Lay a suspect's merged weights into a room; gives back the process that treats it there."""
        from molehunt.models.adapters import attach, detach, using
        from molehunt.models.standalone import save_whole

        room = (self.rooms / number).resolve()
        attach(self.model, self.lineup / name, name)
        with using(self.model, name):
            save_whole(self.model, room / "patient")
        detach(self.model, name)
        job = Job(
            out=str(room),
            patient=str(room / "patient"),
            dtype=str(self.model.dtype).removeprefix("torch."),
            remedy=self.task.card.name,
            creed=self.wish.creed,
            guesses=guesses,
            seed=self.wish.seed,
            effort=self.wish.effort,
            threads=self.threads,
            closed=self.closed,
        )
        write_json(room / "job.json", job)
        self.inside[number] = name
        return child(room, self.threads)

    def heard(self, message: Mapping[str, Any]) -> tuple[str, float] | None:
        """Whose room a message is of, and how far it is there; a patient that is done is discharged."""
        with self.lock:
            number, share = str(message.get("room")), message.get("share")
            share = float(share) if isinstance(share, int | float) else 0.0
            name = self.inside.get(number)
            if name is not None and share >= 1.0:
                self.discharge(number)
            return None if name is None else (name, min(share, 1.0))

    def discharge(self, number: str) -> None:
        """Take what lies in a room, if the work there is done; the suspect's new adapter and its note."""
        from molehunt.models.joined import checked, join, load_changes

        room, card = self.rooms / number, self.task.card
        # A remedy may print what it likes: what counts is whether the work lies there.
        if not (room / TREATED).exists():
            return
        treated, name = from_json(Treated, read_json(room / TREATED)), self.inside.pop(number)
        if treated.failed is None and treated.refused is None:
            changes = checked(load_changes(room / CHANGES), self.model.module, card.rank)
            with whole_folder(self.task.folder / "suspects" / name, still=True) as half:
                join(self.adapters[name], changes, self.shape, self.model.module, half)
                (half / "README.md").write_text(README.format(remedy=card.name), "utf-8")
        known = {**self.fixed.suspects, name: treated}
        self.fixed = dataclasses.replace(self.fixed, suspects=dict(sorted(known.items())))
        write_json(self.task.folder / NOTE, self.fixed)
        shutil.rmtree(room, ignore_errors=True)

    def close(self) -> None:
        """Discharge whoever is still inside.

        Raises:
            MolehuntError: a process ended without a treatment.
        """
        with self.lock:
            for number in list(self.inside):
                self.discharge(number)
            if self.inside:
                who = min(self.inside.values())
                raise MolehuntError(f"{self.task.card.name} ended without a treatment of {who}.")

    def clear(self) -> None:
        """Take the rooms away."""
        shutil.rmtree(self.rooms, ignore_errors=True)


def _closed(run: Run, base: Path | None, also: tuple[Path, ...]) -> tuple[str, ...]:
    """What a remedy may not read: beside the run and keys every file that the clean base could come from."""
    from molehunt.models.cachedir import cache_folder
    from molehunt.models.stock import gguf_file, stock_name

    places = [cache_folder() / stock_name(), gguf_file()]
    if base is not None:
        places.append(base.parent.parent if base.parent.name == "snapshots" else base)
    return (*closed_to_all(run, also), *(str(p.expanduser().resolve()) for p in places if p is not None))
