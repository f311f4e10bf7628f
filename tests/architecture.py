"""The rules about the shape of the code, as functions from modules to what breaks them.

A rule reads sources with `ast` and imports nothing. `tests/test_architecture.py` applies each to
our own code, and to a planted violation that it must find.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ("wire", "policies", "broker", "clients")

# What a package may see of ours. Broker and clients never see each other: so no broker code can
# open a report, and no client relies on how a broker works inside.
MAY_SEE = {
    "wire": {"wire"},
    "policies": {"policies", "wire"},
    "broker": {"broker", "policies", "wire"},
    "clients": {"clients", "policies", "wire"},
}
NOT_IN_THE_PRODUCT = {"tests", "benchmarks", "examples"}

# Writing down never depends on what was decided; deciding never waits for an analysis.
NEVER_SEES = {
    "broker.journal": {"broker.deciding", "broker.intake", "broker.release", "policies"},
    "broker": {"policies.analyse"},
    "policies.decide": {"policies.analyse"},
    "policies.layers": {"policies.analyse"},
}

# A dangerous thing has one home.
ONE_HOME: Mapping[str, set[str]] = {
    "aiosqlite": {"broker.journal"},
    "sqlite3": {"broker.journal", "clients.evidence.store", "clients.witness.heads"},
    "cedarpy": {"policies"},
    "z3": {"policies.analyse"},
    "httpx": {"clients.push.receiver", "clients.transport", "clients.witness.remote"},
    "fastapi": {"broker.api", "broker.app", "clients.gateway"},
    "starlette": {"broker.api", "broker.app", "clients.gateway"},
    "uvicorn": {"broker.server", "broker.protocol", "clients.gateway", "clients.listening"},
    "cryptography.hazmat.primitives.hpke": {"clients.seal", "clients.open", "clients.keys"},
    "cryptography.cobblestone": {"clients.seal", "clients.open", "clients.keys"},
    "msgspec": {
        *("broker.deciding", "broker.held", "policies.facts"),
        *("wire.links", "wire.pages", "wire.strict_json"),
        *("clients.evidence.examining", "clients.evidence.facts"),
    },
    "reportlab": {"clients.evidence.disclosure_pdf"},
    "pickle": set(),
    "marshal": set(),
    "shelve": set(),
}

# Signed or foreign JSON passes one gate. The others read what this machine wrote itself, or
# public data, and say so here.
ONE_GATE = {
    "wire.strict_json": "the gate",
    "policies.adopting": "its parent's question",
    "broker.settings": "the operator's own file, as TOML",
    "broker.rebuilding": "rows of its own journal, bound to their entries",
    "broker.sheets": "what it wrote itself, under its own key",
    "broker.lineage": "labels that passed the gate when they were accepted",
    "clients.follower": "its own store, sealed",
    "clients.demo.scenario": "the scenario's own tables, and public data",
}

# What is imported by name, when it is needed, is imported here.
BY_NAME = {
    "clients": "the names of the library, each from its module",
    "clients.cli.main": "the commands of its table",
}
IMPORTERS = {"__import__", "import_module", "resolve_name"}

# The core computes: time, random bytes and files are arguments.
PURE = {"wire", "policies", "clients.seal", "clients.open", "clients.keys", "clients.padding"}
NOT_PURE = {"policies.analyse.child": "a program of its own: it reads its standard input"}
IMPURE_MODULES = {
    *("aiosqlite", "anyio", "asyncio", "fastapi", "fcntl", "glob", "http", "httpx", "logging"),
    *("multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil", "signal"),
    *("socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"),
    *("uuid", "warnings", "importlib", "concurrent"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
IMPURE_METHODS = {
    *("now", "utcnow", "today", "urandom", "generate", "generate_key", "generate_private_key"),
    *("read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "getenv"),
}

# A type that proves a check is made in one place only.
MAKERS = {
    "Claim": {"wire.verify"},
    "Member": {"wire.effects", "wire.members"},
    "VerifiedReport": {"wire.verify"},
    "VerifiedPortion": {"wire.verify"},
    "VerifiedEntry": {"wire.prove"},
    "Examined": {"clients.evidence.examining"},
    "OpenedCheckpoint": {"wire.notes"},
    "ConfirmedCheckpoint": {"wire.witness"},
    "Decision": {"policies.decide"},
    "OpenedReport": {"clients.open"},
    "OpenedPortion": {"clients.open"},
    "OpenedAttachment": {"clients.open"},
}

FILE_LINES = 400
FUNCTION_LINES = 50
LONG = re.compile(r"# long: \w")
"""What stands on the `def` line of a longer function, with the reason."""

Sources = Mapping[str, str]
"""Module name -> source."""


def sources() -> dict[str, str]:
    """Our own code."""
    found = {}
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path.read_text()
    return found


def within(name: str, roots: set[str] | Mapping[str, str]) -> bool:
    """Whether a dotted name is one of the roots or inside one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


@cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Everything in the tree; walked once, for all rules."""
    return tuple(ast.walk(tree))


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that is imported, wherever in the module, with its line."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module or ''}.{a.name}", node.lineno) for a in node.names)


def trees(code: Sources) -> Iterator[tuple[str, ast.Module]]:
    """Every module, parsed."""
    for name, source in code.items():
        yield name, _parsed(source)


_parsed = cache(ast.parse)


def arrows(code: Sources) -> Iterator[str]:
    """Packages see each other one way."""
    for module, tree in trees(code):
        allowed = MAY_SEE[module.partition(".")[0]]
        never = {n for where, names in NEVER_SEES.items() if within(module, {where}) for n in names}
        for name, line in imports(tree):
            ours = within(name, {*OURS, *NOT_IN_THE_PRODUCT})
            if (ours and not within(name, allowed)) or within(name, never):
                yield f"{module}:{line} sees {name}"


def one_home(code: Sources) -> Iterator[str]:
    """Dangerous libraries are imported in their home only."""
    for module, tree in trees(code):
        for name, line in imports(tree):
            for thing, homes in ONE_HOME.items():
                if within(name, {thing}) and not within(module, homes):
                    yield f"{module}:{line} imports {name}"


def one_gate(code: Sources) -> Iterator[str]:
    """JSON is parsed by `wire.strict_json`, or where a reason says why not."""
    for module, tree in trees(code):
        if module in ONE_GATE:
            continue
        for node in nodes(tree):
            if isinstance(node, ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else ""
                if node.attr == "model_validate_json" or (
                    owner == "json" and node.attr in {"load", "loads", "JSONDecoder"}
                ):
                    yield f"{module}:{node.lineno} parses JSON past the gate"
        for name, line in imports(tree):
            if name in {"json.load", "json.loads", "pydantic_core.from_json"}:
                yield f"{module}:{line} imports {name}"


def pure(code: Sources) -> Iterator[str]:
    """The core has no async, clock, files, sockets, randomness or logging."""
    for module, tree in trees(code):
        if within(module, PURE) and module not in NOT_PURE:
            for name, line in imports(tree):
                if within(name, IMPURE_MODULES):
                    yield f"{module}:{line} imports {name}"
            for node in nodes(tree):
                if what := _impure(node):
                    yield f"{module}:{node.lineno} {what}"  # type: ignore[attr-defined]


def _impure(node: ast.AST) -> str | None:
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "waits"
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in IMPURE_METHODS:
            return f"calls .{attr}"
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            return f"calls {name}"
        case ast.Global():
            return "keeps state in a global"
    return None


def plain_imports(code: Sources) -> Iterator[str]:
    """No relative imports, none hidden in functions or by name, none of a star."""
    for module, tree in trees(code):
        for node in nodes(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                yield f"{module}:{node.lineno} is relative"
            if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names):
                yield f"{module}:{node.lineno} imports a star"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        yield f"{module}:{inner.lineno} is hidden in a function"
            if _name(node) in IMPORTERS and module not in BY_NAME:
                yield f"{module}:{node.lineno} imports by name"  # type: ignore[attr-defined]


def _name(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
            return name
    return None


def no_cycles(code: Sources) -> Iterator[str]:
    """Modules can be put in an order in which each sees only earlier ones."""
    waiting = {
        module: {_module(name, code) for name, _ in imports(tree)} & code.keys() - {module}
        for module, tree in trees(code)
    }
    while waiting:
        ready = {m for m, seen in waiting.items() if not seen & waiting.keys()}
        if not ready:
            yield f"cycle among {sorted(waiting)}"
            return
        waiting = {m: seen for m, seen in waiting.items() if m not in ready}


def _module(name: str, code: Sources) -> str:
    """The module that an imported name is, or that defines it."""
    return name if name in code else name.rpartition(".")[0]


def one_maker(code: Sources) -> Iterator[str]:
    """Types that prove a check are made by their maker, and every such type is listed."""
    for module, tree in trees(code):
        for node in nodes(tree):
            if isinstance(node, ast.ClassDef) and _is_proof(node) and node.name not in MAKERS:
                yield f"{module}:{node.lineno} {node.name} has no maker"
            if isinstance(node, ast.Attribute) and node.attr == "_make":
                owner = node.value.id if isinstance(node.value, ast.Name) else ""
                if owner not in {"self", "cls"} and module not in MAKERS.get(owner, set()):
                    yield f"{module}:{node.lineno} makes {owner or 'something'}"


def _is_proof(node: ast.ClassDef) -> bool:
    return any(ast.unparse(k.value).endswith("OnlyByMaker") for k in node.keywords)


def short_functions(code: Sources) -> Iterator[str]:
    """A function fits a screen, or says on its `def` line why not."""
    for module, tree in trees(code):
        lines = code[module].splitlines()
        for node in nodes(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES and not LONG.search(lines[node.lineno - 1]):
                    yield f"{module}:{node.lineno} {node.name} has {length} lines"


def short_files(code: Sources) -> Iterator[str]:
    """A file is read from top to bottom in one sitting."""
    for module, source in code.items():
        length = len(source.splitlines())
        if length > FILE_LINES:
            yield f"{module} has {length} lines"


Rule = Callable[[Sources], Iterator[str]]
RULES: tuple[Rule, ...] = (
    arrows,
    one_home,
    one_gate,
    pure,
    plain_imports,
    no_cycles,
    one_maker,
    short_functions,
    short_files,
)
