"""Does the source say that this candidate can't be scored, or means to tamper with the scoring?

Reads the syntax tree and runs nothing. It rejects what no kernel needs and cheating does: other processes and
threads, native code, the interpreter's frames and garbage, hidden code, patched modules, another way where the kernel
fails. It guards no verdict: whoever wants to get past a reader of source can. What makes results trustworthy is that
another process makes the inputs, the expected values and the clock; this gate saves the time, and names the intent.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from tilewright.gates.fallbacks import fallbacks
from tilewright.gates.tampering import signs_of_tampering
from tilewright.protocols import Verdict
from tilewright.records import Candidate, Evidence, Problem, Reason, Rejected

_TILELANG_MARKS = ("prim_func", "Kernel", "jit")


class StaticGate:
    name = "static"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        """A `Rejected` with every reason found, or the evidence with the warnings added."""
        reasons: list[Reason] = []
        warnings: list[Reason] = []
        trees = []
        for path, text in [("", candidate.source), *((f.path, f.text) for f in candidate.support)]:
            if path and not path.endswith(".py"):
                continue
            tree = _parsed(text)
            if isinstance(tree, Reason):
                reasons.append(_in_file(tree, path))
                continue
            trees.append(tree)
            for sign in signs_of_tampering(tree):
                (reasons if sign.rejects else warnings).append(_in_file(sign.reason, path))
            if not path:
                reasons += _entry_point_missing(tree, candidate)
                reasons += fallbacks(tree, candidate.entry_point)
        if not reasons and not any(map(_defines_kernel, trees)):
            warnings.append(
                Reason(
                    "no-tilelang-kernel",
                    "no TileLang kernel is defined: PyTorch would do all the work",
                    action="Define one with @T.prim_func and T.Kernel and call it in forward.",
                )
            )
        evidence = replace(evidence, warnings=(*evidence.warnings, *warnings))
        if reasons:
            return Verdict(evidence, Rejected(gate=self.name, reasons=tuple(reasons)))
        return Verdict(evidence)


def _parsed(text: str) -> ast.Module | Reason:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        return Reason("syntax", f"no valid Python: {error.msg}", error.lineno, "Send the whole file, complete.")
    except ValueError as error:  # a null byte
        return Reason("syntax", f"no valid Python: {error}", None, "Send plain UTF-8 text.")
    except (RecursionError, MemoryError):
        return Reason("syntax", "nested too deeply to be read", None, "Split the long expression.")


def _in_file(reason: Reason, path: str) -> Reason:
    """A reason in a support file names the file; its line is not one of the candidate's own source."""
    if not path:
        return reason
    where = f"{path}:{reason.line}" if reason.line else path
    return replace(reason, message=f"{where}: {reason.message}", line=None)


def _entry_point_missing(tree: ast.Module, candidate: Candidate) -> list[Reason]:
    wanted = candidate.entry_point
    if wanted in _top_level_names(tree):
        return []
    kind = "class" if candidate.form == "module" else "function"
    node_types = (ast.ClassDef,) if candidate.form == "module" else (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in tree.body if isinstance(node, node_types)]
    names = ", ".join(node.name for node in found) or "none"
    return [
        Reason(
            "entry-point",
            f"no {kind} {wanted} (found: {names})",
            found[-1].lineno if found else None,
            f"Rename it to {wanted}, or pass --entry-point with its name.",
        )
    ]


def _top_level_names(tree: ast.Module) -> set[str]:
    """Names bound at the module's level, also inside `if`, `try` and `with` there."""
    names: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        else:
            pending += [child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]
    return names


def _defines_kernel(tree: ast.Module) -> bool:
    """Imports TileLang, and uses one of the ways to define a kernel with it."""
    imports = any(
        (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "tilelang" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tilelang")
        for node in ast.walk(tree)
    )
    uses = any(
        (isinstance(node, ast.Attribute) and node.attr in _TILELANG_MARKS)
        or (isinstance(node, ast.Name) and node.id in _TILELANG_MARKS)
        for node in ast.walk(tree)
    )
    return imports and uses
