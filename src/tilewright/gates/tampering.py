"""What in a source shows the intent to tamper with how it is scored?

Each sign is either certain enough to reject (no kernel needs it) or only worth a warning (honest files do it too).
Names are followed through `import ... as` and plain assignments, not through data.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.records import Reason

_PROCESSES = "starts or reaches other processes and threads"
_INTERPRETER = "reaches into the interpreter: live objects, frames, code, its exit"
_NATIVE = "runs or patches native code"
_HIDDEN = "hides code from the reader"
_NETWORK = "opens connections"
_FILES = "works on files"
_INTERCEPTS = "steps between the caller and PyTorch's operations"

_MODULES = {
    **dict.fromkeys(("subprocess", "multiprocessing", "threading", "_thread", "concurrent", "asyncio"), _PROCESSES),
    **dict.fromkeys(("signal", "pty", "fcntl", "select", "selectors"), _PROCESSES),
    **dict.fromkeys(("gc", "inspect", "builtins", "__builtin__", "__main__", "traceback", "atexit"), _INTERPRETER),
    **dict.fromkeys(("faulthandler", "tracemalloc", "bdb", "pdb", "code", "codeop", "dis", "opcode"), _INTERPRETER),
    **dict.fromkeys(("ctypes", "_ctypes", "cffi", "mmap", "pybind11", "numba", "llvmlite"), _NATIVE),
    **dict.fromkeys(("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"), _HIDDEN),
    **dict.fromkeys(("base64", "zlib", "bz2", "lzma", "gzip", "binascii", "codecs"), _HIDDEN),
    **dict.fromkeys(("importlib", "imp", "runpy", "pkgutil", "zipimport", "pip", "ensurepip"), _HIDDEN),
    **dict.fromkeys(("socket", "socketserver", "ssl", "http", "urllib", "urllib3", "requests"), _NETWORK),
    **dict.fromkeys(("httpx", "aiohttp", "ftplib", "smtplib", "telnetlib", "xmlrpc"), _NETWORK),
    **dict.fromkeys(("shutil", "tempfile", "glob"), _FILES),
}
_BUILTINS = {
    **dict.fromkeys(("exec", "eval", "compile", "__import__"), _HIDDEN),
    **dict.fromkeys(("breakpoint", "exit", "quit"), _INTERPRETER),
}
_SUBMODULES = {
    "torch.utils.cpp_extension": _NATIVE,
    "torch.ops.load_library": _NATIVE,
    "torch.classes.load_library": _NATIVE,
    "torch.multiprocessing": _PROCESSES,
    "torch.distributed": _PROCESSES,
    "torch.hub": _NETWORK,
    "torch.load": _HIDDEN,
    "torch.jit.load": _HIDDEN,
    "torch.package": _HIDDEN,
    "torch.overrides": _INTERCEPTS,
    "torch.utils._python_dispatch": _INTERCEPTS,
    "torch.cuda.cudart": _NATIVE,
    "torch.cuda.memory.CUDAPluggableAllocator": _NATIVE,
    "torch.cuda._sleep": _INTERCEPTS,
    "types.CodeType": _HIDDEN,
    "types.FunctionType": _HIDDEN,
    "sys._getframe": _INTERPRETER,
    "sys._current_frames": _INTERPRETER,
    "sys.modules": _INTERPRETER,
    "sys.settrace": _INTERPRETER,
    "sys.setprofile": _INTERPRETER,
    "sys.meta_path": _INTERPRETER,
    "sys.path_hooks": _INTERPRETER,
    "sys.exit": _INTERPRETER,
}
_OS_ALLOWED = {"environ", "getenv", "path", "sep", "linesep", "cpu_count", "name", "getcwd", "fspath", "PathLike"}
_INTERNALS = {
    *("__code__", "__globals__", "__closure__", "__builtins__", "__subclasses__", "__reduce__", "__reduce_ex__"),
    *(
        "f_back",
        "f_locals",
        "f_globals",
        "f_builtins",
        "tb_frame",
        "tb_next",
        "gi_frame",
        "cr_frame",
        "cell_contents",
    ),
    *("__traceback__", "__torch_function__", "__torch_dispatch__", "_make_subclass", "_make_wrapper_subclass"),
}
_TENSOR_METHODS = {
    *(
        "cpu",
        "cuda",
        "numpy",
        "item",
        "tolist",
        "clone",
        "detach",
        "data_ptr",
        "elapsed_time",
        "synchronize",
        "record",
    ),
    *("untyped_storage", "storage", "contiguous", "__class__"),
}
_MODES = (
    "allow_tf32",
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "benchmark",
    "deterministic",
    "enabled",
    "fp32_precision",
)
_MODE_OWNERS = ("torch.backends.", "torch._dynamo.config.", "torch._inductor.config.")
_MODE_CALLS = {
    "torch.set_float32_matmul_precision",
    "torch.set_default_dtype",
    "torch.set_default_device",
    "torch.use_deterministic_algorithms",
    "torch.set_num_threads",
}
_OFF_THE_STREAM = {"torch.cuda.Stream", "torch.cuda.stream", "torch.cuda.CUDAGraph", "torch.cuda.graph"}


@dataclass(frozen=True)
class Sign:
    reason: Reason
    rejects: bool


def signs_of_tampering(tree: ast.Module) -> list[Sign]:
    """In the order of the source's lines, each (rule, line) once."""
    names = _imported_names(tree)
    found: dict[tuple[str, int | None], Sign] = {}
    for node in ast.walk(tree):
        for sign in _signs(node, names):
            found.setdefault((sign.reason.rule, sign.reason.line), sign)
    return sorted(found.values(), key=lambda sign: sign.reason.line or 0)


def _signs(node: ast.AST, names: dict[str, str]) -> Iterator[Sign]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from _import_signs(node)
    elif isinstance(node, ast.Call):
        yield from _call_signs(node, names)
    elif isinstance(node, ast.Attribute):
        yield from _attribute_signs(node, names)
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.For, ast.With)):
        for target in _targets(node):
            yield from _write_signs(target, names)
    elif isinstance(node, ast.ClassDef):
        yield from _class_signs(node, names)
    elif isinstance(node, ast.Try):
        yield from _fallback_signs(node)
    elif isinstance(node, ast.Name) and node.id in ("__builtins__", "__loader__", "__spec__"):
        yield _rejection("interpreter", f"{node.id} {_INTERPRETER}", node)


def _import_signs(node: ast.Import | ast.ImportFrom) -> Iterator[Sign]:
    modules = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        modules = [f"{base}.{alias.name}" for alias in node.names] if not node.level else []
    for module in modules:
        why = _MODULES.get(module.split(".")[0]) or _submodule(module)
        if why is None and module.startswith("os."):
            why = _PROCESSES if module.split(".")[1] not in _OS_ALLOWED else None
        if why is not None:
            yield _rejection("forbidden-import", f"import of {module}, which {why}", node)


def _call_signs(node: ast.Call, names: dict[str, str]) -> Iterator[Sign]:
    called = _resolved(node.func, names)
    if isinstance(node.func, ast.Name) and node.func.id not in names:
        if node.func.id in _BUILTINS:
            yield _rejection("forbidden-call", f"{node.func.id}() {_BUILTINS[node.func.id]}", node)
        if node.func.id == "open":
            yield _rejection("forbidden-call", f"open() {_FILES}", node)
    if called in ("setattr", "delattr") and node.args and _module_root(node.args[0], names):
        yield _rejection("patched-module", f"{called}() on {_module_root(node.args[0], names)} changes it", node)
    if called in ("getattr", "hasattr") and len(node.args) > 1:
        yield from _lookup_signs(node, names)
    if called in ("globals", "vars", "locals") and called not in names:
        yield _warning("computed-name", f"{called}() makes names that can't be read in the source", node)
    if called in ("os.environ.update", "os.environ.setdefault", "os.environ.pop"):
        yield _warning("environment", "writes to os.environ", node)
    if called in _MODE_CALLS:
        yield _warning("global-mode", f"{called}() changes a global mode", node)
    if called in _OFF_THE_STREAM:
        yield _warning("other-stream", f"{called} takes work off the stream that is timed", node)
    if called == "torch.compile":
        yield _warning("torch-compile", "torch.compile lets PyTorch's own compiler do the work", node)


def _lookup_signs(node: ast.Call, names: dict[str, str]) -> Iterator[Sign]:
    """`getattr(x, "name")` is read as `x.name`."""
    owner, name = node.args[0], node.args[1]
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        yield from _attribute_signs(ast.copy_location(ast.Attribute(owner, name.value, ast.Load()), node), names)
    elif _module_root(owner, names):
        root = _module_root(owner, names)
        yield _warning("computed-name", f"an attribute of {root} is looked up under a computed name", node)


def _attribute_signs(node: ast.Attribute, names: dict[str, str]) -> Iterator[Sign]:
    if node.attr in _INTERNALS:
        yield _rejection("interpreter", f".{node.attr} {_INTERPRETER}", node)
    path = _resolved(node, names)
    why = _submodule(path)
    if why is not None:
        yield _rejection("forbidden-call", f"{path} {why}", node)
    if path.startswith("os.") and path.count(".") == 1 and node.attr not in _OS_ALLOWED:
        yield _rejection("forbidden-call", f"{path} reaches processes or files", node)


def _write_signs(target: ast.expr, names: dict[str, str]) -> Iterator[Sign]:
    """Assignments to, and deletions of, what belongs to an imported module."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _write_signs(element, names)
        return
    if isinstance(target, ast.Starred):
        yield from _write_signs(target.value, names)
        return
    if not isinstance(target, (ast.Attribute, ast.Subscript)):
        return
    root = _module_root(target, names)
    path = _resolved(target, names)
    if root == "os" and _resolved(target.value, names) == "os.environ":
        yield _warning("environment", "writes to os.environ", target)
    elif isinstance(target, ast.Attribute) and _is_mode(path):
        yield _warning("global-mode", f"{path} is a global mode", target)
    elif root:
        yield _rejection("patched-module", f"writes to {path or root}, which belongs to {root}", target)
    elif isinstance(target, ast.Attribute) and target.attr in _TENSOR_METHODS and not _is_self(target.value):
        yield _rejection("patched-object", f"replaces .{target.attr} of an object", target)


def _class_signs(node: ast.ClassDef, names: dict[str, str]) -> Iterator[Sign]:
    for base in node.bases:
        path = _resolved(base, names)
        if path == "torch.Tensor":
            yield _rejection("tensor-subclass", f"class {node.name} derives from {path}: results could be lazy", node)
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name in _INTERNALS:
            yield _rejection("tensor-subclass", f"{node.name}.{method.name} intercepts PyTorch's operations", method)


def _fallback_signs(node: ast.Try) -> Iterator[Sign]:
    """A `try` around calls, not around imports, whose handler computes something else."""
    imports = any(isinstance(child, (ast.Import, ast.ImportFrom)) for child in node.body)
    returns = any(isinstance(child, ast.Return) for handler in node.handlers for child in ast.walk(handler))
    if returns and not imports:
        yield _warning(
            "fallback", "another way is taken where the kernel fails: a broken kernel would go unseen", node
        )


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> the dotted path it stands for, through imports and assignments of one name to another."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
                else:
                    names[alias.name.split(".")[0]] = alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}".lstrip(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            path = _resolved(node.value, names)
            if isinstance(node.value, (ast.Name, ast.Attribute)) and path.split(".")[0] in set(names.values()):
                names.setdefault(node.targets[0].id, path)
    return names


def _resolved(node: ast.AST, names: dict[str, str]) -> str:
    """`torch.nn.functional.relu` for `F.relu`; "" for what is no chain of attributes on a name."""
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(attributes)])


def _module_root(node: ast.AST, names: dict[str, str]) -> str:
    """The module that a chain of attributes and subscripts hangs on; "" where it hangs on anything else."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id].split(".")[0]
    return ""


def _submodule(path: str) -> str | None:
    return next((why for name, why in _SUBMODULES.items() if path == name or path.startswith(name + ".")), None)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, (ast.Assign, ast.Delete)):
        return list(node.targets)
    if isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.For)):
        return [node.target]
    if isinstance(node, ast.With):
        return [item.optional_vars for item in node.items if item.optional_vars is not None]
    return []


def _is_mode(path: str) -> bool:
    return path.startswith(_MODE_OWNERS) and (path.split(".")[-1] in _MODES or ".config." in path)


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _rejection(rule: str, message: str, node: ast.AST) -> Sign:
    action = "Take it out: a kernel computes its outputs from its inputs and parameters, and needs nothing else."
    return Sign(Reason(rule, message, getattr(node, "lineno", None), action), rejects=True)


def _warning(rule: str, message: str, node: ast.AST) -> Sign:
    return Sign(Reason(rule, message, getattr(node, "lineno", None)), rejects=False)
