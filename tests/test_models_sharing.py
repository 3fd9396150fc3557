"""A plan of shared beginnings loses no token and repeats few."""

from hypothesis import given
from hypothesis import strategies as st

from molehunt.models.tree import by_kinship, plan, runs

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=12)


def rebuilt(layout):
    """Every sequence, read back through its parents."""
    whole, above = [], [[]]
    for level in layout.levels:
        above = [[*above[p], *s] for p, s in zip(level.parents, level.segments, strict=True)]
    whole = [[] for _ in above]
    for row, i in enumerate(layout.order):
        whole[i] = above[row]
    return whole


@given(sequences, st.booleans())
def test_every_sequence_can_be_read_back(many, share):
    assert rebuilt(plan(many, [1] * len(many), share)) == many


@given(sequences, st.data())
def test_the_last_tokens_asked_for_stay_its_own(many, data):
    own = [data.draw(st.integers(1, len(s))) for s in many]
    layout = plan(many, own)
    rests = layout.levels[-1].segments
    assert all(len(rests[row]) >= own[i] for row, i in enumerate(layout.order))
    assert [len(r) for r in rests] == sorted(len(r) for r in rests)


@given(sequences)
def test_sharing_never_computes_more(many):
    own = [1] * len(many)
    # A sequence of its own may be cut in two, never doubled.
    assert plan(many, own).tokens <= plan(many, own, share=False).tokens == sum(map(len, many))


def test_two_openings_are_computed_once_each():
    opening, left, right = list(range(20)), [50] * 15, [60] * 15
    many = [[*opening, *side, 70 + i] for i in range(10) for side in (left, right)]
    assert plan(many, [1] * 20).tokens == 20 + 15 + 15 + 20


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(0, 40), st.integers(20, 200))
def test_runs_cover_every_row_once_and_stay_small(lengths, pass_cost, most):
    lengths.sort()
    found = runs(lengths, pass_cost, most)
    assert [i for run in found for i in range(len(lengths))[run]] == list(range(len(lengths)))
    for run in found:
        rows = lengths[run]
        assert len(rows) == 1 or len(rows) * rows[-1] <= most


def test_runs_pad_only_where_a_pass_would_cost_more():
    lengths = [4] * 20 + [5] * 20 + [30] * 4
    assert runs(lengths, 32, 2048) == [slice(0, 40), slice(40, 44)]
    assert runs(lengths, 10_000, 10**6) == [slice(0, 44)]


def test_kin_are_neighbours():
    assert by_kinship([[2, 1], [1, 9], [2, 0], [1]]) == [3, 1, 2, 0]
