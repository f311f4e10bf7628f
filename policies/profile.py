"""The release profile: the part of Cedar that nations write in, read into formulas.

Total (no rule can fail at run time), decidable (no arithmetic, no free strings), and small enough
to be evaluated a second time by us. What it leaves out: templates, `==` scopes, `like`, `has`,
arithmetic, tags, IP addresses, decimals. The table of attributes is in `policies/schema.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cedarpy import pst

from policies.formula import (
    AtLeast,
    Cross,
    CrossTest,
    Empty,
    Equals,
    Flag,
    Formula,
    Holds,
    In,
    Is,
    every,
    negated,
    some,
)
from policies.naming import (
    OutsideProfileError,
    Terms,
    known_word,
    named_uids,
    named_word,
    outside_profile,
)
from policies.schema import ATTRIBUTES, PARENTS, PRINCIPALS, Form
from policies.times import read_span, read_time
from wire.errors import quoted


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a layer. `position` is Cedar's own name for it, `id` and `says` the officer's."""

    position: str
    id: str
    effect: Literal["permit", "forbid"]
    says: str
    formula: Formula


def read_formula(template: pst.Template, terms: Terms) -> Formula:
    """Where the rule applies. Raises `OutsideProfileError`."""
    parts: list[Formula] = [
        _scope("principal", template.principal, terms),
        _scope("resource", template.resource, terms),
    ]
    for clause in template.clauses:
        inner = _expression(clause.expr, terms)
        parts.append(inner if isinstance(clause, pst.When) else negated(inner))
    return every(*parts)


def _scope(variable: str, scope: pst.PrincipalOrResourceConstraint, terms: Terms) -> Formula:
    match scope:
        case pst.ScopeAny():
            return True
        case pst.ScopeIs(entity_type=kind):
            return _is(variable, kind)
        case pst.ScopeIn(entity=pst.EntityUid() as uid):
            return _in(variable, [uid], terms)
        case pst.ScopeIsIn(entity_type=kind, entity=pst.EntityUid() as uid):
            return every(_is(variable, kind), _in(variable, [uid], terms))
        case _:
            raise OutsideProfileError(
                "scope", f"the {variable} is named with `in`, `is` or `is … in`, never with `==`"
            )


def _expression(expr: pst.Expr, terms: Terms) -> Formula:
    match expr:
        case pst.BoolLit(value=value):
            return value
        case pst.UnaryOp(op="not", arg=arg):
            return negated(_expression(arg, terms))
        case pst.BinaryOp(op="and", left=left, right=right):
            return every(_expression(left, terms), _expression(right, terms))
        case pst.BinaryOp(op="or", left=left, right=right):
            return some(_expression(left, terms), _expression(right, terms))
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            condition = _expression(cond, terms)
            return some(
                every(condition, _expression(then, terms)),
                every(negated(condition), _expression(other, terms)),
            )
        case pst.BinaryOp(op="in", left=pst.Var(name=variable), right=right):
            return _in(variable, named_uids(right), terms)
        case pst.Is(base=pst.Var(name=variable), entity_type=kind, in_expr=within):
            if within is None:
                return _is(variable, kind)
            return every(_is(variable, kind), _in(variable, named_uids(within), terms))
        case _:
            return _attribute_test(expr, terms)


def _attribute_test(expr: pst.Expr, terms: Terms) -> Formula:
    match expr:
        case pst.GetAttr() if (path := _path(expr)) and ATTRIBUTES[path].form == "flag":
            return Flag(path)
        case pst.UnaryOp(op="is_empty", arg=arg) if path := _path(arg, "set"):
            return Empty(path)
        case pst.BinaryOp(op="contains" | "contains_all" | "contains_any" as op, left=left) if (
            path := _path(left, "set")
        ):
            return _set_test(op, path, expr.right, terms)
        case pst.BinaryOp(op="eq" | "not_eq" as op, left=left, right=right):
            equal = _equality(left, right, terms)
            return equal if op == "eq" else negated(equal)
        case pst.BinaryOp(op="less" | "less_eq" | "greater" | "greater_eq" as op):
            return _comparison(op, expr.left, expr.right)
        case _:
            raise outside_profile()


def _is(variable: str, kind: pst.EntityType) -> Formula:
    name = str(kind)
    if variable == "principal" and name in PRINCIPALS:
        return Is(name)
    if variable == "resource" and name == "Report":
        return True
    raise OutsideProfileError(
        "unknown-term",
        f"the principal is a Gateway or an Analyst, the resource a Report, not {quoted(name)}",
    )


def _in(variable: str, uids: Sequence[pst.EntityUid], terms: Terms) -> Formula:
    allowed = PARENTS.get(variable, ())
    for uid in uids:
        if str(uid.type) not in allowed:
            raise OutsideProfileError(
                "unknown-term",
                f"{quoted(variable)} is `in` {', '.join(allowed) or 'nothing'},"
                f" not in {quoted(str(uid.type))}",
            )
    return some(*(In(variable, (str(uid.type), known_word(uid, terms))) for uid in uids))


def _set_test(op: str, path: str, right: pst.Expr, terms: Terms) -> Formula:
    of = ATTRIBUTES[path].of
    if other := _path(right):
        form = "entity" if op == "contains" else "set"
        if ATTRIBUTES[other] != (form, of):
            raise outside_profile()
        test: CrossTest
        match op:
            case "contains":
                test = "contains"
            case "contains_all":
                test = "contains_all"
            case _:
                test = "contains_any"
        return Cross(test, path, other)
    held = [Holds(path, named_word(uid, of, terms)) for uid in named_uids(right)]
    return some(*held) if op == "contains_any" else every(*held)


def _equality(left: pst.Expr, right: pst.Expr, terms: Terms) -> Formula:
    path, value = _path(left), right
    if path is None:
        path, value = _path(right), left
    if path is None:
        raise outside_profile()
    attribute = ATTRIBUTES[path]
    if other := _path(value):
        if ATTRIBUTES[other] != attribute or attribute.form == "set" or _of_context(path, other):
            raise outside_profile()
        return Cross("equal", *sorted((path, other)))
    match value:
        case pst.EntityLit(value=uid) if attribute.form == "entity":
            return Equals(path, named_word(uid, attribute.of, terms))
        case pst.BoolLit(value=wanted) if attribute.form == "flag":
            return Flag(path) if wanted else negated(Flag(path))
        case _:
            bound = _bound(value, attribute.form)
            return every(AtLeast(path, bound), negated(AtLeast(path, bound + 1)))


_MIRRORED: Final = {
    "less": "greater",
    "less_eq": "greater_eq",
    "greater": "less",
    "greater_eq": "less_eq",
}


def _comparison(op: str, left: pst.Expr, right: pst.Expr) -> Formula:
    path, value = _path(left), right
    if path is None:
        path, value, op = _path(right), left, _MIRRORED[op]
    if path is None:
        raise outside_profile()
    form = ATTRIBUTES[path].form
    if other := _path(value):
        if form != "number" or ATTRIBUTES[other].form != "number" or _of_context(path, other):
            raise outside_profile()
        first, second = (path, other) if op in ("greater_eq", "less") else (other, path)
        ordered = Cross("at_least", first, second)
        return ordered if op in ("greater_eq", "less_eq") else negated(ordered)
    bound = _bound(value, form) + (op in ("greater", "less_eq"))
    reached = AtLeast(path, bound)
    return reached if op in ("greater", "greater_eq") else negated(reached)


def _bound(value: pst.Expr, form: Form) -> int:
    match value:
        case pst.LongLit(value=bound) if form == "number":
            return bound
        case pst.UnaryOp(op="datetime", arg=pst.StringLit(value=text)) if form == "time":
            return _read(read_time, text)
        case pst.UnaryOp(op="duration", arg=pst.StringLit(value=text)) if form == "span":
            return _read(read_span, text)
        case _:
            raise outside_profile()


def _read(reader: Callable[[str], int], text: str) -> int:
    try:
        return reader(text)
    except ValueError as error:
        raise OutsideProfileError("time", str(error)) from None


def _path(expr: pst.Expr, form: Form | None = None) -> str | None:
    """The attribute that the expression reads, if it is one (of that form)."""
    if isinstance(expr, pst.GetAttr) and isinstance(expr.base, pst.Var):
        path = f"{expr.base.name}.{expr.attr}"
        if path in ATTRIBUTES and form in (None, ATTRIBUTES[path].form):
            return path
    return None


def _of_context(*paths: str) -> bool:
    """Circumstances are compared with constants only, so that they fall into few classes."""
    return any(path.startswith("context.") for path in paths)
