"""`debug`: where a NaN was born, locks on what the graph keeps, and the lines that made Tensors."""

import contextlib
import gc
import sys
import threading
import traceback
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import graph, tensor
from tinygrad_mlp.debugging import locks
from tinygrad_mlp.errors import GraphError, NonFiniteError


@pytest.fixture(autouse=True)
def nothing_stays_locked():
    yield
    gc.collect()
    assert not locks.held


@contextlib.contextmanager
def without_collector():
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def leaf(*values, name=None, dtype=np.float64):
    return tg.Tensor(np.array(values, dtype), requires_grad=True, name=name)


def message_of(run, error=NonFiniteError):
    with pytest.raises(error) as caught, tg.debug():
        run()
    return str(caught.value)


def line_after(function, offset):
    """``file:line`` of a line of a function, counted from its ``def``."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno + offset}"


# -- forward -----------------------------------------------------------------------------------------------------------


def test_the_first_op_with_a_non_finite_result_raises():
    x = leaf(1.0, -4.0, 0.0, name="x")

    def run():
        y = np.log(x * 2 + 0)
        return np.sum(np.exp(y))

    assert message_of(run) == (
        f"np.log at {line_after(run, 1)}: expected a finite result of finite operands, got 1 NaN and 1 inf in shape "
        "(3,). Operands: Tensor from np.add of shape (3,), float64, min -8, max 2, mean -2."
    )


def test_ops_that_are_not_recorded_are_watched_too():
    def run():
        with tg.no_grad():
            return tg.Tensor([3e38], requires_grad=True).astype(np.float32) * np.float32(10)

    assert "np.multiply at " in message_of(run)
    assert "Operands: Tensor of shape (1,), float32, min 3e+38" in message_of(run)


def test_the_module_path_is_named():
    model = tg.nn.MLP(2, 3, 2, rng=np.random.default_rng(0))
    model.fc2.weight.data[...] = 3e38

    def run():
        tg.cross_entropy(model(np.full((1, 2), 1e3, np.float32)), np.array([0]))

    message = message_of(run)
    assert message.startswith(f"np.matmul in MLP.fc2 at {line_after(run, 1)}: ")
    assert "leaf Tensor 'weight' of shape (3, 2), float32, min 3e+38, max 3e+38, mean 3e+38." in message


def test_what_was_not_finite_before_is_named_as_such():
    w = leaf(np.nan, 1.0, name="w")
    message = message_of(lambda: np.sum(w * 2))
    assert "np.multiply at " in message
    assert "expected finite operands, got one that was not finite before: leaf Tensor 'w' of shape (2,)" in message
    assert "min 1, max 1, mean 1, 1 NaN and 0 inf. No op in this debug() made it" in message
    x = leaf(1.0)
    assert "before: array of shape (1,), float64, 0 NaN and 1 inf." in message_of(lambda: x + np.array([np.inf]))
    assert "before: inf." in message_of(lambda: x + np.inf)
    assert "before: array of shape (1,)" in message_of(lambda: np.concatenate([x, np.array([np.nan])]))


def test_a_nan_loss_is_found():
    x, targets = leaf(1.0), np.array([np.nan])
    assert "got one that was not finite before: array" in message_of(lambda: tg.mse_loss(x, targets))


@given(st.integers(0, 5), st.integers(0, 5))
def test_the_first_of_several_is_the_one(first, second):
    """Property: of several divisions by zero, the one that runs first raises, with its line."""
    where = []

    def run():
        for i in range(6):
            bottom = np.array([0.0 if i in (first, second) else 1.0])
            where.append(i)
            leaf(1.0) / bottom

    assert message_of(run).startswith(f"np.divide at {line_after(run, 4)}: ")
    assert where[-1] == min(first, second)


def test_finite_integers_and_empty_arrays_pass():
    with tg.debug():
        np.sum(leaf() * 2)
        np.sum(leaf(1.0, 2.0)[np.array([0, 1, 1])]).backward()
        assert np.exp(leaf(-np.inf)).data[0] == 0


# -- backward ----------------------------------------------------------------------------------------------------------


def test_a_rule_that_gives_a_non_finite_gradient_raises():
    x = leaf(0.0, 4.0, name="x")

    def run():
        y = np.sqrt(x)
        np.sum(y).backward()

    message = message_of(run)
    assert message.startswith(f"backward of np.sqrt at {line_after(run, 1)}: expected a finite gradient from finite ")
    assert "got 0 NaN and 1 inf in that of leaf Tensor 'x'. Operands: leaf Tensor 'x' of shape (2,)" in message
    assert "result: Tensor from np.sqrt of shape (2,), float64, min 0, max 2, mean 1. Keep the operands" in message
    assert x.grad is None


def test_backward_of_what_was_computed_outside_names_the_op():
    y = np.sum(np.sqrt(leaf(0.0)))
    assert message_of(y.backward).startswith("backward of np.sqrt: ")


def test_a_seed_that_is_not_finite():
    y = leaf(1.0) * 2
    message = message_of(lambda: y.backward(np.array([np.nan])))
    assert "expected a finite gradient to start with, got array of shape (1,), float64, 1 NaN and 0 inf." in message


def test_a_sum_of_gradients_that_overflows():
    x = leaf(1e-3, dtype=np.float32)

    def run():
        y = x * 1.0
        np.sum(y * np.float32(3e38) + y * np.float32(3e38)).backward()

    message = message_of(run)
    assert message.startswith("backward of np.multiply at ")
    assert "expected a finite sum of the gradients that reach Tensor from np.multiply, got an overflow." in message


def test_transforms_are_watched():
    assert message_of(lambda: tg.grad(np.sqrt)(0.0)).startswith("backward of np.sqrt at ")
    assert message_of(lambda: tg.grad(tg.grad(np.sqrt))(0.0)).startswith("np.divide at ")


# -- the place it raises at --------------------------------------------------------------------------------------------


def test_the_traceback_ends_at_the_users_line():
    def run():
        with tg.debug():
            np.log(leaf(0.0))

    with pytest.raises(NonFiniteError) as caught:
        run()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert f"{last.filename}:{last.lineno}" == line_after(run, 2)


def test_other_errors_keep_their_traceback():
    with pytest.raises(GraphError) as caught, tg.debug():
        tg.Tensor(1.0).backward()
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "seed_gradient"


# -- locks -------------------------------------------------------------------------------------------------------------


def test_overwriting_what_the_graph_keeps_raises():
    x, c = leaf(1.0, 2.0), np.ones(2)
    with tg.debug():
        y = np.exp(x * c)[np.array([0, 1])]
        for array in (x.data, c, y.data):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        y.backward(np.ones(2))
        for array in (x.data, c, y.data):
            array[0] = 0


def test_locks_end_when_the_graph_dies_without_the_collector():
    x = leaf(1.0, 2.0)
    with without_collector(), tg.debug():
        y = x * x
        z = np.sum(x * 3)
        died = weakref.ref(y)
        del y
        assert died() is None
        assert not x.data.flags.writeable
        del z
        assert x.data.flags.writeable


def test_locks_last_beyond_the_context_and_nest():
    x = leaf(1.0, 2.0)
    with tg.debug():
        with tg.debug():
            y = x * 2
        z = x * 3
    with pytest.raises(ValueError, match="read-only"):
        x.data += 1
    y.backward(np.ones(2))
    assert not x.data.flags.writeable
    z.backward(np.ones(2))
    assert x.data.flags.writeable


def test_an_exception_that_leaves_the_context_ends_its_locks():
    x = leaf(1.0, 0.0)
    kept = []

    def run():
        kept.append(x * x)
        np.log(kept[0])

    message_of(run)
    x.data[...] = 1.0
    assert kept[0].node.trace is not None


def test_retained_graphs_stay_locked():
    x = leaf(1.0, 2.0)
    with tg.debug():
        y = np.sum(x * x)
        y.backward(retain_graph=True)
        assert not x.data.flags.writeable
        y.backward()
        assert x.data.flags.writeable


def test_arrays_that_were_read_only_stay_so():
    x = leaf(1.0, 2.0)
    x.data.flags.writeable = False
    with tg.debug():
        np.sum(x * x).backward()
    assert not x.data.flags.writeable


@given(st.permutations(range(4)))
def test_views_and_their_bases_unlock_in_any_order(order):
    """Property: whichever graphs die first, all arrays are writable in the end, and locked while one keeps them."""
    base = np.arange(1.0, 5.0)
    square, turned = base.reshape(2, 2), base.reshape(2, 2).T
    operands = [base, square, turned, base[1:]]
    with tg.debug():
        graphs = {i: tg.Tensor(array, requires_grad=True) * 2 for i, array in enumerate(operands)}
        for i in order:
            assert not operands[i].flags.writeable
            assert base.flags.writeable == (set(graphs) <= {3})
            del graphs[i]
    assert all(array.flags.writeable for array in operands)


def test_training_works_inside():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 4)).astype(np.float32), np.arange(6) % 3
    runs = []
    for context in (tg.debug(), contextlib.nullcontext()):
        model = tg.nn.MLP(4, 8, 3, rng=np.random.default_rng(1))
        optimizer = tg.optim.AdamW(model.parameters(), 1e-2)
        with context:
            for _ in range(3):
                optimizer.zero_grad()
                tg.cross_entropy(model(x), y).backward()
                optimizer.step()
        runs.append([p.data for p in model.parameters()])
    for inside, outside in zip(*runs, strict=True):
        np.testing.assert_array_equal(inside, outside)
        assert inside.flags.writeable


# -- lines -------------------------------------------------------------------------------------------------------------


def test_a_second_backward_names_the_tensor_that_outlived_the_first_and_its_line():
    x = leaf(1.0, 2.0)

    def run():
        kept = x * 2
        for _ in range(2):
            np.sum(kept * kept).backward()

    message = message_of(run, GraphError)
    assert f"got a Tensor (the result of np.multiply, shape (2,), made at {line_after(run, 1)}) whose graph" in message


# -- the context -------------------------------------------------------------------------------------------------------


def settings():
    return tensor.observer.get(), graph.backward_observer.get(), np.geterr()


def test_the_context_is_left_as_it_was_found():
    before = settings()
    with tg.debug():
        inside = settings()
        with tg.debug():
            assert settings() != inside
        assert settings() == inside
    with pytest.raises(ZeroDivisionError), tg.debug():
        raise ZeroDivisionError
    assert settings() == before
    assert tensor.observer.get() is None


def test_other_threads_are_not_watched():
    results = []

    def elsewhere():
        with np.errstate(all="ignore"):
            results.append(np.log(leaf(0.0)))

    with tg.debug():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert results[0].node.trace is None


def test_each_thread_counts_its_locks():
    x = leaf(*np.arange(1.0, 50.0))
    errors = []

    def work():
        try:
            with tg.debug():
                for _ in range(50):
                    np.sum(x * x)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert x.data.flags.writeable


def test_nothing_is_traced_outside():
    y = leaf(1.0) * 2
    assert y.node.trace is None
    assert y.data.flags.writeable
