"""The text of a class is known by the same hash to every Python: records and jobs go from machine to machine.

Nothing here needs a compiled package, so `.ci/versions` runs it under the other Pythons that are declared; there the package
itself refuses to be imported, on a machine of another kind.
"""

import ast
import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parent.parent / "benchmark" / "source_code.py"
spec = importlib.util.spec_from_file_location("source_code_alone", FILE)
assert spec is not None and spec.loader is not None
source_code = importlib.util.module_from_spec(spec)
spec.loader.exec_module(source_code)

TEXT = """
def margin(a, /, b: int = 1, *rest, c=None, **others) -> "float":
    match b:
        case None | True:
            return a[1:, ...] if not c else f"{a!r:>{b}} of {c}"
        case {"k": [x, *_], **left}:
            yield from (i async for i in x if i)
    return -1.5e3


class Loss(Base, metaclass=Meta):
    rate: float

    @staticmethod
    async def step():
        with open(b"x") as f, g:
            lambda: (yield)
"""
WRITTEN = (  # as Python 3.11's `ast.dump` writes it
    "FunctionDef(name='margin', args=arguments(posonlyargs=[arg(arg='a')], args=[arg(arg='b', annotation="
    "Name(id='int', ctx=Load()))], vararg=arg(arg='rest'), kwonlyargs=[arg(arg='c')], kw_defaults=[Consta"
    "nt(value=None)], kwarg=arg(arg='others'), defaults=[Constant(value=1)]), body=[Match(subject=Name(id"
    "='b', ctx=Load()), cases=[match_case(pattern=MatchOr(patterns=[MatchSingleton(value=None), MatchSing"
    "leton(value=True)]), body=[Return(value=IfExp(test=UnaryOp(op=Not(), operand=Name(id='c', ctx=Load()"
    ")), body=Subscript(value=Name(id='a', ctx=Load()), slice=Tuple(elts=[Slice(lower=Constant(value=1)),"
    " Constant(value=Ellipsis)], ctx=Load()), ctx=Load()), orelse=JoinedStr(values=[FormattedValue(value="
    "Name(id='a', ctx=Load()), conversion=114, format_spec=JoinedStr(values=[Constant(value='>'), Formatt"
    "edValue(value=Name(id='b', ctx=Load()), conversion=-1)])), Constant(value=' of '), FormattedValue(va"
    "lue=Name(id='c', ctx=Load()), conversion=-1)])))]), match_case(pattern=MatchMapping(keys=[Constant(v"
    "alue='k')], patterns=[MatchSequence(patterns=[MatchAs(name='x'), MatchStar()])], rest='left'), body="
    "[Expr(value=YieldFrom(value=GeneratorExp(elt=Name(id='i', ctx=Load()), generators=[comprehension(tar"
    "get=Name(id='i', ctx=Store()), iter=Name(id='x', ctx=Load()), ifs=[Name(id='i', ctx=Load())], is_asy"
    "nc=1)])))])]), Return(value=UnaryOp(op=USub(), operand=Constant(value=1500.0)))], decorator_list=[],"
    " returns=Constant(value='float'))\n"
    "ClassDef(name='Loss', bases=[Name(id='Base', ctx=Load())], keywords=[keyword(arg='metaclass', value="
    "Name(id='Meta', ctx=Load()))], body=[AnnAssign(target=Name(id='rate', ctx=Store()), annotation=Name("
    "id='float', ctx=Load()), simple=1), AsyncFunctionDef(name='step', args=arguments(posonlyargs=[], arg"
    "s=[], kwonlyargs=[], kw_defaults=[], defaults=[]), body=[With(items=[withitem(context_expr=Call(func"
    "=Name(id='open', ctx=Load()), args=[Constant(value=b'x')], keywords=[]), optional_vars=Name(id='f', "
    "ctx=Store())), withitem(context_expr=Name(id='g', ctx=Load()))], body=[Expr(value=Lambda(args=argume"
    "nts(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]), body=Yield()))])], decorat"
    "or_list=[Name(id='staticmethod', ctx=Load())])], decorator_list=[])"
)


def test_a_tree_is_written_alike_by_every_python() -> None:
    assert "\n".join(map(source_code.write_tree, ast.parse(TEXT).body)) == WRITTEN


def test_fields_that_later_pythons_added_count_only_where_something_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    function = ast.parse(TEXT).body[0]
    before = source_code.write_tree(function)
    if "type_params" not in ast.FunctionDef._fields:
        monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "type_params"))
    function.type_params = []  # type: ignore[attr-defined]
    assert source_code.write_tree(function) == before
    function.type_params = [ast.Name("T", ast.Load())]  # type: ignore[attr-defined]
    assert source_code.write_tree(function) == f"{before[:-1]}, type_params=[Name(id='T', ctx=Load())])"


def test_another_statement_is_another_hash_and_another_comment_is_not(tmp_path: Path) -> None:
    found = []
    for number, text in enumerate((TEXT, "# words\n" + TEXT, TEXT.replace("1.5e3", "1.5e4"))):
        (tmp_path / f"{number}.py").write_text(text)
        found.append(source_code.hash_statements((tmp_path / f"{number}.py",)))
    assert found[0] == found[1] != found[2]
