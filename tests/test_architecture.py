"""The shape of the code: which way imports point, and where dangerous things live."""

import pytest

from tests import architecture
from tests.architecture import MAKERS, MAY_SEE, ONE_GATE, ONE_HOME, PURE, RULES, Rule

CODE = architecture.sources()

PLANTED: list[tuple[Rule, dict[str, str]]] = [
    (architecture.arrows, {"wire.x": "from policies import decide"}),
    (architecture.arrows, {"wire.x": "import broker.core"}),
    (architecture.arrows, {"policies.x": "from clients.seal import seal"}),
    (architecture.arrows, {"policies.x": "import broker"}),
    (architecture.arrows, {"broker.x": "from clients import open"}),
    (architecture.arrows, {"broker.x": "def f():\n    import clients.keys"}),
    (architecture.arrows, {"clients.x": "from broker.journal import Journal"}),
    (architecture.arrows, {"clients.cli.x": "import tests.coalition"}),
    (architecture.arrows, {"broker.journal.x": "from broker.intake import accept"}),
    (architecture.arrows, {"broker.journal.x": "from policies.decide import Decision"}),
    (architecture.arrows, {"broker.release": "from policies.analyse.space import Space"}),
    (architecture.arrows, {"policies.decide": "from policies.analyse import matrix"}),
    (architecture.one_home, {"policies.lint": "import z3"}),
    *(
        (architecture.one_home, {"broker.x": f"import {thing}"})
        for thing in ONE_HOME
        if thing != "uvicorn"
    ),
    (architecture.one_home, {"clients.x": "from uvicorn import Config"}),
    (architecture.one_home, {"broker.intake": "from cryptography.hazmat.primitives import hpke"}),
    (architecture.one_home, {"clients.subscriber": "from cryptography import cobblestone"}),
    (architecture.one_home, {"wire.x": "import sqlite3"}),
    (architecture.one_gate, {"broker.x": "import json\njson.loads(b'')"}),
    (architecture.one_gate, {"clients.x": "from json import loads"}),
    (architecture.one_gate, {"wire.x": "Label.model_validate_json(raw)"}),
    (architecture.one_gate, {"wire.x": "from pydantic_core import from_json"}),
    (architecture.pure, {"wire.x": "import time"}),
    (architecture.pure, {"wire.x": "from pathlib import Path"}),
    (architecture.pure, {"wire.x": "import os"}),
    (architecture.pure, {"wire.x": "import logging"}),
    (architecture.pure, {"wire.x": "from socket import socket"}),
    (architecture.pure, {"wire.x": "import secrets"}),
    (architecture.pure, {"wire.x": "import random"}),
    (architecture.pure, {"wire.x": "import asyncio"}),
    (architecture.pure, {"wire.x": "async def f(): pass"}),
    (architecture.pure, {"wire.x": "from datetime import datetime\ndatetime.now()"}),
    (architecture.pure, {"policies.x": "print('decided')"}),
    (architecture.pure, {"policies.x": "open('policy')"}),
    (architecture.pure, {"policies.x": "def f(p): return p.read_text()"}),
    (architecture.pure, {"clients.seal": "from os import urandom"}),
    (architecture.pure, {"wire.x": "Ed25519PrivateKey.generate()"}),
    (architecture.pure, {"wire.x": "def f():\n    global cache"}),
    (architecture.plain_imports, {"wire.x": "from . import report"}),
    (architecture.plain_imports, {"broker.x": "from ..clients import keys"}),
    (architecture.plain_imports, {"wire.x": "from wire.report import *"}),
    (architecture.plain_imports, {"broker.x": "def f():\n    import wire.report"}),
    (architecture.plain_imports, {"broker.x": "class A:\n    def f(self):\n        import json"}),
    (architecture.plain_imports, {"broker.x": "importlib.import_module('clients.keys')"}),
    (architecture.plain_imports, {"broker.x": "__import__('clients.keys')"}),
    (architecture.plain_imports, {"broker.x": "from pkgutil import resolve_name as f\nf('x')"}),
    (
        architecture.plain_imports,
        {"clients.x": "from importlib import import_module\nimport_module('x')"},
    ),
    (architecture.plain_imports, {"clients.x": "pkgutil.resolve_name('clients.keys')"}),
    (architecture.no_cycles, {"wire.a": "import wire.b", "wire.b": "from wire import a"}),
    (architecture.no_cycles, {"wire.a": "def f(): import wire.b", "wire.b": "import wire.a"}),
    (
        architecture.no_cycles,
        {"wire.a": "from wire.b import x", "wire.b": "import wire.c", "wire.c": "import wire.a"},
    ),
    (architecture.one_maker, {"broker.x": "VerifiedReport._make(frame=frame)"}),
    (architecture.one_maker, {"broker.x": "make = Member._make"}),
    (architecture.one_maker, {"wire.verify": "wire.members.Member._make()"}),
    (architecture.one_maker, {"wire.x": "class Proof(metaclass=OnlyByMaker): pass"}),
    (architecture.short_functions, {"wire.x": "def f():\n" + "    x = 1\n" * 50}),
    (architecture.short_functions, {"wire.x": "async def f():\n" + "    x = 1\n" * 50}),
    (architecture.short_functions, {"wire.x": "def f():  # long:\n" + "    x = 1\n" * 50}),
    (architecture.short_functions, {"wire.x": "class A:\n  def f(self):\n" + "    x = 1\n" * 50}),
    (architecture.short_files, {"wire.x": "x = 1\n" * 401}),
]


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_our_code_keeps_the_rule(rule: Rule) -> None:
    assert not list(rule(CODE))


@pytest.mark.parametrize(("rule", "planted"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, planted: dict[str, str]) -> None:
    """A rule that finds nothing must be one that could."""
    assert list(rule(planted))


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _ in PLANTED} == set(RULES)


def test_what_the_rules_name_exists() -> None:
    """A rule about a module that was renamed would guard nothing."""
    packages = {name.partition(".")[0] for name in CODE}
    assert packages == set(MAY_SEE)
    homes = {home for found in ONE_HOME.values() for home in found} - {"clients.gateway"}
    makers = {maker for found in MAKERS.values() for maker in found}
    for name in (*homes, *makers, *ONE_GATE, *PURE, *architecture.NOT_PURE, *architecture.BY_NAME):
        assert name in CODE, name
    for name in architecture.NEVER_SEES:
        assert name in CODE, name


def test_a_long_function_may_say_why() -> None:
    source = "def f():  # long: a table\n" + "    x = 1\n" * 50
    assert not list(architecture.short_functions({"wire.x": source}))


def test_policy_texts_stand_beside_the_code_and_hold_none() -> None:
    for folder in ("library", "examples", "cases"):
        assert not list((architecture.ROOT / "policies" / folder).rglob("*.py"))
