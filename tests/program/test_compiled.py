"""A compiled function gives what the function gives, bit for bit, whatever happens between the calls."""

import functools
import random
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.cases import CASES
from ops.differences import outputs, scalar

import tinygrad_mlp as tg
from tinygrad_mlp.errors import ArgumentError, CompileError, GraphError
from tinygrad_mlp.rules import function_name
from tinygrad_mlp.testing import strategies


def bits(value):
    """The types, dtypes, shapes and bytes of nested results."""
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *map(bits, value)]
    if isinstance(value, dict):
        return {name: bits(item) for name, item in value.items()}
    kind = type(value).__name__
    array = value.data if isinstance(value, tg.Tensor) else value
    return kind, np.asarray(array).dtype, np.shape(array), np.asarray(array).tobytes()


def gradient(f, count):
    return tg.grad(f, tuple(range(count)))


def derivative(case, order):
    """The gradient of a weighted sum of a case's results, or that of a weighted sum of that."""
    count = len(case.arrays)
    first = gradient(lambda *arrays: scalar(outputs(case, arrays), seed=1), count)
    return first if order == 1 else gradient(lambda *arrays: scalar(first(*arrays), seed=2), count)


def standalone(text):
    """Run a program's text where there is nothing but NumPy; the function in it."""
    space = {"__name__": "standalone"}
    exec(compile(text, "<text>", "exec"), space)  # noqa: S102 - text of our own making
    return [value for name, value in space.items() if callable(value) and not name.startswith("_") and name != "np"][-1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", [1, 2])
def test_every_case_of_the_table(order, dtype):
    """Property: compiled ≡ eager ≡ the text, in the first run, in later ones, and on other numbers.

    Second derivatives are written as text in float64 alone, without buffers: they take half of the time.
    """
    texts = (False, True) if order == 1 else (False,) if dtype is np.float64 else ()
    failed = []
    for function, cases in CASES.items():
        for i, case in enumerate(cases):
            f = derivative(case, order)
            arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays]
            others = [a + a.dtype.type(0.0009765625) if a.dtype.kind == "f" else a for a in arrays]
            compiled = tg.compile(f)
            runs = [compiled(*arrays), compiled(*arrays)]
            runs += [standalone(tg.source(compiled, *arrays, buffers=b))(*arrays) for b in texts]
            expected = bits(f(*arrays))
            if any(bits(run)[1:] != expected[1:] for run in runs) or bits(compiled(*others)) != bits(f(*others)):
                failed.append(f"{function_name(function)}, case {i}")
    assert not failed


@given(strategies.programs(), st.data())
def test_random_programs(program, data):
    """Property: the same of random graphs, value and gradient."""
    x = np.array(data.draw(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=4)))
    f = tg.value_and_grad(lambda x: np.sum(program(x, 2 - x)))
    compiled = tg.compile(f)
    for array in (x, x + 1, x[::-1]):
        assert bits(compiled(array)) == bits(f(array))


def test_windows_are_views_whose_memory_is_not_taken_for_another_result():
    """They look at an array by way of an object that is none: nothing writes over it, and edits show in them."""

    def read_late(x):
        windows = np.lib.stride_tricks.sliding_window_view(np.tanh(x), 2)[:, ::-1]
        other = np.exp(np.sin(x))
        return np.sum(windows) + np.sum(other) + windows[0, 0]

    def edited(x):
        y = np.tanh(x)
        windows = np.lib.stride_tricks.sliding_window_view(y, 2)
        y *= 2
        return windows * x[0]

    for f in (read_late, edited):
        compiled = tg.compile(f)
        for x in (np.linspace(0.1, 1, 6), np.linspace(1, 3, 6)):
            for _ in range(3):
                assert bits(compiled(x)) == bits(f(x))


def test_views_of_what_is_left_out_look_at_what_stands_in_its_place():
    """A repeated result is left out; its buffer is not given away before the last view of it has been read."""

    def merged(x):
        left, right = np.tanh(x), np.tanh(x)
        rows = np.broadcast_to(right, (2, *right.shape))
        other = np.sin(left) * 2 + rows[0]
        return other + rows[1] * np.cos(rows[0])

    compiled = tg.compile(merged)
    for x in (np.array([0.25]), np.array([1.0]), np.array([-0.5])):
        assert bits(compiled(x)) == bits(merged(x))


def test_arrays_that_a_function_makes_and_edits_are_what_they_were_at_each_use():
    """Also where a caller edits one that was returned, and where it is not contiguous."""

    def edited(x):
        table = np.zeros(6)[::2]
        early = x + table
        table[1] = 5.0
        return early * (x + table), table

    compiled = tg.compile(edited)
    for x in (np.linspace(0, 1, 3), np.linspace(1, 2, 3), np.linspace(2, 3, 3)):
        found = compiled(x)
        assert bits(found) == bits(edited(x))
        found[1][:] = 9.0


def test_memory_is_read_and_written_in_the_order_of_the_function():
    """Functions of few calls, each of which one mistake with memory makes wrong."""
    constant = np.arange(3.0)

    def edits_a_constant(x):
        table = np.zeros(3)
        early = x + table
        table[1] = 5.0
        return early * (x + table)

    def reads_again(x):
        y = np.tanh(x)
        early = y + 1
        y[0] = 7.0
        return early * (y + 1)

    def copies(x):
        y = np.tanh(x)
        kept = y.copy()
        y *= 2
        return kept + y, np.sin(x).copy() * np.sin(x)

    def reads_late(x):
        y = np.tanh(x)
        view = y[::-1]
        z = np.exp(y)
        other = np.sin(z) * z
        return np.cumsum(other) * np.add(y, view), z

    def small_and_large(x):
        small = np.tanh(x[:1])
        return small * (small + x) + np.multiply(small, np.ones((3, 3)))

    def products(x):
        m = np.tanh(np.multiply.outer(x, x))
        return np.matmul(np.matmul(m, m), np.cos(m)) * constant * 2

    def twice(x):
        return x * 2, x * 2, np.tanh(x) * 1.0

    def views_of_what_is_merged(x):
        left, right = np.tanh(x), np.tanh(x)
        first, second = left[:2], right[1:]
        return np.sin(first) * 2 + np.cos(second) * first * second

    for f in (
        edits_a_constant,
        reads_again,
        copies,
        reads_late,
        small_and_large,
        products,
        twice,
        views_of_what_is_merged,
    ):
        compiled = tg.compile(f)
        held = [(compiled(x), f(x)) for x in (np.linspace(0.1, 1, 3), np.linspace(2, 3, 3), np.linspace(-1, 1, 3))]
        assert all(bits(a) == bits(b) for a, b in held), f.__name__


class Net(tg.nn.Module):
    """With everything that changes from call to call: dropout, running statistics, a setting, a frozen buffer."""

    def __init__(self):
        self.fc1 = tg.nn.Linear(4, 6, rng=0)
        self.norm = tg.nn.BatchNorm1d(6)
        self.dropout = tg.nn.Dropout(0.5, rng=1)
        self.fc2 = tg.nn.Linear(6, 3, rng=2)
        self.scale = 2.0
        self.shift = np.zeros(3, np.float32)

    def forward(self, x):
        return self.fc2(self.dropout(tg.relu(self.norm(self.fc1(x))))) * self.scale + self.shift


def make():
    """A network, and its loss with the gradients of the parameters."""
    net = Net()
    factor = np.ones(3, np.float32)

    def step(x, y):
        loss = tg.cross_entropy(net(x) * factor, y)
        parameters = [p for p in net.parameters() if p.requires_grad]
        return loss, tg.gradients(loss, parameters) if parameters else ()

    return net, factor, step


def edit(net, factor, draw):
    """Do something to a network behind the back of what was compiled from it."""
    parameter = list(net.parameters())[draw(st.integers(0, 5))]
    what = draw(st.sampled_from(sorted(CHANGES)))
    CHANGES[what](net, parameter, factor)
    return what


def replace_layer(net, parameter, factor):
    net.fc1 = tg.nn.Linear(4, 6, rng=7)


CHANGES = {
    "nothing": lambda net, p, factor: None,
    "edit a parameter": lambda net, p, factor: p.data.__imul__(np.float32(0.5)),
    "replace its data": lambda net, p, factor: setattr(p, "data", p.data * 2),
    "replace it in another order": lambda net, p, factor: setattr(p, "data", np.asfortranarray(p.data + 1)),
    "freeze it": lambda net, p, factor: setattr(p, "requires_grad", False),
    "thaw it": lambda net, p, factor: setattr(p, "requires_grad", True),
    "evaluate": lambda net, p, factor: net.eval(),
    "train": lambda net, p, factor: net.train(),
    "a setting": lambda net, p, factor: setattr(net, "scale", net.scale + 1),
    "edit a buffer": lambda net, p, factor: net.shift.__iadd__(np.float32(1)),
    "replace a buffer": lambda net, p, factor: setattr(net, "shift", net.shift - 1),
    "edit a closed-over array": lambda net, p, factor: factor.__iadd__(np.float32(1)),
    "replace a layer": replace_layer,
    "momentum": lambda net, p, factor: setattr(net.norm, "momentum", 0.3),
    "probability": lambda net, p, factor: setattr(net.dropout, "p", 0.25),
}


@given(st.data())
def test_nothing_that_changes_between_calls_is_missed(data):
    """Property: a compiled step and an eager one on a twin stay equal through any edits, modes, shapes and layouts."""
    (net, factor, step), (twin, twin_factor, eager) = make(), make()
    compiled = tg.compile(step)
    rng = np.random.default_rng(0)
    for _ in range(6):
        what = edit(net, factor, data.draw)
        n = data.draw(st.sampled_from([4, 7]))
        x, y = rng.normal(size=(n, 4)).astype(np.float32), rng.integers(0, 3, n)
        if data.draw(st.booleans()):
            x = np.asfortranarray(x)
        repeat(twin, twin_factor, what, net)
        assert bits(compiled(x, y)) == bits(eager(x, y))
        assert all(
            np.array_equal(a, b) for a, b in zip(net.state_dict().values(), twin.state_dict().values(), strict=True)
        )


def repeat(twin, twin_factor, what, net):
    """Bring the twin to the state of the network."""
    if what == "replace a layer":
        replace_layer(twin, None, None)
    if what == "edit a closed-over array":
        twin_factor += np.float32(1)
    for (_, a), (_, b) in zip(net.named_parameters(), twin.named_parameters(), strict=True):
        b.data = a.data.copy(order="K")
        b.requires_grad = a.requires_grad
    twin.shift = net.shift.copy()
    twin.scale, twin.norm.momentum, twin.dropout.p = net.scale, net.norm.momentum, net.dropout.p
    twin.train(net.training)


def test_results_are_the_callers_own():
    """Property: a later call leaves the results of an earlier one as they were, and no two share memory."""
    f = tg.compile(lambda x: (x * 2, x.T, x + 0, x + 0, np.sum(x)))
    x = np.arange(6.0).reshape(2, 3)
    for _ in range(3):
        held = f(x)
        before = bits(held)
        f(x + 1)
        assert bits(held) == before
        assert not any(np.shares_memory(a, b) for a, b in zip(held[:1] + held[2:3], held[2:4], strict=False))


def test_a_branch_on_a_rebound_variable_is_taken_anew():
    power = 2

    def f(x):
        return x**power if power > 1 else x

    compiled = tg.compile(f)
    assert compiled(np.array([3.0])) == 9
    power = 1
    assert compiled(np.array([3.0])) == 3


def test_a_compiled_function_differentiates_as_the_function():
    """Inside grad it steps aside; as a result outside, it refuses backward instead of losing the gradient."""
    f = tg.compile(lambda x: np.sum(x**3))
    assert tg.grad(f)(np.array([2.0])) == 12
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    compiled = tg.compile(lambda x: np.sum(w * x))
    for _ in range(2):
        result = compiled(np.ones(2))
        assert result.requires_grad
    for use in (lambda: result.backward(), lambda: tg.gradients(result + np.sum(w), w)):
        with pytest.raises(
            GraphError, match=r"ops were not recorded. Compile the whole, tg.compile\(tg.value_and_grad"
        ):
            use()


def branch(x):
    return x if x.sum() > 0 else -x


def as_float(x):
    return x * float(x[0])


def as_int(x):
    return x * int(x[0])


def item(x):
    return x * x.sum().item()


def as_array(x):
    return np.sum(np.asarray(x))


def length(x):
    return x[: x.astype(int)[0]]


def in_a_range(x):
    return sum(x[i] for i in range(x.astype(int)[0]))


def test_what_would_freeze_a_value_is_refused_by_line():
    """Property: by name and line, in a function of arrays and in one that is differentiated."""
    for f in (branch, as_float, as_int, item, as_array, length, in_a_range):
        place = rf"compile at .*test_compiled.py:{f.__code__.co_firstlineno + 1}: "
        with pytest.raises(CompileError, match=place):
            tg.compile(f)(np.array([2.0, 1.0]))
        for error, message, functions in [
            (CompileError, place, (branch, as_int)),
            (GraphError, "whose gradient would be lost", (as_float, item)),  # compiled or not
        ]:
            if f in functions:
                with pytest.raises(error, match=message):
                    tg.compile(tg.grad(lambda x, f=f: np.sum(f(x))))(np.array([2.0, 1.0]))


def test_what_the_function_changes_in_python_is_refused():
    calls, net = [], Net()

    def counts(x):
        calls.append(1)
        return x * len(calls)

    def remembers(x):
        net.last = x * 2
        return net.last

    def trains(x):
        np.sum(net(x)).backward()
        return x

    for f in (counts, remembers):
        with pytest.raises(CompileError, match="that the function changes"):
            tg.compile(f)(np.ones((5, 4), np.float32))
    with pytest.raises(CompileError, match=r"backward\(\) inside the function"):
        tg.compile(trains)(np.ones((5, 4), np.float32))


def test_draws_from_the_generators_that_all_share_are_refused_and_put_back():
    """A program would add the same numbers in each run."""
    for draw in (np.random.random, lambda: np.random.normal(size=3), random.random):  # noqa: NPY002
        np.random.seed(7)  # noqa: NPY002
        random.seed(7)
        expected = draw()
        np.random.seed(7)  # noqa: NPY002
        random.seed(7)
        with pytest.raises(CompileError, match=r"the generator that .* has for all"):
            tg.compile(lambda x, draw=draw: x + draw())(np.ones(3))
        assert np.array_equal(draw(), expected)


def test_a_refused_run_leaves_generators_and_statistics_as_they_were():
    net, twin = Net(), Net()
    with pytest.raises(CompileError):
        tg.compile(lambda x: float(np.sum(net(x))))(np.ones((5, 4), np.float32))
    assert bits(list(net.state_dict().values())) == bits(list(twin.state_dict().values()))
    assert net.dropout.rng.random() == twin.dropout.rng.random()


def test_bad_targets_are_refused_in_every_run():
    compiled = tg.compile(lambda z, y: tg.cross_entropy(z, y))
    z = np.zeros((3, 2))
    for good in (True, True):
        compiled(z, np.array([0, 1, 1]))
        assert good
    for bad in ([0, 1, 2], [0, -1, 1]):
        with pytest.raises(ArgumentError, match="class numbers from 0 to 1"):
            compiled(z, np.array(bad))


def test_programs_are_bounded_and_told():
    f = tg.compile(lambda x: x + 1)
    assert repr(f).endswith("# 0 programs")
    for n in range(50):
        f(np.zeros(n))
    assert len(f.programs) == 32
    f(np.zeros(49))
    assert len(f.programs) == 32


def test_threads_do_not_share_buffers():
    """Property: many threads in the same program, each with its own numbers, get their own results."""
    f = tg.compile(lambda x: np.sum(np.tanh(x @ x.T) * 2, axis=0))
    arrays = [np.random.default_rng(i).normal(size=(40, 40)) for i in range(8)]
    expected = [bits(f(a)) for a in arrays]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(50) if bits(f(arrays[i])) != expected[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_text_runs_where_this_package_is_not():
    """Property: `source` needs NumPy alone, and gives the same bits in another process."""
    model = tg.nn.MLP(6, 5, 3, rng=0)

    def loss(images, labels):
        return tg.cross_entropy(model(images), labels)

    def step(images, labels):
        value = loss(images, labels)
        return value, *tg.gradients(value, list(model.parameters()))

    x, y = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1])
    text = tg.source(step, x, y)
    arrays = [x, y, *(p.data for p in model.parameters())]
    given = [(a.tobytes().hex(), str(a.dtype), a.shape) for a in arrays]
    script = (
        f"import sys; sys.modules['tinygrad_mlp'] = None\n{text}\n"
        f"arrays = [np.frombuffer(bytes.fromhex(h), d).reshape(s) for h, d, s in {given}]\n"
        "print(*[np.asarray(r).tobytes().hex() for r in step(*arrays)])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    expected = [np.asarray(getattr(r, "data", r)).tobytes().hex() for r in map(plain, step(x, y))]
    assert run.stdout.split() == expected


def plain(value):
    return value.data if isinstance(value, tg.Tensor) else value


def test_partials_methods_and_containers_of_arrays_are_read_anew():
    table = {"a": np.array([1.0]), "b": [np.array([2.0])]}

    def f(x, y):
        return x * table["a"] + table["b"][0] * y

    compiled = tg.compile(functools.partial(f, y=np.array([1.0])))
    assert compiled(np.array([1.0])) == 3
    table["a"] = np.array([5.0])
    table["b"][0][0] = 7.0
    assert compiled(np.array([1.0])) == 12


def test_shapes_that_depend_on_values_are_noticed():
    """Property: a mask that picks another number of elements gives what the function gives, draws included."""
    rng, twin = np.random.default_rng(0), np.random.default_rng(0)

    def f(rng):
        def mean_of_positive(x):
            noise = rng.random(x.shape)
            chosen = (x + noise)[x > 0]
            return np.sum(chosen) / len(chosen), np.repeat(x, (x > 1).astype(int))

        return mean_of_positive

    compiled, eager = tg.compile(f(rng)), f(twin)
    for x in ([1.0, -1.0, 2.0], [3.0, -2.0, 1.5], [1.0, 2.0, 3.0], [0.5, -1.0, 3.0]):
        assert bits(compiled(np.array(x))) == bits(eager(np.array(x)))


def test_a_graph_that_was_recorded_before_outlives_the_writing_of_a_program():
    """Property: notes in the places of parameters are no change of them."""
    model, x = tg.nn.MLP(4, 3, 2, rng=0), np.ones((5, 4), np.float32)
    before = np.sum(model(x) ** 2)
    tg.compile(model)(x)
    before.backward()
    assert model.fc1.weight.grad is not None


def test_a_statistic_that_a_program_has_moved_on_is_a_change():
    """A graph that used running statistics before a compiled training run refuses backward, as after an eager one."""
    net = tg.nn.Sequential(tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2, rng=0))
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    train = tg.compile(lambda x: net(x))
    for _ in range(2):
        net.eval()
        before = np.sum(net(tg.Tensor(x, requires_grad=True)))
        net.train()
        train(x)
        with pytest.raises(GraphError, match="changed in place afterwards"):
            before.backward()


def test_a_copy_that_takes_the_name_of_its_original_copies_it():
    """The text with buffers gives a name anew only after what had it has been read."""

    def f(x):
        front = np.tanh(x.T)
        front = front.copy()
        return np.sum(np.exp(front), axis=0)

    x = np.arange(6.0).reshape(2, 3)
    text = tg.source(f, x, buffers=True)
    assert text.count("front = ") == 2
    assert bits(standalone(text)(x)) == bits(f(x))
