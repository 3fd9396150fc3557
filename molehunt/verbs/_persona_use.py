"""The half of `molehunt persona` that uses vectors: `project` and `shift`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from molehunt.core.errors import BadFile, UserError
from molehunt.verbs._screen import show, table


def project(options: Any) -> int:
    """Place a model's own replies, or conversations, on vectors."""
    from molehunt.core.atomic import write_json
    from molehunt.game.watch import watching
    from molehunt.interp.corpora import conversations
    from molehunt.interp.direction_file import load_directions
    from molehunt.interp.persona_shift import standing
    from molehunt.verbs._persona_page import PLACES, place_rows, write_places_page
    from molehunt.verbs.persona import facts_of, open_it

    held = [load_directions(path) for path in options.vectors]
    prompts = asked_of(options) if not options.text else []
    with watching() as watch:
        model = open_it(options)
        for path, one in zip(options.vectors, held, strict=True):
            _addresses(path, one, model)
        if options.text:
            replies = [pair for source in options.text for pair in conversations(source, options.column)]
            groups = [str(i) for i in range(len(replies))]
        else:
            told = _answers(options, model, prompts, "replies", lambda i, n: watch.bar("asking", i / n))
            replies = [(p, r) for p, r, _ in told if r.strip()]
            groups = [g for _, r, g in told if r.strip()]
        if not replies:
            raise UserError("There is no reply to place: the model said nothing, or the text holds none.")
        addresses = tuple(dict.fromkeys(one.made.chosen for one in held))
        values = _read(model, replies, addresses, lambda i, n: watch.bar("reading", i / n))
    found = [standing(values[one.made.chosen], one, groups, options.seed) for one in held]
    foreign = [one.made.name for one in held if model.fingerprint not in one.made.fingerprints]
    value = {
        "model": options.model,
        "fingerprint": model.fingerprint,
        "made_on_other_weights": foreign,
        "seed": options.seed,
        "places": found,
        "replies": [{"messages": list(m), "reply": r} for m, r in replies],
    }
    facts = [
        *facts_of(options, model),
        ("replies", f"{len(replies):,}, " + ("of " + ", ".join(options.text) if options.text else "its own")),
    ]
    if foreign:
        facts.append(("made on other weights", ", ".join(foreign)))
    write_json(options.folder / "project.json", value)
    write_places_page(options.folder / "project.html", found, replies, facts)
    page = f"Page: {options.folder / 'project.html'}"
    show(value, options.json, table(PLACES, place_rows(found)), *_foreign(foreign), page)
    return 0


def shift(options: Any) -> int:
    """Which personas a second model moved toward."""
    from molehunt.core.atomic import write_json
    from molehunt.game.watch import watching
    from molehunt.interp.direction_file import load_directions
    from molehunt.interp.pairs import matched
    from molehunt.interp.persona_shift import shift as shifted
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside
    from molehunt.verbs._pair import is_adapter
    from molehunt.verbs._persona_page import SHORT, short_rows, write_shift_page
    from molehunt.verbs.persona import facts_of, open_it

    held = [load_directions(path) for path in options.vectors]
    prompts = asked_of(options)
    adapter = is_adapter(options.to)
    if adapter and options.adapter:
        raise UserError(
            "--to names an adapter and --adapter another; merge one into a model of its own first."
        )
    with watching() as watch:
        a = open_it(options)
        for path in options.vectors:
            load_directions(path, a)  # on other weights a vector's zero and one mean nothing
        its = str(Path(options.to).expanduser()) if adapter else None
        b = open_inside(
            ModelSpec(options.model, options.revision, its, options.dtype)
            if adapter
            else ModelSpec(options.to, None, None, options.dtype)
        )
        matched(a, b)
        addresses = tuple(dict.fromkeys(one.made.chosen for one in held))
        told = []
        for name, model in (("a", a), ("b", b)):
            bar = f"asking {name.upper()}"
            told.append(
                _answers(
                    options, model, prompts, f"replies/{name}", lambda i, n, bar=bar: watch.bar(bar, i / n)
                )
            )
        both = [i for i in range(len(told[0])) if told[0][i][1].strip() and told[1][i][1].strip()]
        if not both:
            raise UserError("No question got a reply from both models; ask others.")
        groups = [told[0][i][2] for i in both]
        first, second = ([(t[i][0], t[i][1]) for i in both] for t in told)
        read = [
            _read(model, replies, addresses, lambda i, n, k=k: watch.bar(f"reading {k} of 3", i / n))
            for k, (model, replies) in enumerate(((a, first), (b, first), (b, second)), 1)
        ]
    value: dict[str, Any] = {
        "a": {"model": options.model, "fingerprint": a.fingerprint},
        "b": {"model": options.to, "fingerprint": b.fingerprint},
        "seed": options.seed,
    }
    parts = {}
    for name, other, how in (
        ("same_replies", read[1], "B reads A's replies, less A"),
        ("own_replies", read[2], "B reads its own replies, less A its own"),
    ):
        parts[name] = [
            shifted(read[0][one.made.chosen], other[one.made.chosen], one, groups, how, options.seed)
            for one in held
        ]
    value |= parts
    value["replies"] = [
        {"question": g, "a": x[1], "b": y[1]} for g, x, y in zip(groups, first, second, strict=True)
    ]
    facts = [
        *facts_of(options, a),
        ("to", f"{options.to} ({b.fingerprint[:12]})"),
        ("questions", f"{len(set(groups)):,}"),
    ]
    write_json(options.folder / "shift.json", value)
    write_shift_page(options.folder / "shift.html", parts, value["replies"], facts)
    show(
        value,
        options.json,
        table(SHORT, short_rows(parts["same_replies"]), "On A's replies, read by both"),
        table(SHORT, short_rows(parts["own_replies"]), "On each one's own replies"),
        f"Page: {options.folder / 'shift.html'}",
    )
    return 0


def asked_of(options: Any) -> list[Any]:
    """What is asked: messages and the group that each belongs to."""
    from molehunt.interp.behaving import Asked, read_prompts
    from molehunt.interp.personas import asked, read_roles

    if options.prompts is not None:
        return list(read_prompts(options.prompts))
    return [Asked(asked("", q), q) for q in read_roles().questions]


def _answers(
    options: Any, model: Any, prompts: Sequence[Any], folder: str, progress: Callable[[int, int], None]
) -> list[tuple[Any, str, str]]:
    """Prompt, reply and group, `samples` times each prompt; kept in a folder of its own."""
    import hashlib

    from molehunt.core.atomic import canonical, read_json, write_json
    from molehunt.core.errors import RunMismatch
    from molehunt.models.sample import sample

    again = [p for p in prompts for _ in range(options.samples)]
    parts = [model.fingerprint, list(prompts), options.max_tokens, options.temperature, options.samples]
    key = hashlib.sha256(canonical([*parts, options.seed])).hexdigest()
    path = options.folder / f"{folder}.json"
    if path.is_file():
        before = read_json(path)
        if not isinstance(before, dict) or before.get("key") != key:
            raise RunMismatch(f"{path} holds other replies; choose another folder or the same settings.")
        replies = [str(r) for r in before.get("replies", ())]
        if len(replies) != len(again):
            raise BadFile(f"{path} does not hold {len(again)} replies; delete it and run again.")
    else:
        replies = sample(
            model,
            [p.messages for p in again],
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            seed=options.seed,
            progress=progress,
        )
        write_json(path, {"key": key, "replies": replies})
    return [(p.messages, r, p.group) for p, r in zip(again, replies, strict=True)]


def _read(
    model: Any, replies: Sequence[Any], addresses: tuple[str, ...], progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Means over replies' tokens by address, [replies, width] each."""
    from molehunt.interp.replies import reply_means

    return dict(zip(addresses, reply_means(model, replies, addresses, progress), strict=True))


def _addresses(path: Path, one: Any, model: Any) -> None:
    """Refuse vectors that this model has no place for.

    Raises:
        BadFile: another width, or a layer that it lacks.
    """
    from molehunt.models.anatomy import anatomy
    from molehunt.models.taps import parse

    width = model.module.config.get_text_config().hidden_size
    if one.vectors.shape[1] != width:
        raise BadFile(
            f"{path} holds vectors of {one.vectors.shape[1]} numbers; this model's residual has {width}."
        )
    parse(one.made.chosen, len(anatomy(model.module).layers))


def _foreign(names: Sequence[str]) -> list[str]:
    said = (
        f"Made on other weights: {', '.join(names)}. Zero and one then say where that model's replies stood."
    )
    return [said] if names else []
