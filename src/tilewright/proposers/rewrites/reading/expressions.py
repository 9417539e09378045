"""When are two index expressions the same, and how is an expression written with other names in it?"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

Names = Mapping[str, ast.expr]
Monomial = tuple[tuple[str, int], ...]
Polynomial = dict[Monomial, Fraction]
"""Products of names (with exponents, which may be negative) and what they are multiplied by."""

ONE: Polynomial = {(): Fraction(1)}


def polynomial(node: ast.expr, known: Names, variables: frozenset[str] = frozenset()) -> Polynomial:
    """An integer expression as a polynomial. `known` names are replaced by what they stand for.

    A division of sizes is taken to be exact (a tile that is split over threads is split evenly, or the kernel
    would leave elements out); one that holds any of `variables` stays an atom, as does all that is unknown.
    """
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return {(): Fraction(node.value)} if node.value else {}
    if isinstance(node, ast.Name):
        if node.id in known:
            rest = {name: value for name, value in known.items() if name != node.id}
            return polynomial(known[node.id], rest, variables)
        return {((node.id, 1),): Fraction(1)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return scaled(polynomial(node.operand, known, variables), Fraction(-1))
    if isinstance(node, ast.BinOp):
        left, right = polynomial(node.left, known, variables), polynomial(node.right, known, variables)
        if isinstance(node.op, ast.Add):
            return plus(left, right)
        if isinstance(node.op, ast.Sub):
            return plus(left, scaled(right, Fraction(-1)))
        if isinstance(node.op, ast.Mult):
            return times(left, right)
        fixed = not (names_in(left) | names_in(right)) & variables
        if isinstance(node.op, ast.FloorDiv) and len(right) == 1 and fixed:
            ((monomial, factor),) = right.items()
            return times(left, {tuple((name, -power) for name, power in monomial): 1 / factor})
    return {((text(substituted(node, known)), 1),): Fraction(1)}


def plus(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for monomial, factor in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + factor
    return {monomial: factor for monomial, factor in total.items() if factor}


def scaled(poly: Polynomial, factor: Fraction) -> Polynomial:
    return {monomial: value * factor for monomial, value in poly.items()}


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for first, a in left.items():
        for second, b in right.items():
            powers = dict(first)
            for name, power in second:
                powers[name] = powers.get(name, 0) + power
            monomial = tuple(sorted((name, power) for name, power in powers.items() if power))
            total[monomial] = total.get(monomial, Fraction(0)) + a * b
    return {monomial: factor for monomial, factor in total.items() if factor}


def names_in(poly: Polynomial) -> frozenset[str]:
    """The names of a polynomial, those inside its atoms too."""
    words = (re.findall(r"[A-Za-z_]\w*", atom) for monomial in poly for atom, _ in monomial)
    return frozenset(word for found in words for word in found)


def coefficient(poly: Polynomial, variable: str) -> Polynomial | None:
    """What a variable is multiplied by, {} where it is absent; None where it isn't linear."""
    found: Polynomial = {}
    for monomial, factor in poly.items():
        powers = dict(monomial)
        if powers.pop(variable, 0) == 1:
            found[tuple(sorted(powers.items()))] = factor
        elif variable in dict(monomial) or variable in names_in({monomial: factor}):
            return None
    return None if variable in names_in(found) else found


def same(left: ast.expr, right: ast.expr, known: Names | None = None) -> bool:
    return polynomial(left, known or {}) == polynomial(right, known or {})


def names(node: ast.AST) -> set[str]:
    """All names that occur in a piece of syntax."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def parse(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def text(node: ast.AST) -> str:
    """The expression in one line, with double quotes as TileLang kernels are written."""
    return re.sub(r"'([\w. -]*)'", r'"\1"', ast.unparse(node))


def substituted(node: ast.expr, values: Names) -> ast.expr:
    """A copy in which names are replaced, also inside what replaces them."""
    return replaced(node, lambda part: values.get(part.id) if isinstance(part, ast.Name) else None, again=True)


def substituted_once(node: ast.expr, label: str, value: ast.expr) -> ast.expr:
    """A copy in which a name is replaced; the value may hold the name itself."""
    return replaced(node, lambda part: value if isinstance(part, ast.Name) and part.id == label else None)


def replaced(node: ast.expr, change: Callable[[ast.expr], ast.expr | None], again: bool = False) -> ast.expr:
    """A copy in which the outermost parts that `change` has an answer for are replaced by it.

    With `again` the answers are searched too, as long as they bring anything new.
    """

    class Change(ast.NodeTransformer):
        depth = 0

        def visit(self, part: ast.AST) -> ast.AST:
            answer = change(part) if isinstance(part, ast.expr) else None
            if answer is None:
                return self.generic_visit(part)
            answer = copy.deepcopy(answer)
            if again and self.depth < 16 and ast.dump(answer) != ast.dump(part):
                self.depth += 1
                found = self.visit(answer)
                self.depth -= 1
                return found
            return answer

    changed = Change().visit(copy.deepcopy(node))
    assert isinstance(changed, ast.expr)
    return changed


def conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    """The conditions that `a and b` and `0 <= a < b` demand, one by one."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from conjuncts(value)
    elif isinstance(test, ast.Compare) and len(test.ops) > 1:
        left = test.left
        for operator, right in zip(test.ops, test.comparators):
            yield ast.Compare(left, [operator], [right])
            left = right
    else:
        yield test


def upper_bound(condition: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """(index, bound) of `index < bound` or `bound > index`."""
    if not isinstance(condition, ast.Compare) or len(condition.ops) != 1:
        return None
    if isinstance(condition.ops[0], ast.Lt):
        return condition.left, condition.comparators[0]
    if isinstance(condition.ops[0], ast.Gt):
        return condition.comparators[0], condition.left
    return None


def uncast(node: ast.expr) -> ast.expr:
    """The value without the casts around it: of `T.cast(value, dtype)`, and `T.Cast(dtype, value)` as TVM has it."""
    while isinstance(node, ast.Call) and call_name(node) in ("cast", "Cast") and len(node.args) == 2:
        node = node.args[0] if call_name(node) == "cast" else node.args[1]
    return node


def call_name(node: ast.AST) -> str:
    """`copy` for `T.copy(...)`, "" for anything that isn't a call of a name or attribute."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""
