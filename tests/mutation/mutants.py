"""Every way to break a module a little: one change in its syntax tree at a time. Pure."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

_COMPARE: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_LEFT_ALONE: Final = (ast.Assert, ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr)
"""What is not looked into: asserts are for the type checker, words of errors are for people."""

_DECLARED: Final = ("annotation", "returns", "decorator_list", "bases")
"""Parts that say what something is, not what it does; so do the options of a class."""

Path = tuple[str | int, ...]
Change = Callable[[], ast.AST | None]


@dataclass(frozen=True)
class Mutant:
    """One broken version of a module: where, what was done, and the whole tree."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of the lines."""
    tree = ast.parse(source)
    made = [
        Mutant(_line(node), what, _put(tree, path, new))
        for path, node in _walk(tree, ())
        for what, new in _changes(node)
    ]
    return sorted(made, key=lambda mutant: mutant.line)


def _line(node: ast.AST) -> int:
    if isinstance(node, ast.comprehension):
        node = node.iter
    return int(getattr(node, "lineno", 0))


def _walk(node: ast.AST, path: Path) -> Iterator[tuple[Path, ast.AST]]:
    """Every node that may be changed, with the way to it."""
    for name, value in ast.iter_fields(node):
        if name in _DECLARED or (name == "keywords" and isinstance(node, ast.ClassDef)):
            continue
        listed = isinstance(value, list)
        inner: list[tuple[Path, object]] = [((name,), value)]
        if listed:
            inner = [((name, at), item) for at, item in enumerate(value)]
        for step, item in inner:
            if not isinstance(item, ast.AST) or _is_text(item):
                continue
            if isinstance(item, ast.Raise) or not isinstance(item, _LEFT_ALONE):
                yield (*path, *step), item
            if not isinstance(item, _LEFT_ALONE):
                yield from _walk(item, (*path, *step))


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant and isinstance(getattr(getattr(node, "value", None), "value", None), str)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BoolOp(op=op):
            other: ast.boolop = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_name(op)} -> {_name(other)}", _with(node, op=other)
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", node.operand
        case ast.BinOp(op=sign) | ast.AugAssign(op=sign) if type(sign) in _ARITHMETIC:
            turned = _ARITHMETIC[type(sign)]()
            yield f"{_name(sign)} -> {_name(turned)}", _with(node, op=turned)
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition negated", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter removed", _with(node, ifs=[])
        case ast.Constant():
            yield from _constants(node)
    yield from _statements(node)


def _compared(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for at, sign in enumerate(node.ops):
        for kind in _COMPARE[type(sign)]:
            ops = [kind() if at == other else old for other, old in enumerate(node.ops)]
            yield f"{_name(sign)} -> {kind.__name__}", _with(node, ops=ops)


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    match node.value:
        case bool():
            yield f"{node.value} -> {not node.value}", ast.Constant(not node.value)
        case int() | float():
            yield f"{node.value} -> {node.value + 1}", ast.Constant(node.value + 1)
        case str():
            yield f"{node.value!r} changed", ast.Constant(f"X{node.value}")


def _statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Return(value=ast.AST() as value) if not _is_none(value):
            yield "return None", _with(node, value=ast.Constant(None))
        case ast.Expr() | ast.AugAssign() | ast.Assign() | ast.Continue() | ast.Break():
            yield "statement deleted", ast.Pass()
        case ast.Raise():
            yield "raise deleted", ast.Pass()


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name(sign: ast.AST) -> str:
    return type(sign).__name__


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _put(node: ast.Module, path: Path, new: ast.AST) -> ast.Module:
    """The tree with one node replaced; what is on the way is copied, the rest shared."""
    root = copy.copy(node)
    at: object = root
    for step, following in zip(path, (*path[1:], None), strict=True):
        value: object = _get(at, step)
        whole = following is None and isinstance(value, ast.AST)
        value = _placed(new, value) if whole else copy.copy(value)
        _set(at, step, value)
        at = value
    return root


def _placed(new: ast.AST, old: Any) -> ast.AST:
    return ast.fix_missing_locations(ast.copy_location(copy.copy(new), old))


def _get(at: object, step: str | int) -> object:
    return at[step] if isinstance(step, int) else getattr(at, step)  # type: ignore[index]


def _set(at: object, step: str | int, value: object) -> None:
    if isinstance(step, int):
        at[step] = value  # type: ignore[index]
    else:
        setattr(at, step, value)
