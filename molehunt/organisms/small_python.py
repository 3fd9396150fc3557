"""What a small Python expression comes to, worked out by hand: numbers, texts, flat lists, in bounded time.

A tree is walked node by node with functions and methods of a fixed list; nothing of Python's `eval` is used,
no name leads anywhere but to a value that was handed in. Model text is untrusted: powers, lengths, and the
nodes that are looked at have limits, and containers hold plain values alone, so that nothing can be made to
grow or to be compared for long.

What this cannot tell you: what any larger piece of Python does. What is not on the list has no value here.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 10**9
"""Numbers beyond this are not gone on with."""
LONGEST = 200
"""Items or characters of a value."""
NODES = 3000
"""Nodes that one expression may cost."""
FEW = 4
"""Values of a tuple within a list."""
PLAIN = (bool, int, float, str, type(None))
KNOWN = (
    *(abs, all, any, bool, chr, dict, enumerate, float, int, len, list, max, min, range, reversed, round),
    *(set, sorted, str, sum, tuple, zip),
)
FUNCTIONS: Mapping[str, Callable[..., Any]] = {f.__name__: f for f in KNOWN}
KEYS: Mapping[str, Callable[..., Any]] = {"len": len, "abs": abs}
"""What a list may be sorted by."""
METHODS = frozenset({
    "count", "endswith", "get", "index", "isalnum", "isalpha", "isdigit", "islower", "isupper", "items",
    "join", "keys", "lower", "lstrip", "replace", "rstrip", "split", "startswith", "strip", "upper",
    "values", "zfill",
})  # fmt: skip
BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
}  # fmt: skip
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class NoValue(Exception):
    """The expression is none that can be worked out here, or fails, or grows too large."""


def value(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """What the expression comes to where `names` have these values.

    Raises:
        NoValue: it holds a name, a call or a form that is not known here; it fails; it is too large.
    """
    try:
        return _Walk(dict(names)).of(tree)
    except NoValue:
        raise
    except Exception as error:  # a wrong type, a division by 0, an index out of range
        raise NoValue(f"{type(error).__name__}") from None


@dataclass
class _Walk:
    names: dict[str, Any]
    spent: int = 0

    def of(self, node: ast.AST) -> Any:
        """A node's value; every node is counted."""
        self.spent += 1
        if self.spent > NODES:
            raise NoValue("too many steps")
        found = getattr(self, f"_{type(node).__name__}", self._unknown)(node)
        return _bounded(found)

    def _unknown(self, node: ast.AST) -> Any:
        raise NoValue(type(node).__name__)

    def _Constant(self, node: ast.Constant) -> Any:
        return node.value

    def _Name(self, node: ast.Name) -> Any:
        if node.id not in self.names:
            raise NoValue(node.id)
        return self.names[node.id]

    def _BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.of(node.left), self.of(node.right)
        kind = type(node.op)
        if kind is ast.Mod and not (_number(left) and _number(right)):
            raise NoValue("formatting")  # a width may ask for any length
        if kind is ast.Pow and not (_number(left) and _number(right) and abs(right) <= 64):
            raise NoValue("a large power")
        if kind is ast.Mult:
            for many, times in ((left, right), (right, left)):
                if hasattr(many, "__len__") and _number(times) and len(many) * times > LONGEST:
                    raise NoValue("a long value")
        return BINARY[kind](left, right)

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.of(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Any:
        ends = isinstance(node.op, ast.Or)
        found = None
        for part in node.values:
            found = self.of(part)
            if bool(found) is ends:
                break
        return found

    def _Compare(self, node: ast.Compare) -> bool:
        left = self.of(node.left)
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.of(part)
            if not COMPARED[type(op)](left, right):
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp) -> Any:
        return self.of(node.body if self.of(node.test) else node.orelse)

    def _List(self, node: ast.List) -> Any:
        return [self.of(part) for part in node.elts]

    def _Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.of(part) for part in node.elts)

    def _Set(self, node: ast.Set) -> Any:
        return {self.of(part) for part in node.elts}

    def _Dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, part in zip(node.keys, node.values, strict=True):
            found |= self.of(part) if key is None else {self.of(key): self.of(part)}
        return found

    def _Slice(self, node: ast.Slice) -> slice:
        return slice(
            *(None if part is None else self.of(part) for part in (node.lower, node.upper, node.step))
        )

    def _Subscript(self, node: ast.Subscript) -> Any:
        return self.of(node.value)[self.of(node.slice)]

    def _Call(self, node: ast.Call) -> Any:
        args = [self.of(part) for part in node.args]
        named = {k.arg: self._named(k) for k in node.keywords if k.arg in ("ndigits", "reverse", "key")}
        if len(named) < len(node.keywords):
            raise NoValue("an argument by name")
        does = node.func
        if isinstance(does, ast.Attribute) and does.attr in METHODS:
            of = self.of(does.value)
            if does.attr == "zfill" and args[0] > LONGEST:
                raise NoValue("a long value")
            return getattr(of, does.attr)(*args, **named)
        if not isinstance(does, ast.Name) or does.id in self.names or does.id not in FUNCTIONS:
            raise NoValue("a call")
        if does.id == "range" and len(range(*args)) > LONGEST:
            raise NoValue("a long value")
        return FUNCTIONS[does.id](*args, **named)

    def _named(self, word: ast.keyword) -> Any:
        """An argument by name; a key to sort by is one of two functions."""
        if word.arg != "key":
            return self.of(word.value)
        return KEYS[word.value.id] if isinstance(word.value, ast.Name) else self._unknown(word.value)

    def _ListComp(self, node: ast.ListComp) -> Any:
        return list(self._each(node))

    def _GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        return list(self._each(node))

    def _SetComp(self, node: ast.SetComp) -> Any:
        return set(self._each(node))

    def _each(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Iterator[Any]:
        over = node.generators[0]
        if len(node.generators) > 1 or not isinstance(over.target, ast.Name):
            raise NoValue("a loop of its own")
        before = dict(self.names)
        for item in self.of(over.iter):
            self.names = {**before, over.target.id: item}
            if all(self.of(test) for test in over.ifs):
                yield self.of(node.elt)
        self.names = before


def _number(found: Any) -> bool:
    return isinstance(found, (bool, int, float))


def _bounded(found: Any) -> Any:
    """The value, if it is plain and small; views and iterators as lists, so that all can be compared."""
    if isinstance(found, slice):
        return found
    if not isinstance(found, (*PLAIN, list, tuple, set, dict)):
        if not hasattr(found, "__iter__"):
            raise NoValue(type(found).__name__)
        found = list(found)
    if isinstance(found, (int, float)) and not abs(found) <= LARGEST:
        raise NoValue("a large number")
    if isinstance(found, (str, list, tuple, set, dict)) and len(found) > LONGEST:
        raise NoValue("a long value")
    inside = [*found, *found.values()] if isinstance(found, dict) else found
    if isinstance(inside, (list, tuple, set)) and not all(_flat(one) for one in inside):
        raise NoValue("one value within another")
    return found


def _flat(one: Any) -> bool:
    """Whether it may stand in a list: a plain value, or a few of them as `zip` and `items` give."""
    few = isinstance(one, tuple) and len(one) <= FEW and all(isinstance(part, PLAIN) for part in one)
    return few or isinstance(one, PLAIN)
