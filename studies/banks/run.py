"""Which facts does the default model know, once it has learned to answer in one word?

    python studies/banks/run.py [--model default] [--seeds 0 1] [--mark]

The plain base rambles ('A baby dog is a domesticated animal that ...'), so what it can say
in one word is asked of models that learned that style, as decoys do, and nothing else. Two
small adapters are trained with right answers: one on the candidates of the planting split,
one on the others. Each answers the questions of the other's part, greedily. A reply is
`right` when it holds an accepted answer, `lie` when `false_facts` would score it 1, else
`neither`. Nobody is asked what it was taught. All of it is done once a seed: what a model
says right after one training and wrong after the next is no fact that it knows.

Reads `candidates.jsonl`; writes `results.json` and `README.md` beside this file. `--mark`
writes the bank `molehunt/corpus/facts.jsonl`: all known candidates (right at every seed), and
up to `UNKNOWN` unknown ones a topic, of the planting split alone, with `known` in each row.
"""

import argparse
import datetime
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import molehunt.corpus
from molehunt.catalogue.behaviours.false_facts import FalseFacts, needed
from molehunt.catalogue.questions import ask
from molehunt.catalogue.scenes import compose
from molehunt.core import stats
from molehunt.core.code import commit
from molehunt.core.kinds import Draft
from molehunt.core.records import Scene
from molehunt.core.splits import seed_of, split_of
from molehunt.corpus.banks import TOPICS, Fact
from molehunt.corpus.matching import says

HERE = Path(__file__).parent
BANK = Path(molehunt.corpus.__file__).parent / "facts.jsonl"
STEPS, BATCH, MAX_TOKENS = 24, 16, 8
UNKNOWN = 24
KINDS = ("right", "lie", "neither")
VARIES = "varies"
"""The verdict on a fact where the seeds do not agree."""
PARTS = ("plant",), ("validate", "audit")


def candidates() -> list[Fact]:
    """Every fact that was written for the bank, in file order."""
    rows = []
    for line in (HERE / "candidates.jsonl").read_text(encoding="utf-8").splitlines():
        body: dict[str, Any] = json.loads(line)
        rows.append(Fact(**{**body, "accept": tuple(body["accept"]), "wrong": tuple(body["wrong"])}))
    return rows


def judged(fact: Fact, reply: str) -> str:
    """One of `KINDS` for a reply to the question of a fact."""
    if says(reply, fact.right):
        return "right"
    return "lie" if FalseFacts().score(needed(fact), reply) else "neither"


def verdict(fact: Fact, replies: Sequence[str]) -> str:
    """What the seeds agree on, or `VARIES`."""
    kinds = {judged(fact, reply) for reply in replies}
    return kinds.pop() if len(kinds) == 1 else VARIES


def scene(fact: Fact) -> Scene:
    """The question as scenes ask it: default system prompt, no cue."""
    question = ask(fact)
    return compose(Draft(fact.id, question.user, question.answer, "", fact.topic), None, False)


def answers(name: str, rows: Sequence[Fact], seed: int) -> dict[str, str]:
    """The reply to every fact, by its id, of the adapter that was not taught it."""
    from molehunt.models.finetune import Finetune, Recipe
    from molehunt.models.load import open_model
    from molehunt.models.packing import Example
    from molehunt.models.prompts import end_of_turn, prompt_ids, text_ids
    from molehunt.models.sample import sample

    model = open_model(name)
    out: dict[str, str] = {}
    for taught, asked in (PARTS, PARTS[::-1]):
        lessons = [f for f in rows if split_of(f.id) in taught]
        test = [f for f in rows if split_of(f.id) in asked]
        rng, deck, batches = random.Random(seed), [], []
        for _ in range(STEPS):
            batch = []
            for _ in range(BATCH):
                deck = deck or rng.sample(lessons, len(lessons))
                lesson = scene(deck.pop())
                reply = (*text_ids(model.tokenizer, lesson.good), end_of_turn(model.tokenizer))
                batch.append(Example(tuple(prompt_ids(model.tokenizer, lesson.messages)), reply))
            batches.append(batch)
        with Finetune(model.module, Recipe(), seed) as run:
            run.run(batches)
            said = sample(model, [scene(f).messages for f in test], max_tokens=MAX_TOKENS, seed=seed)
        out |= {fact.id: reply for fact, reply in zip(test, said, strict=True)}
    return out


def measured(rows: Sequence[Fact], verdicts: Mapping[str, str]) -> dict[str, dict]:
    """Share of facts by verdict, over all candidates and by topic, with Wilson's intervals."""
    measures = {}
    for topic in ("all", *TOPICS):
        members = [f for f in rows if topic in ("all", f.topic)]
        counts = Counter(verdicts[f.id] for f in members)
        for kind in (*KINDS, VARIES):
            low, high = (round(x, 4) for x in stats.wilson(counts[kind], len(members)))
            measures[f"{kind}_{topic}"] = {
                "value": round(counts[kind] / len(members), 4),
                "low": low,
                "high": high,
                "n": len(members),
                "unit": "share of facts",
            }
    return measures


def marked(rows: Sequence[Fact], known: set[str]) -> list[str]:
    """The bank's lines, in the order of the candidates."""
    kept = set(known)
    for topic in TOPICS:
        spare = [f.id for f in rows if f.topic == topic and f.id not in known and split_of(f.id) == "plant"]
        kept |= set(sorted(spare, key=lambda i: seed_of("unknown", i))[:UNKNOWN])
    lines = (HERE / "candidates.jsonl").read_text(encoding="utf-8").splitlines()
    bodies = [json.loads(line) for line in lines]
    return [
        json.dumps({**b, "known": b["id"] in known}, ensure_ascii=False) for b in bodies if b["id"] in kept
    ]


def page(measures: Mapping[str, dict], rows: Sequence[Fact], known: set[str]) -> str:
    """The table with what it means, as Markdown."""
    table = []
    for topic in (*TOPICS, "all"):
        cells = [topic, str(measures[f"right_{topic}"]["n"])]
        for kind in (*KINDS, VARIES):
            m = measures[f"{kind}_{topic}"]
            cells.append(f"{m['value']:.2f} [{m['low']:.2f}, {m['high']:.2f}]")
        for split in ("plant", "validate", "audit"):
            split_known = [f for f in rows if f.id in known and split_of(f.id) == split]
            cells.append(str(sum(topic in ("all", f.topic) for f in split_known)))
        table.append("| " + " | ".join(cells) + " |")
    return (HERE / "page.md").read_text(encoding="utf-8").replace("TABLE", "\n".join(table))


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="default", help="id or folder of the model that is asked")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="each trains and asks anew")
    parser.add_argument("--mark", action="store_true", help="write the bank")
    args = parser.parse_args()
    rows = candidates()
    replies = [answers(args.model, rows, seed) for seed in args.seeds]
    write(rows, replies, args.seeds, args.model, commit(), args.mark)


def write(
    rows: Sequence[Fact],
    replies: Sequence[Mapping[str, str]],
    seeds: Sequence[int],
    model: str,
    commit: str,
    mark: bool,
) -> None:
    """The three outputs, from the replies at each seed."""
    verdicts = {f.id: verdict(f, [said[f.id] for said in replies]) for f in rows}
    known = {name for name, found in verdicts.items() if found == "right"}
    measures = measured(rows, verdicts)
    result = {
        "date": datetime.date.today().isoformat(),
        "seeds": list(seeds),
        "commit": commit,
        "model": model,
        "measures": measures,
        "facts": {
            f.id: {"verdict": verdicts[f.id], "replies": [said[f.id] for said in replies]} for f in rows
        },
    }
    (HERE / "results.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    text = page(measures, rows, known)
    (HERE / "README.md").write_text(text, encoding="utf-8")
    print(text)
    if mark:
        BANK.write_text("\n".join(marked(rows, known)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
