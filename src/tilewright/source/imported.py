"""What do a file's names stand for, by its imports?"""

from __future__ import annotations

import ast


class Imports:
    """Names that a file's imports bind, at whatever depth, with the dotted names that they stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self._stands_for: dict[str, str] = {}
        self.first_of_tilelang: ast.stmt | None = None
        """The first top-level import of tilelang or of a part of it."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.split(".")[0]
                    self._stands_for[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    self._stands_for[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for statement in tree.body:
            modules = [a.name for a in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom):
                modules = [statement.module or ""]
            if any(module.split(".")[0] == "tilelang" for module in modules):
                self.first_of_tilelang = statement
                break

    def canonical(self, node: ast.expr) -> str:
        """`T.copy` -> "tilelang.language.copy"; "" for what is no imported name."""
        if isinstance(node, ast.Name):
            return self._stands_for.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.canonical(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def binds(self, name: str) -> bool:
        return name in self._stands_for

    def alias_of(self, dotted: str) -> str:
        """What the file calls a module, "" where it doesn't import it."""
        return next((name for name, stands_for in self._stands_for.items() if stands_for == dotted), "")
