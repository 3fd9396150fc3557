"""Reads text through a model and keeps activations: safetensors shards in a folder, any addresses at once.

Text is `builtin` (what any Python carries) or `builtin:chats` (what the model answers to questions, sampled
once), a file or folder (.txt .md .py .jsonl .parquet), a run folder (its transcripts), or hf:NAME for a
Hugging Face dataset (hf:NAME#CONFIG where it has configurations). Position 0 and rows of outsized norm
(attention sinks) are left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from molehunt.core.alone import alone
from molehunt.core.errors import UserError
from molehunt.game.watch import watching
from molehunt.verbs._chats import make_chats
from molehunt.verbs._screen import show

STOPPED = "Stopped; shards that are whole are kept: run the same command again to go on."


@dataclass(frozen=True)
class Options:
    """What is read, where, and how much of it."""

    folder: Positional[Path]
    """A new folder for the shards, or one in which this capture was begun."""
    addresses: tuple[str, ...] = ("resid_post.15",)
    """Where to read: resid_post.15, mlp_out.3, attn_out.3, head_out.3, resid_pre.0, embed, final_norm."""
    text: tuple[str, ...] = ("builtin",)
    """What to read: builtin[:train|:test|:chats], files, folders, run folders, hf:NAME[#CONFIG][:SPLIT]."""
    column: str = ""
    """Column of a dataset that holds text or messages, where it is called neither."""
    tokens: int = 200_000
    """Rows to keep; fewer where the text ends."""
    context: int = 256
    """Longest stretch that is read at once, in tokens."""
    sink_multiple: float = 10.0
    """Leave out rows whose norm exceeds this multiple of the median; 0 keeps them."""
    keep_first: bool = False
    """Keep the first position of each stretch."""
    store: str = "auto"
    """Number format on disk: float32, bfloat16, float16, or the model's own."""
    shard_rows: int = 65_536
    """Rows of a shard, at least; changes no row."""
    batch_tokens: int = 4096
    """Tokens of one pass; changes speed and memory only."""
    model: str = "default"
    """`default`, `tiny`, a Hugging Face id, or a folder."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    adapter: str | None = None
    """Folder of an adapter that is merged into the model first."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model."""
    dry_run: bool = False
    """Say what it would take from the start, and do nothing."""
    seed: int = 0
    """Orders the built-in text."""
    json: bool = False
    """Print what was captured as JSON."""


def run(options: Options) -> int:
    """Capture, and say what is there."""
    if min(options.tokens, options.context, options.batch_tokens) < 1:
        raise UserError("--tokens, --context and --batch-tokens should be at least 1.")
    if options.dry_run:
        from molehunt.verbs._cost import capture_cost, show_cost

        return show_cost(capture_cost(options), options.json)
    from molehunt.interp.capture import capture_text
    from molehunt.interp.reading import ReadSpec
    from molehunt.models.loaded import ModelSpec
    from molehunt.verbs._inside import open_inside

    spec = ReadSpec(
        options.text,
        options.addresses,
        options.context,
        options.column,
        options.sink_multiple,
        options.keep_first,
        options.store,
        options.seed,
    )
    with alone(options.folder), watching() as watch:
        model = open_inside(ModelSpec(options.model, options.revision, options.adapter, options.dtype))
        make_chats(model, options.text, options.seed, watch)
        made = capture_text(
            model,
            spec,
            options.folder,
            options.tokens,
            shard_rows=options.shard_rows,
            batch_tokens=options.batch_tokens,
            progress=lambda done, total: watch.bar("capturing", done / total, f"{done:,} rows"),
        )
        watch.bar("capturing", 1.0, f"{made.rows:,} rows")  # the text may end before
    value = {"folder": str(options.folder), **{k: v for k, v in made.about.items() if k != "shards"}}
    value["shards"] = len(made.about["shards"])
    sinks = f"{made.about['dropped']:,} sinks left out"
    show(
        value,
        options.json,
        f"{made.rows:,} rows at {', '.join(made.addresses)} in {options.folder}; {sinks}.",
    )
    return 0
