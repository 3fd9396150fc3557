"""Do SAELens and sparsify read what is exported here, and is what they write read back the same?

    python studies/formats/run.py --peers PYTHON

`PYTHON` is the interpreter of an environment of its own with sae-lens (and eai-sparsify, where it can be had)
beside torch. Random autoencoders are exported; the peers load the folders with their own code, code and
rebuild the same activations, and save the folders again; those are imported and compared. Writes
`results.json` and `README.md` beside this file.
"""

import argparse
import datetime
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from molehunt.core.code import commit
from molehunt.core.record_json import to_json
from molehunt.core.records import Measure, NotMeasured
from molehunt.interp.sae import Shape, SparseAutoencoder
from molehunt.interp.sae_files import SavedSae
from molehunt.interp.sae_formats import Format, export_sae, import_sae
from molehunt.models.load import ModelSpec, open_model

HERE = Path(__file__).parent
ROWS, LATENTS, K, SEED = 256, 512, 8, 0
ADDRESS = "resid_post.1"
CASES: tuple[tuple[Format, str], ...] = (("saelens", "topk"), ("saelens", "batchtopk"), ("sparsify", "topk"))
COMPARED = {
    "codes": ("largest absolute difference", ROWS, "codes of the same rows"),
    "rows": ("largest absolute difference", ROWS, "rows rebuilt from their codes"),
    "weights": ("largest absolute difference", 1, "weights after the way there and back"),
    "same_bytes": ("share of folders", 1, "weights saved again by the peer, byte for byte"),
}
"""What is measured of each folder, with unit, n and how. A maximum carries no interval."""
PAGE = """# Other tools' folders

One command: `python studies/formats/run.py --peers PYTHON`. {date}, seed {seed}, commit `{commit}`; the peers
in an environment of their own: {versions}.

Random autoencoders ({latents} latents, k = {k}) are exported, loaded by the peer's own code and run on the
same {rows} rows; the peer saves the folder again, which is imported here. Largest absolute differences.

| folder | loaded as | codes | rebuilt rows | weights after the way back | same bytes |
|---|---|---|---|---|---|
{table}

What this cannot tell you: how folders of other versions look, or architectures that are not read here.
"""


def main() -> None:
    """Export, let the peers read and write, import, compare, write down."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--peers", type=Path, required=True, help="python of the peers' environment")
    peers: Path = options.parse_args().peers
    model = open_model(ModelSpec("tiny"))
    torch.manual_seed(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = torch.randn(ROWS, model.module.config.hidden_size)
        save_file({"rows": rows}, folder / "rows.safetensors")
        made = {case: _random(rows.shape[1], case[1]) for case in CASES}
        for (form, kind), sae in made.items():
            saved = SavedSae(sae, model.fingerprint, ADDRESS, model.spec.id)
            export_sae(folder / f"{form}-{kind}", saved, form)
        done = subprocess.run(
            [str(peers), str(HERE / "peers.py"), str(folder)], capture_output=True, text=True, check=False
        )
        said = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
        if not said:
            raise SystemExit(f"The peers failed: {done.stderr.strip().splitlines()[-1:]}")
        found = [_compared(folder, f, k, made[f, k], said, rows, model) for f, k in CASES]
    report = {
        "date": datetime.date.today().isoformat(),
        "seed": SEED,
        "commit": commit(),
        "versions": said["versions"],
        "loaded_as": said["loaded"],
        "measures": {name: m for measures in found for name, m in measures.items()},
    }
    (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (HERE / "README.md").write_text(page(report), encoding="utf-8")
    print(page(report))


def page(report: dict[str, Any]) -> str:
    """The table as Markdown, from what `results.json` holds."""
    return PAGE.format(
        **{name: report[name] for name in ("date", "seed", "commit")},
        versions=", ".join(f"{n} {v}" for n, v in report["versions"].items()),
        latents=LATENTS,
        k=K,
        rows=ROWS,
        table="\n".join(_row(f"{form}-{kind}", report) for form, kind in CASES),
    )


def _random(width: int, kind: str) -> SparseAutoencoder:
    sae = SparseAutoencoder(Shape(width, LATENTS, K, kind), SEED)  # type: ignore[arg-type]
    with torch.no_grad():
        sae.encoder.add_(0.05 * torch.randn_like(sae.encoder))
        sae.encoder_bias.normal_(0, 0.1)
        sae.decoder_bias.normal_(0, 0.1)
        if kind == "batchtopk":
            sae.threshold.fill_(1.5)
    return sae


@torch.no_grad()
def _compared(
    folder: Path, form: str, kind: str, sae: SparseAutoencoder, said: Any, rows: torch.Tensor, model: Any
) -> dict[str, Any]:
    """Measures of one folder, by name."""
    name = f"{form}-{kind}"
    if isinstance(said["failed"].get(name), str):
        return {f"{name}_{of}": to_json(NotMeasured(said["failed"][name])) for of in COMPARED}
    theirs = load_file(folder / f"{name}.safetensors")
    code = sae.encode(rows)
    weights = "sae_weights.safetensors" if form == "saelens" else "sae.safetensors"
    back = import_sae(folder / f"{name}-back", model, ADDRESS).sae.state_dict()
    same = (folder / name / weights).read_bytes() == (folder / f"{name}-back" / weights).read_bytes()
    found = {
        "codes": float((code.dense(LATENTS) - theirs["codes"]).abs().max()),
        "rows": float((sae.decode(code) - theirs["rows"]).abs().max()),
        "weights": max(float((t - back[n]).abs().max()) for n, t in sae.state_dict().items()),
        "same_bytes": float(same),
    }
    return {
        f"{name}_{of}": to_json(Measure(found[of], unit, n, how)) for of, (unit, n, how) in COMPARED.items()
    }


def _row(name: str, report: dict[str, Any]) -> str:
    measures = [report["measures"][f"{name}_{of}"] for of in COMPARED]
    if "reason" in measures[0]:
        return f"| {name} | not measured: {measures[0]['reason']} | | | | |"
    numbers = " | ".join(f"{m['value']:.1e}" for m in measures[:3])
    return (
        f"| {name} | `{report['loaded_as'][name]}` | {numbers} | {'yes' if measures[3]['value'] else 'no'} |"
    )


if __name__ == "__main__":
    main()
