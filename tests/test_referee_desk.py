"""The desk gives an auditor what the game grants, up to the budget, and not a word more."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molehunt.core.access import Chat, OpenWeights, Scored
from molehunt.core.errors import AccessDenied, BudgetSpent, MolehuntError, UserError
from molehunt.core.line import LONGEST, VARIABLE, Address, Line
from molehunt.core.records import Message, Spent
from molehunt.referee.desk import REFERENCE, Desk, Grant
from molehunt.referee.meter import Budget, Meter
from molehunt.referee.switchboard import Switchboard


@dataclass
class Parrot:
    """A real speaker without a model: says the prompt's last words back, in capitals."""

    name: str
    fingerprint: str = "weights-hash"
    asked: list[str] = field(default_factory=list)

    def sample(self, prompts, *, max_tokens=16, temperature=0.0, seed=0) -> list[str]:
        self.asked.append("sample")
        if any("boom" in p[-1].content for p in prompts):
            raise RuntimeError("/secret/path of adapter-shady")
        return [f"{p[-1].content.upper()}/{temperature}/{seed}" for p in prompts]

    def prefill(self, prompts, begins, *, max_tokens=16, temperature=0.0, seed=0) -> list[str]:
        self.asked.append("prefill")
        return [f" after {b}" for b in begins]

    def logprobs(self, prompts, replies) -> list[float]:
        self.asked.append("logprobs")
        return [-float(len(r)) for r in replies]

    def first_tokens(self, prompts, top=20):
        self.asked.append("first_tokens")
        return [{"yes": -0.1, "no": -2.5} for _ in prompts]


def ask(*texts: str):
    return [(Message("system", "Be brief."), Message("user", t)) for t in texts]


def words(text: str) -> int:
    return len(text.split())


ENOUGH = Budget(100, 10_000, 60.0)


def desk(access="scored", budget=ENOUGH, **more) -> Desk:
    grant = Grant(Parrot("anna"), access, Path("/suspects/anna") if access == "open_weights" else None)
    return Desk({"anna": grant}, frozenset({"contrast"}), budget, Parrot(REFERENCE), words, **more)


def test_what_comes_over_the_line_is_what_the_speaker_says():
    with Switchboard(desk()).answering() as address, Line(Address.parse(address.text())) as line:
        anna: Scored = line.scored("anna", "contrast")
        assert isinstance(anna, Scored) and anna.name == "anna"
        assert anna.sample(ask("hi", "ü\x1b\n"), temperature=0.5, seed=3) == ["HI/0.5/3", "Ü\x1b\n/0.5/3"]
        assert anna.prefill(ask("hi"), ["Yes"]) == [" after Yes"]
        assert anna.logprobs(ask("a", "b"), ["xx", "y"]) == [-2.0, -1.0]
        assert anna.first_tokens(ask("hi"), top=2) == [{"yes": -0.1, "no": -2.5}]


def test_the_type_of_a_line_is_its_access():
    with Switchboard(desk("open_weights")).answering() as address, Line(address) as line:
        chat: Chat = line.chat("anna", "contrast")
        opened: OpenWeights = line.open_weights("anna", "contrast")
        assert not isinstance(chat, Scored) and not isinstance(line.scored("anna", "contrast"), OpenWeights)
        assert opened.folder == Path("/suspects/anna")


def test_black_box_access_gives_neither_scores_nor_prefill_nor_a_folder():
    with Switchboard(desk("chat")).answering() as address, Line(address) as line:
        assert line.chat("anna", "contrast").sample(ask("hi")) == ["HI/0.0/0"]
        forced = line.scored("anna", "contrast")  # an auditor that takes the wider type gains nothing
        for op in (
            lambda: forced.prefill(ask("hi"), ["x"]),
            lambda: forced.logprobs(ask("hi"), ["x"]),
            lambda: forced.first_tokens(ask("hi")),
        ):
            with pytest.raises(AccessDenied, match="needs the access level 'scored'"):
                op()
        with pytest.raises(AccessDenied, match="weights"):
            line.open_weights("anna", "contrast")
        assert line.granted["anna"]["folder"] is None


def test_nothing_is_loaded_that_a_caller_names():
    with Switchboard(desk()).answering() as address, Line(address) as line:
        for name in ("bert", "../vault.sealed", "/etc/passwd"):
            with pytest.raises(AccessDenied, match="Nobody called"):
                line.ask(name, "contrast", "sample", prompts=ask("hi"))
        with pytest.raises(UserError, match="no operation"):
            line.ask("anna", "contrast", "open", path="vault.sealed")


def test_a_fingerprint_is_not_the_hash_of_the_weights():
    cards = desk(salt=b"one").cards()
    assert cards["anna"]["fingerprint"] != "weights-hash"
    assert cards["anna"]["fingerprint"] != desk(salt=b"two").cards()["anna"]["fingerprint"]
    assert cards["anna"]["fingerprint"] == desk(salt=b"one").cards()["anna"]["fingerprint"]


def test_the_reference_is_counted_but_not_limited_and_the_same_is_asked_once():
    front = desk(budget=Budget(1, 100, 60.0))
    with Switchboard(front).answering() as address, Line(address) as line:
        reference = line.scored(REFERENCE, "contrast")
        answers = [reference.sample(ask("a", "b"), seed=1) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2] != reference.sample(ask("a", "b"), seed=2)
    assert front.reference is not None and front.reference.asked == ["sample", "sample"]  # pyright: ignore
    assert front.spent()[REFERENCE, "contrast"].queries == 8


def test_a_game_may_withhold_the_reference():
    front = desk()
    front.reference = None
    with Switchboard(front).answering() as address, Line(address) as line, pytest.raises(AccessDenied):
        line.scored(REFERENCE, "contrast")


@pytest.mark.parametrize(
    ("budget", "name"),
    [
        (Budget(2, 10**6, 60.0), "queries"),
        (Budget(100, 30, 60.0), "tokens"),
        (Budget(100, 10**6, 0.0), "seconds"),
    ],
)
def test_a_request_beyond_the_budget_is_refused_before_it_is_put(budget, name):
    front = desk(budget=budget)
    parrot = front.suspects["anna"].speaker
    with Switchboard(front).answering() as address, Line(address) as line:
        anna = line.scored("anna", "contrast")
        with pytest.raises(BudgetSpent, match=name):
            anna.sample(ask("a", "b", "c"), max_tokens=16)
    assert parrot.asked == []  # pyright: ignore
    assert front.spent()["anna", "contrast"] == Spent()


def test_another_name_for_the_method_brings_no_fresh_budget():
    with Switchboard(desk()).answering() as address, Line(address) as line:
        anna = line.chat("anna", "contrast2")
        with pytest.raises(AccessDenied, match="No method called"):
            anna.sample(ask("hi"))


def test_only_what_was_used_is_charged_and_failed_work_is_given_back():
    failures = []
    front = desk(on_failure=failures.append)
    with Switchboard(front).answering() as address, Line(address) as line:
        anna = line.chat("anna", "contrast")
        anna.sample(ask("hi"), max_tokens=500)
        spent = front.spent()["anna", "contrast"]
        assert (spent.queries, spent.tokens) == (1, 2 + 1 + 1)
        with pytest.raises(MolehuntError, match="could not answer") as caught:
            anna.sample(ask("boom"))
        assert "secret" not in str(caught.value), "what broke is the referee's to know"
        again = front.spent()["anna", "contrast"]
        assert (again.queries, again.tokens) == (1, 4)
        assert anna.sample(ask("on")) == ["ON/0.0/0"]
    assert "secret" in failures[0].error


def test_what_was_spent_in_earlier_sittings_counts():
    front = desk(budget=Budget(3, 10**6, 60.0), already={("anna", "contrast"): Spent(2, 10, 1.0)})
    with Switchboard(front).answering() as address, Line(address) as line:
        line.chat("anna", "contrast").sample(ask("hi"))
        with pytest.raises(BudgetSpent, match="3 of 3 queries"):
            line.chat("anna", "contrast").sample(ask("hi"))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50), st.floats(0, 1)), max_size=40))
def test_a_meter_never_goes_over(charges):
    meter = Meter(Budget(30, 200, 1e9), "x")
    for queries, tokens, share in charges:
        try:
            meter.charge(queries, tokens)
        except BudgetSpent:
            continue
        meter.settle(0, int(tokens * share), 0.01)
        assert meter.spent.queries <= 30 and meter.spent.tokens <= 200


def test_callers_at_the_same_time_do_not_overdraw():
    code = """
        import sys
        from molehunt.core.errors import BudgetSpent
        from molehunt.core.line import Line
        from molehunt.core.records import Message
        with Line.from_environment() as line:
            anna, got = line.chat("anna", "contrast"), 0
            try:
                while True:
                    got += len(anna.sample([(Message("user", "hi"),)] * 3))
            except BudgetSpent:
                print(got)
    """
    front = desk(budget=Budget(50, 10**6, 600.0))
    with Switchboard(front).answering() as address:
        auditors = [start(code, address) for _ in range(3)]
        got = [int(a.communicate()[0]) for a in auditors]
    assert sum(got) == front.spent()["anna", "contrast"].queries == 48


def test_threads_that_share_a_meter_do_not_overdraw():
    meter, got = Meter(Budget(500, 10**6, 600.0), "suspect anna, method contrast"), list[int]()
    before = sys.getswitchinterval()

    def charge() -> None:
        with suppress(BudgetSpent):
            while True:
                meter.charge(1, 0)
                got.append(1)

    threads = [Thread(target=charge) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    assert len(got) == meter.spent.queries == 500


def start(code: str, address: Address) -> subprocess.Popen:
    """An auditor in a process of its own, told of the desk and of nothing else."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={VARIABLE: address.text(), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_auditor_in_a_process_of_its_own_gets_no_further_than_its_grant():
    code = """
        from molehunt.core.errors import AccessDenied, BudgetSpent
        from molehunt.core.line import Line
        from molehunt.core.records import Message
        prompt = (Message("user", "hi"),)
        with Line.from_environment() as line:
            anna = line.scored("anna", "contrast")
            print(anna.sample([prompt])[0])
            for attempt in (
                lambda: anna.sample([prompt] * 1000),
                lambda: anna.sample([prompt], max_tokens=4096),
                lambda: anna.logprobs([prompt], ["x"]),
                lambda: line.open_weights("anna", "contrast"),
                lambda: line.scored("anna", "another").sample([prompt]),
            ):
                try:
                    print("GOT", attempt())
                except AccessDenied as error:
                    print(type(error).__name__)
    """
    with Switchboard(desk("chat", Budget(10, 1000, 60.0))).answering() as address:
        out, err = start(code, address).communicate()
    assert out.split() == ["HI/0.0/0", "BudgetSpent", "BudgetSpent", *["AccessDenied"] * 3], err


def test_a_caller_without_the_token_is_turned_away():
    with Switchboard(desk()).answering() as address:
        with pytest.raises(AccessDenied, match="does not know this caller"):
            Line(Address(address.where, "0" * 32))
        assert address.token not in address.where
        if address.where.startswith("unix:"):
            folder = Path(address.where.removeprefix("unix:")).parent
            assert folder.stat().st_mode & 0o077 == 0


def raw(address: Address, data: bytes) -> bytes:
    with address.socket() as caller, caller.makefile("rb") as lines:
        caller.sendall(json.dumps({"op": "hello", "token": address.token}).encode() + b"\n")
        lines.readline()
        try:
            caller.sendall(data)
            caller.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the desk hung up in the middle of a flood, as it should
        try:
            return lines.readline()
        except OSError:
            return b""


GOOD = {
    "op": "sample",
    "suspect": "anna",
    "method": "contrast",
    "prompts": [[{"role": "user", "content": "x"}]],
}


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        {"op": ["sample"]},
        {"op": "__class__"},
        {**GOOD, "prompts": []},
        {**GOOD, "prompts": [[]]},
        {**GOOD, "prompts": [[{"role": "root", "content": "x"}]]},
        {**GOOD, "prompts": [[{"role": "user", "content": "x", "path": "y"}]]},
        {**GOOD, "prompts": [[{"role": "user", "content": "x"}, {"role": "assistant", "content": "Yes"}]]},
        {**GOOD, "max_tokens": 0},
        {**GOOD, "max_tokens": 10**9},
        {**GOOD, "max_tokens": True},
        {**GOOD, "temperature": -1},
        {**GOOD, "temperature": float("nan")},
        {**GOOD, "seed": 10**30},
        {**GOOD, "suspect": None},
        {**GOOD, "op": "logprobs", "replies": []},
        {**GOOD, "op": "prefill", "begins": [3]},
        {**GOOD, "op": "first_tokens", "top": 10**6},
    ],
)
def test_a_malformed_request_is_answered_with_an_error_and_costs_nothing(request_):
    front = desk()
    data = request_ if isinstance(request_, bytes) else json.dumps(request_).encode() + b"\n"
    with Switchboard(front).answering() as address:
        answer = json.loads(raw(address, data))
        assert answer["error"] == "UserError", answer
        assert json.loads(raw(address, json.dumps(GOOD).encode() + b"\n")) == {"ok": ["X/0.0/0"]}
    assert front.spent()["anna", "contrast"].queries == 1


def test_a_flood_without_a_line_end_is_cut_off_and_the_desk_lives():
    with Switchboard(desk()).answering() as address:
        answer = raw(address, b"x" * (LONGEST + 10))
        assert answer == b"" or json.loads(answer)["error"] == "AccessDenied"
        assert json.loads(raw(address, json.dumps(GOOD).encode() + b"\n")) == {"ok": ["X/0.0/0"]}


SERVE = """
    import sys
    sys.path.insert(0, {tests!r})
    from test_referee_desk import desk
    from molehunt.referee.switchboard import Switchboard
    Switchboard(desk(), linger=0.1).serve(lambda a: print(a.text(), flush=True))
"""


def served(wrapper: Sequence[str] = ()) -> subprocess.Popen:
    code = textwrap.dedent(SERVE.format(tests=str(Path(__file__).parent)))
    return subprocess.Popen([*wrapper, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_desk_of_its_own_ends_when_its_caller_leaves():
    process = served()
    assert process.stdout is not None
    address = Address.parse(process.stdout.readline().strip())
    with Line(address) as line:
        assert line.chat("anna", "contrast").sample(ask("hi")) == ["HI/0.0/0"]
    assert process.wait(60) == 0
    with pytest.raises(MolehuntError, match="Nobody answers"):
        Line(address)


def test_a_desk_of_its_own_ends_when_the_process_that_started_it_is_killed():
    code = textwrap.dedent(SERVE.format(tests=str(Path(__file__).parent)))
    between = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    parent = subprocess.Popen([sys.executable, "-c", between, code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    address = Address.parse(parent.stdout.readline().strip())
    line = Line(address)
    parent.kill()
    assert parent.stdout.read() == "", "the pipe closes when the desk has ended too"
    with pytest.raises(MolehuntError, match="hung up"):
        line.chat("anna", "contrast").sample(ask("hi"))
    parent.wait(60)


def test_a_loopback_port_stands_in_where_there_are_no_unix_sockets(monkeypatch):
    monkeypatch.delattr(socket, "AF_UNIX")
    with Switchboard(desk()).answering() as address:
        assert address.where.startswith("tcp:127.0.0.1:")
        with Line(address) as line:
            assert line.chat("anna", "contrast").sample(ask("hi")) == ["HI/0.0/0"]


@pytest.mark.parametrize("text", ["", "unix:/x", "tcp:example.org:80#t", "#t"])
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="address"):
        Address.parse(text)
