"""A failure prints a script, and the script fails in the same way."""

import subprocess
import sys
import textwrap
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given

from tinygrad_mlp.testing import GradientError, check_grads, strategies
from tinygrad_mlp.testing.reproduction import literal, matching_lambda, script

HELPER = np.array([1.0, 2.0])


def run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], input=code, text=True, capture_output=True, check=False, **options
    )


@given(strategies.arrays(strategies.shapes(min_side=0, max_side=3)))
def test_literal_round_trip(array):
    """The printed array is the array: values, shape and dtype."""
    for original in (array, array.astype(np.float32), array > 0, array.astype(np.int64)):
        again = eval(literal(original), {"np": np})  # noqa: S307 - our own text
        assert again.dtype == original.dtype
        assert np.array_equal(again, original)


def test_literal_of_special_values():
    """NaN, infinities and full precision survive."""
    array = np.array([np.nan, np.inf, -np.inf, 0.1, 1e-300])
    assert np.array_equal(eval(literal(array), {"np": np}), array, equal_nan=True)  # noqa: S307 - our own text
    assert literal([np.float32, (1,), np.array(2.0)]) == "[np.float32, (1,), np.array(2.)]"


def test_script_names_the_function():
    """NumPy's and our functions stand by name, lambdas as they are, local functions with what they close over."""
    factor, table = 2.0, np.array([1.0, 2.0])

    def scaled(x):
        return x * factor + table

    assert "check_grads(np.linalg.inv, np.array(1.))" in script(np.linalg.inv, [np.array(1.0)], "check_grads", {})
    twice = script(lambda x: x * 2, [3], "check_grads", {"order": 1})  # older pytests move what stands in an assert
    assert "(lambda x: x * 2, 3, order=1)" in twice.replace("((", "(")
    code = script(scaled, [HELPER], "check_grads", {})
    assert "factor = 2.0\n" in code
    assert "table = np.array([1., 2.])\n" in code
    assert "def scaled(x):\n    return x * factor + table\n" in code
    assert run(code, "-").returncode == 0


def test_the_right_lambda_of_a_line_is_found():
    """Of several lambdas that begin on a line, nested or alike, each is told by where its code stands."""
    outer, same, alike = lambda x: lambda y: y * x, lambda x: x + 1, lambda x: x + 1.0
    functions = [
        outer, outer(3), same, alike,
        lambda x:
            x * 2
            + 1,
    ]  # fmt: skip
    assert list(map(matching_lambda, functions)) == [
        "lambda x: lambda y: y * x", "lambda y: y * x", "lambda x: x + 1", "lambda x: x + 1.0", "lambda x: x * 2 + 1",
    ]  # fmt: skip
    assert matching_lambda(eval("lambda x: x")) is None  # noqa: S307 - a lambda without source


def test_large_arrays_are_not_printed():
    """What nobody would read is replaced by its shape."""
    assert "default_rng(0).normal(size=(100, 100))" in script(np.sin, [np.zeros((100, 100))], "check_grads", {})


def cube_root(x):
    return np.cbrt(x) * SIZE


def derivative_of_cube_root(g, out, x):
    return weighted(g) / (3 * out * out)


def weighted(g):
    return g * SIZE


SIZE = 2.0


def test_script_defines_an_op_and_its_rules(op):
    """Helpers, constants and rules are defined before they are used, also for a rule that is a lambda among lambdas."""
    made = op(cube_root, derivative_of_cube_root)
    product = op(lambda x, y: x * y, lambda g, out, x, y: g * x, lambda g, out, x, y: g * y)
    for function, arrays in ((made, [HELPER]), (lambda x: product(made(x), 3 * x), [HELPER])):
        result = run(script(function, arrays, "check_grads", {}), "-")
        assert "GradientError: Gradients of" in result.stderr


def test_what_has_no_source_is_a_comment():
    """Objects without a Python repr do not break the script."""

    class Callable:
        def __call__(self, x):
            return x

    assert "# f = <" in script(Callable(), [HELPER], "check_grads", {})
    assert "# f = a lambda" in script(eval("lambda x: x"), [HELPER], "check_grads", {})  # noqa: S307 - a lambda without source


def test_script_of_a_failure_fails(op):
    """The script in the report raises the same diagnosis when it is run."""

    def sine_and_nothing(x):
        return np.sin(x.data) if hasattr(x, "requires_grad") else np.sin(x)

    with pytest.raises(GradientError) as caught:
        check_grads(sine_and_nothing, np.array([0.5, 1.0]))
    result = run(caught.value.report.reproduction, "-")
    assert result.returncode != 0
    assert caught.value.report.diagnosis in result.stderr


def test_pytest_shows_the_reproduction_of_the_shrunk_example(tmp_path):
    """A property that fails under pytest and hypothesis prints a script with the shrunk arrays, which runs as it is."""
    test = """
        import numpy as np
        from hypothesis import given, settings

        import tinygrad_mlp as tg
        from tinygrad_mlp.testing import check_grads, strategies

        @tg.rules.primitive
        def softsign(x):
            return x / (1 + np.abs(x))

        tg.rules.derivative(softsign, lambda g, out, x: g / (1 + x) ** 2)

        @settings(database=None, derandomize=True)
        @given(strategies.arrays(strategies.shapes(max_dims=1)))
        def test_softsign(x):
            check_grads(softsign, x, order=1)
    """
    (tmp_path / "test_softsign.py").write_text(textwrap.dedent(test))
    options = ("-q", "-p", "no:cacheprovider", "-W", "ignore", "--color=no")
    result = run("", "-m", "pytest", *options, "test_softsign.py", cwd=tmp_path)
    assert result.returncode == 1
    message = [line[1:] for line in result.stdout.split("\n") if line.startswith("E ")]  # so pytest marks its lines
    after = textwrap.dedent("\n".join(message)).split("To reproduce:\n")[1].split("\n")
    code = textwrap.dedent("\n".join(takewhile(lambda line: line.startswith("    ") or not line, after)))
    assert "check_grads(softsign, np.array(" in code, "the example has been shrunk to one element"
    repeated = run(code, "-")
    assert "GradientError: Gradients of softsign: wrong at order 1." in repeated.stderr
