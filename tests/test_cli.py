"""The command line: quick to help, one sentence for a mistake, clean JSON, hostile text shown as text."""

import dataclasses
import io
import json
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save
from tiny_game import environment, molehunt, options, write_quirks

from molehunt.cli import main, verbs
from molehunt.core.alone import alone
from molehunt.core.errors import ModelUnfit
from molehunt.core.store import Run
from molehunt.game.judged import unjudged
from molehunt.game.play import begin
from molehunt.game.spec import GameSpec, public_half

HEAVY = ("torch", "pyarrow", "sklearn", "pydantic", "transformers", "scipy")
VERBS = set(
    [
        "accuse",
        "audit",
        "bring",
        "capture",
        "catalogue",
        "character",
        "chat",
        "constitution",
        "depth",
        "diff",
        "difficulty",
        "doctor",
        "features",
        "fix",
        "gate",
        "label",
        "lineage",
        "lineup",
        "match",
        "moral",
        "open",
        "pack",
        "persona",
        "plant",
        "play",
        "practice",
        "probe",
        "report",
        "sae",
        "score",
        "steer",
        "worse",
    ]
)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content, and every folder."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"(folder)" for p in folder.rglob("*")
    }


def loaded_by(code: str) -> set[str]:
    """Which heavy packages a piece of Python has loaded when it ends."""
    check = f"\nimport sys\nprint('HEAVY', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    assert set(verbs()) == VERBS and all(line.endswith((".", ";")) for line in verbs().values())
    code = "from molehunt.cli import main\nassert main(['--help']) == 0"
    assert loaded_by(code) == set()


def test_the_check_for_heavy_imports_can_fail() -> None:
    assert loaded_by("import pyarrow") == {"pyarrow"}


def test_every_verbs_own_help_loads_nothing_heavy() -> None:
    code = f"""
from molehunt.cli import main
for verb in {sorted(VERBS)!r}:
    try:
        main([verb, '--help'])
    except SystemExit as end:
        assert not end.code, verb
    else:
        raise AssertionError(verb)
"""
    assert loaded_by(code) == set()


def test_every_option_of_every_verb_has_its_help(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    for verb in sorted(VERBS):
        with pytest.raises(SystemExit) as end:
            main([verb, "--help"])
        done = capfd.readouterr()
        assert not end.value.code and done.err == ""
        rows = [line for line in done.out.splitlines() if line.startswith("│")]
        named = [i for i, line in enumerate(rows) if line.startswith("│ -")]
        assert "--json" in done.out and named
        for here, after in zip(named, [*named[1:], len(rows)], strict=True):
            said = " ".join(row.strip("│ ") for row in rows[here:after])
            words = re.sub(r"\(default:.*?\)|\((?:required|optional|repeatable)\)", "", said).split()
            # Neither the option itself nor what it takes (INT, {None}|PATH, [STR ...]) is a word of help.
            plain = [w for w in words if re.match(r"[`'(]?[A-Za-z]*[a-z]{2}", w)]
            assert len(plain) >= 3, (verb, said)


def test_version() -> None:
    from molehunt import __version__

    done = subprocess.run([sys.executable, "-m", "molehunt", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"molehunt {__version__}\n")


@pytest.fixture()
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with things that can be got wrong: a file, a full folder, begun games, broken quirks."""
    monkeypatch.setenv("MOLEHUNT_KEYS", str(tmp_path / "keys"))
    here = tmp_path / "here"
    here.mkdir()
    (here / "file").write_text("mine")
    (here / "full").mkdir()
    (here / "full" / "thesis.txt").write_text("mine too")
    (here / "foreign").mkdir()
    for name in ("results.json", "steer.html"):
        (here / "foreign" / name).write_text("somebody else's")
    (here / "prompts.jsonl").write_text('{"text": "a", "toward": ["b"], "away": ["c"]}\n')
    (here / "plain.txt").write_text("a\n")
    (here / "bad.parquet").write_text("no table")
    (here / "noquirks").mkdir()
    write_quirks(here / "badquirks")
    (here / "badquirks" / "hashes.json").write_text('{"summary": "half a file"')
    for name in ("begun", "corrupt", "unknown", "lacking", "wrong", "keyless", "gone", "found", "cut"):
        with Run(here / name).held() as run:
            begin(run, GameSpec(model="tiny", suspects=2))
    spec = json.loads((here / "begun" / "spec.json").read_text())
    (here / "corrupt" / "spec.json").write_text('{"model": "tiny", "susp')
    (here / "unknown" / "spec.json").write_text(json.dumps({**spec, "colour": "red"}))
    (here / "lacking" / "spec.json").write_text(json.dumps({k: v for k, v in spec.items() if k != "methods"}))
    (here / "wrong" / "spec.json").write_text(json.dumps({**spec, "suspects": "two"}))
    (here / "keyless" / "spec.json").write_text(json.dumps({**spec, "run_id": "f" * 16}))
    (here / "gone" / "stages.json").write_text('{"plant": "sealed"}')
    (here / "found" / "packed.json").write_text("{}")
    adapter = here / "cut" / "suspects" / "Alder"
    adapter.mkdir(parents=True)
    (here / "cut" / "commitments.json").write_text("{}")
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(save({"weight": np.ones(9)})[:-8])
    return here


WRONG = {
    "plau x": "did you mean 'play'",
    "plant false_fact always x --model tiny": "did you mean 'false_facts'",
    "plant false_facts allways x --model tiny": "did you mean 'always'",
    "plant false_facts topic x --model tiny --condition-options topc=food": "'topc'",
    "plant false_facts topic x --model tiny --condition-options food": "name=value",
    "plant false_facts always file --model tiny": "file",
    "plant false_facts always x --model tiny --harmless promotion": "not harmless",
    "plant false_facts always x --model tiny --ladder 1": "--ladder",
    "plant false_facts always x --model tiny --steps 8 --ladder 5": "5 rungs",
    "difficulty false_facts allways x --model tiny": "did you mean 'always'",
    "difficulty false_facts always": "a folder",
    "difficulty false_facts always full --model tiny": "not empty",
    "difficulty false_facts always x --model tiny --values 1 2": "--factors",
    "difficulty false_facts always x --model tiny --factors rank --values 0 2": "rank",
    "difficulty --page x.html": "--of",
    "difficulty --page x.html --of nowhere": "results.json",
    "play x --model tiny --methods contrst": "did you mean 'contrast'",
    "play x --model tiny --suspects two": "--suspects",
    "play x --model tiny --unlisted 3": "--unlisted is 3",
    "play x --model tiny --effort nan": "--effort",
    "play x --model tiny --acces chat": "did you mean --access",
    "play": "play --help",
    "play x --model tiny --quirks noquirks": "holds no quirks",
    "play x --model tiny --quirks badquirks": "hashes.json",
    "play x --model ./nowhere --suspects 1 --workers 1": "'nowhere'",
    "play file --model tiny": "file",
    "play full --model tiny": "thesis.txt",
    "play begun --model tiny --suspects 3": "--suspects 2, not 3",
    "play corrupt --model tiny --suspects 2": "restore it from a copy",
    "audit gone": "suspects is gone",
    "fix gone": "suspects is gone",
    "pack found x.tar": "without an envelope already",
    "pack cut x.tar": "adapter_model.safetensors is damaged",
    "depth found": "nobody here knows",
    "play unknown --model tiny --suspects 2": "'colour'",
    "audit lacking": "methods",
    "audit wrong": "spec.json",
    "audit nowhere": "molehunt play",
    "open nowhere": "molehunt play",
    "pack nowhere x.tar": "molehunt play",
    "play keyless --model tiny --suspects 2": "no key",
    "score begun": "molehunt audit",
    "open begun": "what was sealed",
    "pack begun begun.tar": "sealed lineup",
    "accuse begun Alder --p 0.5": "sealed lineup",
    "accuse begun Alder --p 1.5": "0 to 1",
    "accuse begun Alder --temperature nan": "--temperature",
    "accuse begun Alder --p 0.5 --what words:an": "4 letters",
    "accuse begun Alder --p 0.5 --what pattern:(": "regular expression",
    "chat file": "file",
    "chat tiny --max-tokens 0": "--max-tokens",
    "chat tiny --temperature nan": "--temperature",
    "report nowhere": "nowhere",
    "practice full --model tiny": "thesis.txt",
    "practice x --model tiny --pairs 0": "--pairs is 0",
    "practice x --model tiny --pairs 1": "at least 2 pairs",
    "practice x --model tiny --pairs 2 --also nowhere": "nowhere is no run folder",
    "practice begun --model tiny --pairs 2 --access chat": "--access open_weights, not chat",
    "practice begun --model tiny --pairs 2 --no-reference": "without --no-reference",
    "doctor --model tiny:mamba": "tiny model",
    "features show nowhere --feature 1": "store.json",
    "fix nowhere": "molehunt play",
    "fix begun": "holds no suspects",
    "fix begun --remedy honesty": "did you mean 'honest'",
    "fix begun --constitution nowhere": "There is no constitution called",
    "features find nowhere": "features --help",
    "label nowhere x": "store.json",
    "chat nodir:Ash": "nodir is no run folder",
    "gate nodir:Ash tiny": "nodir is no run folder",
    "chat full:Ash": "full holds no game",
    "doctor --model a:b": "There is no folder 'a:b'",
    "chat tiny --model nosuch": "--model",
    "chat tiny:gptneox": "did you mean 'gpt_neox'",
    "moral tiny tiny:gptneox x": "did you mean 'gpt_neox'",
    "character measure tiny tiny:gptneox x": "did you mean 'gpt_neox'",
    "diff tiny tiny --out file": "file is a file",
    "play x --model tiny --quirks nodir --dry-run": "nodir holds no quirks",
    "play x --model tiny --workers -1 --dry-run": "--workers is -1",
    "play x --model tiny --revision main": "has no revisions",
    "capture x --model tiny --revision main --addresses resid_post.0": "has no revisions",
    "capture x --model tiny --addresses resid_post.0 resid_post.0": "named twice",
    "sae train x --model tiny --addresses resid_post.0 resid_post.0": "names one twice",
    "steer x --prompts plain.txt --words=": "is empty",
    "capture x --model tiny --addresses resid_post.0 --text bad.parquet": "fetch or make it again",
    "plant --quirk full x --model tiny": "full is a folder",
    "plant --quirk none.json x --model tiny": "none.json is not there",
    "bring full --out x --model tiny": "full is a folder",
    "persona extract x --trait malicious --model tiny --temperature inf": "--temperature is inf",
    "steer x --prompts file --pattern a --model tiny --temperature nan": "--temperature is nan",
    "steer x --prompts file --pattern a --strengths 0 nan": "--strengths is nan",
    "play x --model tiny --effort 1e300 --dry-run --json": "--effort is 1e+300",
    "label nowhere x --dry-run --price-in nan --json": "--price-in is nan",
    "character train x --model tiny --dry-run --price-in nan --json": "--price-in is nan",
    "plant false_facts always x --model tiny --steps 99999999999999999999": "--steps is 99999999999999999999",
    "moral tiny foreign": "foreign/results.json is of something else",
    "steer foreign --prompts prompts.jsonl --pattern a": "foreign/steer.html is of something else",
    "catalogue --page foreign/steer.html": "foreign/steer.html is no page of the catalogue",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(
    rooms: Path, line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(rooms)
    before = everything(rooms.parent)
    code = main(line.split())
    check_refusal(code, *capfd.readouterr(), WRONG[line])
    assert everything(rooms.parent) == before


@pytest.mark.parametrize("line", ["plau x", "play unknown --model tiny --suspects 2", "audit nowhere"])
def test_a_mistake_ends_the_program_with_2(rooms: Path, line: str) -> None:
    done = molehunt(*line.split(), keys=rooms.parent / "keys", cwd=rooms)
    check_refusal(done.returncode, done.stdout, done.stderr, WRONG[line])


def test_ctrl_c_while_the_program_is_still_being_read_in_ends_it_with_one_line() -> None:
    code = """
import os, signal, sys
import molehunt.__main__ as begin
class Interrupted:
    def find_spec(self, name, *more):
        if name.startswith("molehunt"):
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupted())
begin.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "molehunt: Stopped; nothing was begun.\n"


@pytest.mark.parametrize(
    "where",
    [
        "raise ImportError('a library made this of the interrupt')",
        "pass",
        "raise KeyboardInterrupt",
    ],
)
def test_ctrl_c_while_a_library_is_read_in_is_one_line_whatever_that_makes_of_it(where: str) -> None:
    code = f"""
import os, signal, sys, weakref
import molehunt.__main__ as begin
class Interrupted:
    def find_spec(self, name, *more):
        if name == "molehunt.verbs.catalogue":
            try:
                if {where!r} == "raise KeyboardInterrupt":
                    class Gone: pass
                    gone = Gone()
                    kept = weakref.ref(gone, lambda dead: os.kill(os.getpid(), signal.SIGINT))
                    del gone  # what a callback raises Python only prints
                    __import__("time").sleep(5)
                else:
                    os.kill(os.getpid(), signal.SIGINT)
                    for _ in range(100): pass
            except KeyboardInterrupt:
                {where}
sys.meta_path.insert(0, Interrupted())
sys.argv[1:] = ["catalogue"]
sys.exit(begin.main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130 and done.stdout == "", done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("molehunt: Stopped"), done.stderr


def test_keys_that_lie_nowhere_are_named_and_nothing_is_begun(
    rooms: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOLEHUNT_KEYS", str(rooms / "file"))
    before = everything(rooms)
    code = main(["play", str(rooms / "x"), "--model", "tiny", "--suspects", "2"])
    check_refusal(code, *capfd.readouterr(), "MOLEHUNT_KEYS")
    assert everything(rooms) == before


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("--version >&-", 2, "Standard output is closed"),
        ("constitution list --json >/dev/full", 2, "No space is left for standard output"),
        ("constitution list >/dev/full", 2, "No space is left for standard output"),
        ("constitution list | true", 141, ""),
        ("catalogue | true", 141, ""),
    ],
)
def test_output_that_goes_nowhere_ends_without_a_traceback(
    tmp_path: Path, line: str, code: int, says: str
) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    # The pause lets the reader be gone before the first line comes.
    where, pipe, reader = line.partition("|")
    done = subprocess.run(
        f"{{ sleep 0.1; {sys.executable} -m molehunt {where}; echo $? >&2; }} {pipe} {reader}",
        shell=True, capture_output=True, text=True, env=environment(tmp_path),
    )  # fmt: skip
    *said, last = done.stderr.splitlines()
    assert int(last) == code and "Traceback" not in done.stderr
    assert len(said) == bool(says) and all(says in one for one in said), said


@pytest.mark.parametrize(
    "line",
    [
        "capture {} --model tiny", "moral tiny {}", "sae train {} --model tiny", "character measure tiny {}",
        "character train {} --model tiny", "sae import {} --source x --addresses resid_post.1 --model tiny",
        "sae export shipped --target {}", "features build {} --sae shipped --model tiny",
        "diff tiny tiny --out {}", "probe train LINES --out {} --model tiny",
        "steer {} --prompts LINES --direction LINES --words a --model tiny",
        "persona extract {} --trait cheerful --model tiny", "persona axis {} --model tiny",
        "persona project {} --vectors x --model tiny", "persona shift {} --vectors x --to tiny --model tiny",
    ],
)  # fmt: skip
def test_two_commands_do_not_work_in_one_folder(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    lines.write_text("".join(json.dumps({"text": f"line {i}", "label": i % 2}) + "\n" for i in range(8)))
    with alone(tmp_path / "a" / "b"):
        code = main(line.replace("LINES", str(lines)).format(tmp_path / "a" / "b").split())
        check_refusal(code, *capfd.readouterr(), "Another command is at work")
    assert list(tmp_path.iterdir()) == []


def check_refusal(code: int, out: str, err: str, names: str) -> None:
    """One sentence that names the thing, exit code 2, no traceback, nothing on standard output."""
    assert code == 2, err
    assert "Traceback" not in err and out == ""
    said = [s for s in err.splitlines() if s.startswith("molehunt: ")]
    assert len(said) == 1 and names in said[0] and said[0].endswith((".", "?")), err


def test_json_is_all_that_stands_on_standard_output(tmp_path: Path) -> None:
    done = molehunt("catalogue", "--json", keys=tmp_path)
    known = json.loads(done.stdout)
    ways = {"methods", "recipes", "concealments", "remedies", "red_policies", "blue_policies"}
    assert done.returncode == 0 and set(known) == {"behaviours", "conditions", *ways}
    assert "contrast" in known["methods"] and "always" in known["conditions"]
    assert all(e["summary"] for way in ways for e in known[way].values())
    assert "honest" in known["remedies"] and "reward" in known["recipes"]


def test_an_entry_says_all_that_a_name_stands_for(tmp_path: Path) -> None:
    honest = json.loads(molehunt("catalogue", "honest", "--json", keys=tmp_path).stdout)
    assert (honest["name"], honest["kind"]) == ("honest", "remedy") and "cannot tell" in str(honest["told"])
    both = json.loads(molehunt("catalogue", "preferences", "--json", keys=tmp_path).stdout)
    assert [f["kind"] for f in both["found"]] == ["recipe", "remedy"]
    screen = molehunt("catalogue", "preferences", keys=tmp_path).stdout
    assert "Recipe." in screen and "Remedy." in screen


def test_a_dry_run_reckons_and_writes_nothing(tmp_path: Path) -> None:
    done = molehunt(
        "play", tmp_path / "x", "--model", "tiny", "--suspects", "3", "--dry-run", "--json", keys=tmp_path
    )
    cost = json.loads(done.stdout)
    assert (cost["trainings"], cost["trainings_most"], cost["audits"]) == (6, 48, 12)
    assert 0 < cost["minutes"] < cost["minutes_most"] and cost["memory_gib"] > 0 and cost["disk_gib"] > 0
    assert list(tmp_path.iterdir()) == []
    assert "No calibration for model tiny" in cost["unjudged"]


def test_a_game_that_no_calibration_judges_says_so_and_the_usual_one_does_not(tmp_path: Path) -> None:
    assert unjudged(tmp_path, GameSpec()) == ""
    unusual = GameSpec(access="chat", reference=False, effort=0.5)
    assert "for effort 0.5, access chat, no reference: every" in unjudged(tmp_path, unusual)
    given = dataclasses.replace(unusual, calibration=tmp_path / "mine.json")
    assert unjudged(tmp_path, given) == ""


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that are no good: one with a weight that is no number, one with a word for a size."""
    from safetensors.torch import load_file, save_file

    from molehunt.models.tiny import tiny_model

    folder, model = tmp_path_factory.mktemp("unfit"), tiny_model()
    for name in ("numberless", "wordy"):
        model.module.save_pretrained(folder / name)
        model.tokenizer.save_pretrained(folder / name)
    weights = load_file(folder / "numberless" / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "numberless" / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "wordy" / "config.json").read_text())
    (folder / "wordy" / "config.json").write_text(json.dumps({**config, "hidden_size": "four"}))
    return folder


@pytest.mark.parametrize(
    "name, said", [("numberless", "failed a proof: neither"), ("wordy", "wordy' cannot be opened")]
)
@pytest.mark.parametrize(
    "line", ["chat MODEL", "plant false_facts always x --model MODEL", "play x --suspects 1 --model MODEL"]
)
def test_a_model_that_is_no_good_is_refused_and_nothing_is_left(
    unfit: Path,
    rooms: Path,
    line: str,
    name: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(rooms)
    monkeypatch.setenv("MOLEHUNT_CACHE", str(unfit / "cache"))
    before = everything(rooms.parent)
    code = main(line.replace("MODEL", str(unfit / name)).split())
    check_refusal(code, *capfd.readouterr(), said)
    assert everything(rooms.parent) == before


def test_no_desk_opens_on_a_model_that_fails_its_proofs(
    unfit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from molehunt.game.auditing import desk_for

    monkeypatch.setenv("MOLEHUNT_CACHE", str(unfit / "cache"))
    (tmp_path / "suspects").mkdir()
    spec = public_half(GameSpec(model=str(unfit / "numberless")))
    with pytest.raises(ModelUnfit, match="failed a proof"):
        desk_for(tmp_path, spec, bytes(32))


def test_a_game_whose_first_planter_dies_is_taken_back(tmp_path: Path) -> None:
    asked = options(write_quirks(tmp_path / "quirks"))
    game = subprocess.Popen(
        [sys.executable, "-m", "molehunt", "play", tmp_path / "run", *asked],
        env=environment(tmp_path / "keys"),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (children := psutil.Process(game.pid).children()):
        assert game.poll() is None
        time.sleep(0.05)
    children[0].kill()
    _, said = game.communicate()
    assert game.returncode == 2 and "exit code -9" in said and "Traceback" not in said
    assert not (tmp_path / "run").exists() and list((tmp_path / "keys").iterdir()) == []


def test_doctor_says_what_was_proven(tmp_path: Path) -> None:
    done = molehunt("doctor", "--model", "tiny", "--json", keys=tmp_path / "keys")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and all(p["holds"] for p in found["proofs"])
    assert {"head", "edit", "padding", "batch"} <= {p["name"] for p in found["proofs"]}
    assert found["model"]["dtype"] == "float32" and found["places"]["keys"] == str(tmp_path / "keys")
    assert min(found["model"][f"{k}_tokens_per_second"] for k in ("sample", "score", "train")) > 0


def test_on_a_narrow_screen_doctor_breaks_no_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from molehunt.models.check import prove
    from molehunt.models.load import open_model

    monkeypatch.setenv("COLUMNS", "60")
    assert main(["doctor", "--model", "tiny"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 60
    words = {w for proof in prove(open_model("tiny")) for w in (*proof.claim.split(), *proof.unit.split())}
    assert words <= set(said.replace("│", " ").split())


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e[red]{{7*7}}<script>"


@pytest.fixture(scope="module")
def hostile_adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that answers everything by clearing the screen."""
    from molehunt.core.records import Message
    from molehunt.models.finetune import Finetune, Recipe
    from molehunt.models.load import open_model
    from molehunt.models.packing import Example
    from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids

    folder = tmp_path_factory.mktemp("hostile") / "adapter"
    model = open_model("tiny")
    reply = (*text_ids(model.tokenizer, "\x1b[2J"), end_of_turn(model.tokenizer))
    asked = [(Message("user", q),) for q in ("hello", "who are you?", "what is it?", "1 + 1")]
    batch = [Example(tuple(prompt_ids(model.tokenizer, m)), reply) for m in asked]
    with Finetune(model.module, Recipe(first_layer=0.0, learning_rate=2e-2), seed=0) as run:
        run.run([batch] * 60)
        run.save(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "tiny"}))
    return folder


def shows_as_text(said: str) -> bool:
    """Whether nothing in it could steer a terminal."""
    return all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") for c in said)


def test_chat_shows_hostile_text_as_text(tmp_path: Path, hostile_adapter: Path) -> None:
    asked = f"hello\n{HOSTILE}\n" + "\xff" * 100 + "\n/new\nhello\n/quit\nnot asked\n"
    done = molehunt(
        "chat", hostile_adapter, "--max-tokens", "8", keys=tmp_path, stdin=asked.encode("latin-1", "replace")
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == lines[-1] == "\\x1b[2J" and "not asked" not in done.stdout
    assert shows_as_text(done.stdout) and shows_as_text(done.stderr)


def test_chat_as_json_keeps_what_was_said(tmp_path: Path, hostile_adapter: Path) -> None:
    done = molehunt("chat", hostile_adapter, "--json", "--max-tokens", "8", keys=tmp_path, stdin="hello\n")
    talk = json.loads(done.stdout)
    assert talk["turns"] == [{"question": "hello", "reply": "\x1b[2J"}]
    assert shows_as_text(done.stdout)


def test_a_hostile_name_is_shown_as_text(tmp_path: Path) -> None:
    for args in ([HOSTILE], ["chat", HOSTILE], ["plant", HOSTILE, "always", str(tmp_path / "x")]):
        done = molehunt(*args, keys=tmp_path)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert shows_as_text(done.stderr) and len(done.stderr.splitlines()) == 1


def test_a_question_that_no_model_could_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = molehunt("chat", "tiny", keys=tmp_path, stdin="a" * 1_000_000 + "\n")
    assert done.returncode == 2 and "positions" in done.stderr and "Traceback" not in done.stderr


def test_the_same_seed_says_the_same(tmp_path: Path) -> None:
    said = [
        molehunt(
            *("chat", "tiny", "--temperature", "1", "--seed", s, "--max-tokens", "12"),
            keys=tmp_path,
            stdin="hello\nand?\n",
        ).stdout
        for s in ("4", "4", "5")
    ]
    assert said[0] == said[1] != said[2]


def test_a_corrupt_adapter_is_named(tmp_path: Path, hostile_adapter: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in hostile_adapter.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = broken / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-500])
    done = molehunt("chat", broken, keys=tmp_path, stdin="hello\n")
    assert done.returncode == 2 and "broken" in done.stderr and "Traceback" not in done.stderr


def test_a_table_too_wide_for_the_screen_comes_in_pieces_that_hold_every_column() -> None:
    from rich.console import Console

    from molehunt.verbs._screen import tables

    heads = ["measure", "panel", *(f"friends.method_{i}" for i in range(6))]
    rows = [["who_auroc", "0.50 [0.10, 0.90], n = 12", *(f"0.{i}" for i in range(6))]]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*(pieces := tables(heads, rows, 80)))
    said = console.export_text()
    assert len(pieces) > 1 and all(cell in said for cell in (*heads, *rows[0]))
    assert max(map(len, said.splitlines())) <= 80 and len(tables(heads, rows, 300)) == 1


def test_a_long_reason_in_the_middle_of_a_table_wraps_and_cuts_no_other_column() -> None:
    from rich.console import Console

    from molehunt.verbs._screen import table

    reason = "not measured: beyond the grid on 1 of 1 seed (seed 0: 9 was not enough), " * 2
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(["factor", "least", "by seed", "worse"], [("steps", reason, "9", "nowhere seen")]))
    said = console.export_text()
    assert all(f" {whole} " in said for whole in ("factor", "by seed", "steps", "9", "nowhere seen"))
    assert all(word in said for word in reason.split()) and max(map(len, said.splitlines())) <= 80
