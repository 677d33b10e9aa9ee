"""Plants one small mistake after another in the safety layer, and counts which the tests notice.

    python test/tools/mutants.py --sample 100 --seed 0

Each mutant lives in a process of its own, forked before the safety layer is imported; the tests of
its module run in it until the first one fails. Mutants that no test can tell from the original are
listed with the reason in test/equivalent_mutants.yaml. Two canaries fly ahead for each module: one
that is as it was, which its tests must pass, and one that answers nothing and refuses nothing,
which they must notice. Ends with 1 where a canary misbehaves, no mutant was chosen or one was not
executed, where one lives that is not listed, and where one's tests came to no verdict: they took
too long, or pytest ended otherwise than by a test, and not because of what was planted.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import hypothesis  # noqa: F401  # for the children: imported once, not by each
import numpy as np
import pytest
import yaml
from budgets import TIER

ROOT = Path(__file__).resolve().parent.parent.parent
EQUIVALENT = ROOT / 'test/equivalent_mutants.yaml'
SAFETY = 'quad_learner.safety.'
RULES = tuple(
    f'test/safety/test_{name}.py'
    for name in (
        *('arbiter', 'latching', 'bounds', 'modes', 'place', 'boxed', 'body_monitors', 'monitors'),
        *('shaking', 'health', 'request_numbers', 'mode_table', 'motors', 'lateness', 'core'),
        'storm',
    )
)
"""the tests of what the modules decide together, the quick ones first"""
TESTS: dict[str, tuple[str, ...]] = {
    f'{SAFETY}limits': (
        *(f'test/safety/test_{name}.py' for name in ('limits', 'bounds', 'core', 'storm')),
    ),
    f'{SAFETY}core': ('test/safety/test_core.py', *RULES),
    f'{SAFETY}arbiter': RULES,
    f'{SAFETY}monitors': ('test/safety/test_monitors.py', *RULES),
    f'{SAFETY}motors': ('test/safety/test_motors.py', 'test/safety/test_monitors.py'),
    f'{SAFETY}modes': ('test/safety/test_modes.py', 'test/safety/test_arbiter.py'),
    f'{SAFETY}config': ('test/safety/test_config.py',),
    'quad_learner.robot.sink': (
        'test/robot/test_sink_bounds.py',
        'test/robot/test_sink_writers.py',
        'test/robot/test_sink.py',
    ),
}
"""the tests that are asked of each module; state.py holds no statement that could be wrong"""
FIRST_ARGUMENTS = (
    *('-q', '-x', '-p', 'no:junitxml', '-p', 'no:randomly', '-p', 'no:cacheprovider'),
    *('--assert=plain', '--hypothesis-seed=0', '--confcutdir=test/safety', '-m', 'not slow'),
)
KILLED, LIVES, TIMEOUT, CRASHED = 'killed', 'lives', 'timed out', 'crashed'
AT_IMPORT = 'killed at import'
NO_VERDICT = (LIVES, TIMEOUT, CRASHED)
"""ends that nobody may have"""
PASSED, FAILED = 0, 1
"""exit codes of pytest; the others are no verdict on a test"""
NOT_IMPORTED, NOT_RUN = 97, 99
"""exit codes of our own: a file did not get past its imports; pytest did not come to its end"""

COMPARE = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.Pow: ast.Mult,
}  # fmt: skip
EXTREMES = {
    'min': 'max', 'max': 'min', 'minimum': 'maximum', 'maximum': 'minimum', 'any': 'all',
    'all': 'any',
}  # fmt: skip
DECLARED = frozenset({'parameter'})
"""calls whose arguments are words and bounds for people, checked by reading"""


class Mutant(NamedTuple):
    """One mistake."""

    module: str
    operator: str
    number: int
    """among the sites of the module"""
    line: int
    name: str
    """module, function and the change: what equivalents are listed by"""


class Site(NamedTuple):
    """A place where a mistake can be planted."""

    operator: str
    node: ast.AST
    scope: str
    plant: Callable[[], None]


def sites(tree: ast.Module) -> Iterator[Site]:
    """Yields every place of a module, in order."""
    yield from _visit(tree, '', lambda new: None)


def _visit(node: ast.AST, scope: str, put: Callable[[ast.AST], None]) -> Iterator[Site]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        scope = f'{scope}.{node.name}'.strip('.')
    if isinstance(node, ast.Call) and getattr(node.func, 'id', '') in DECLARED:
        return
    for operator, plant in _plants(node, put):
        yield Site(operator, node, scope, plant)
    for field, value in ast.iter_fields(node):
        if field in ('annotation', 'returns', 'decorator_list', 'bases', 'type_params'):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not _is_words(child):
                yield from _visit(child, scope, _putter(node, field, value, index))


def _putter(node: ast.AST, field: str, value: Any, index: int) -> Callable[[ast.AST], None]:
    if isinstance(value, list):
        return lambda new: value.__setitem__(index, new)
    return lambda new: setattr(node, field, new)


def _is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _plants(
    node: ast.AST, put: Callable[[ast.AST], None]
) -> Iterator[tuple[str, Callable[[], None]]]:
    if isinstance(node, ast.Compare):
        for table, operator in ((COMPARE, 'comparison'), (BOUNDARY, 'boundary')):
            for index, old in enumerate(node.ops):
                if type(old) in table:
                    yield operator, _setter(node.ops, index, table[type(old)]())
    elif isinstance(node, ast.Call):
        yield from _call_plants(node)
    elif isinstance(node, ast.UnaryOp):
        yield 'dropped sign', lambda: put(node.operand)
    elif isinstance(node, ast.expr):
        yield from _value_plants(node)
    else:
        yield from _statement_plants(node, put)


def _value_plants(node: ast.expr) -> Iterator[tuple[str, Callable[[], None]]]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        new = ARITHMETIC[type(node.op)]()
        yield 'arithmetic', lambda: setattr(node, 'op', new)
    if isinstance(node, ast.IfExp):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield 'negated condition', lambda: setattr(node, 'test', negated)
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield 'boolean', lambda: setattr(node, 'op', other)
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        changed = not node.value if isinstance(node.value, bool) else node.value * 2 + 1
        yield 'constant', lambda: setattr(node, 'value', changed)


def _statement_plants(
    node: ast.AST, put: Callable[[ast.AST], None]
) -> Iterator[tuple[str, Callable[[], None]]]:
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        new = ARITHMETIC[type(node.op)]()
        yield 'arithmetic', lambda: setattr(node, 'op', new)
    if isinstance(node, ast.Return) and getattr(node.value, 'value', node) is not None:
        yield 'return', lambda: setattr(node, 'value', ast.Constant(None))
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Break)):
        yield 'removed statement', lambda: put(ast.Pass())
    if isinstance(node, (ast.If, ast.While)):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield 'negated condition', lambda: setattr(node, 'test', negated)


def _call_plants(node: ast.Call) -> Iterator[tuple[str, Callable[[], None]]]:
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if len(node.args) >= 2 and not starred:
        swapped = [node.args[1], node.args[0], *node.args[2:]]
        if getattr(node.func, 'attr', getattr(node.func, 'id', '')) not in EXTREMES:
            yield 'swapped argument', lambda: setattr(node, 'args', swapped)
    for field in ('attr', 'id'):
        name = getattr(node.func, field, '')
        if name in EXTREMES:
            yield 'min and max', _renamer(node.func, field, EXTREMES[name])


def _setter(values: list[Any], index: int, new: Any) -> Callable[[], None]:
    return lambda: values.__setitem__(index, new)


def _renamer(node: ast.AST, field: str, name: str) -> Callable[[], None]:
    return lambda: setattr(node, field, name)


def _source(module: str) -> str:
    return (ROOT / (module.replace('.', '/') + '.py')).read_text()


def mutants_of(module: str) -> list[Mutant]:
    """Returns every mutant of a module."""
    source = _source(module)
    found = []
    for number in range(len(list(sites(ast.parse(source))))):
        site = list(sites(ast.parse(source)))[number]
        before = _one_line(site.node)
        line = getattr(site.node, 'lineno', 0)
        site.plant()
        after = 'pass' if site.operator == 'removed statement' else _one_line(site.node)
        if site.operator == 'dropped sign':
            after = before.lstrip('-~').removeprefix('not ')
        short = module.rsplit('.', 1)[-1]
        name = f'{short}.{site.scope}: {site.operator}: {before} -> {after}'
        found.append(Mutant(module, site.operator, number, line, name))
    return found


def _one_line(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text.split('\n', 1)[0]


def planted(mutant: Mutant) -> str:
    """Returns the source of the module with the mistake in it."""
    tree = ast.parse(_source(mutant.module))
    list(sites(tree))[mutant.number].plant()
    return ast.unparse(ast.fix_missing_locations(tree))


class _Loader(importlib.abc.SourceLoader):
    """Gives one module from changed source."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def get_filename(self, fullname: str) -> str:
        return str(ROOT / (self.name.replace('.', '/') + '.py'))

    def get_data(self, path: str) -> bytes:
        return self.source.encode()

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self)


class _Imports:
    """A plugin of pytest: notes whether a file with tests was found and could not be imported."""

    failed = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Hears of each file."""
        self.failed |= report.failed


def run(module: str, source: str, seconds: float) -> str:
    """Returns what became of a module with `source`, in a process of its own."""
    child = os.fork()
    if child == 0:
        _die_by_test(module, source)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            known = {PASSED: LIVES, FAILED: KILLED, NOT_IMPORTED: AT_IMPORT}
            return known.get(code, CRASHED)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMEOUT


def _die_by_test(module: str, source: str) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = NOT_RUN
    try:
        loader = _Loader(module, source)
        sys.meta_path.insert(0, loader)
        sys.dont_write_bytecode = True
        imports = _Imports()
        code = int(pytest.main([*FIRST_ARGUMENTS, *TESTS[module]], plugins=[imports]))
        if code not in (PASSED, FAILED) and (imports.failed or not _is_importable(module)):
            code = NOT_IMPORTED
    finally:
        os._exit(code)


def _is_importable(module: str) -> bool:
    """Tells whether all that is tested can be imported beside `module`, which it may ask of it."""
    try:
        for name in (module, *TESTS):
            importlib.import_module(name)
    except Exception:
        return False
    return True


def canaries(module: str, seconds: float) -> list[str]:
    """Returns what is wrong with the measuring itself, where `module` is concerned."""
    wrong = []
    same = run(module, ast.unparse(ast.parse(_source(module))), seconds)
    if same != LIVES:
        wrong.append(f'{module}: {same} as it is: its tests do not run, or do not pass')
    dumb = run(module, dumbed(module), seconds)
    if dumb != KILLED:
        wrong.append(f'{module}: {dumb} where it answers nothing and refuses nothing')
    return wrong


def dumbed(module: str) -> str:
    """Returns the source of a module whose functions return None and raise nothing."""
    tree = ast.parse(_source(module))
    for site in list(sites(tree)):
        if site.operator == 'return' or isinstance(site.node, ast.Raise):
            site.plant()
    return ast.unparse(ast.fix_missing_locations(tree))


def main() -> int:
    """Plants, counts, prints; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sample', type=int, help='so many mutants, drawn at random; else all')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--seconds', type=float, default=300.0, help='that one may take')
    parser.add_argument('--only', default='', help='mutants whose name has this in it')
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ[TIER] = 'mutants'
    assert not any(name.startswith(SAFETY) for name in sys.modules), 'imported before the fork'
    everything = [mutant for module in TESTS for mutant in mutants_of(module)]
    chosen = [mutant for mutant in everything if options.only in mutant.name]
    if options.sample is not None:
        order = np.random.default_rng(options.seed).permutation(len(chosen))
        chosen = [chosen[i] for i in sorted(order[: options.sample])]
    concerned = dict.fromkeys(mutant.module for mutant in chosen)
    wrong = [word for module in concerned for word in canaries(module, options.seconds)]
    if wrong or not chosen:
        print('\n'.join(wrong) or 'no mutant was chosen')
        return 1
    ends: Counter[str] = Counter()
    families = Counter(mutant.operator for mutant in everything)
    # Several mistakes may have one name: each entry excuses one of them, no more.
    equivalent = Counter(entry['mutant'] for entry in yaml.safe_load(EQUIVALENT.read_text()))
    for mutant in chosen:
        end = run(mutant.module, planted(mutant), options.seconds)
        if end == LIVES and equivalent[mutant.name]:
            end = 'equivalent'
            equivalent[mutant.name] -= 1
        ends[end] += 1
        if end in NO_VERDICT:
            print(f'{end}: line {mutant.line}: {mutant.name}', flush=True)
    print(f'{len(families)} operator families: {dict(families)}')
    print(f'mutants: discovered {len(everything)}, chosen {len(chosen)}, {dict(ends)}')
    print(f'executed {ends.total()}, expected {len(chosen)}; {2 * len(concerned)} canaries behave')
    return 1 if ends.total() != len(chosen) or any(ends[end] for end in NO_VERDICT) else 0


if __name__ == '__main__':
    sys.exit(main())
