"""What holds for every optimizer. A new one needs a row in OPTIMIZERS, and its recurrence."""

import copy
import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import optim
from tinygrad_mlp.errors import GraphError
from tinygrad_mlp.optim import SGD, Adam, AdamW, schedules

OPTIMIZERS = {
    "sgd": (SGD, {}),
    "sgd, weight decay": (SGD, {"weight_decay": 0.1}),
    "momentum": (SGD, {"momentum": 0.9}),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True}),
    "nesterov, weight decay": (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (Adam, {}),
    "adam, weight decay": (Adam, {"weight_decay": 0.1}),
    "adamw": (AdamW, {}),
}
every_optimizer = pytest.mark.parametrize(("cls", "options"), OPTIMIZERS.values(), ids=OPTIMIZERS)


def sgd(w, grads, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    b = np.zeros_like(w)
    for g in grads:
        g = g + weight_decay * w
        b = momentum * b + g
        w = w - lr * (g + momentum * b if nesterov else b)
    return w


def adam(w, grads, lr, betas, eps, weight_decay=0.0):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        w = w - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return w


def adamw(w, grads, lr, betas, eps, weight_decay):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        w = w - lr * weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        w = w - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return w


RECURRENCES = {SGD: sgd, Adam: adam, AdamW: adamw}


def test_table_is_complete():
    """Every public optimizer stands in the table and has its recurrence."""
    public = {value for value in vars(optim).values() if isinstance(value, type) and issubclass(value, optim.Optimizer)}
    assert public - {optim.Optimizer} == {cls for cls, _ in OPTIMIZERS.values()} == set(RECURRENCES)


def parameters(rng, dtype=np.float64):
    return [tg.Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True) for shape in [(4, 3), (3,), ()]]


def give_gradients(params, rng):
    for p in params:
        p.grad = np.asarray(rng.normal(size=p.shape)).astype(p.dtype)


def rates(high):
    return st.floats(0, high, allow_subnormal=False)


@st.composite
def hyperparameters(draw, cls):
    options = {"lr": draw(rates(0.5)), "weight_decay": draw(rates(0.5))}
    if cls is SGD:
        options["momentum"] = draw(rates(0.99))
        options["nesterov"] = options["momentum"] > 0 and draw(st.booleans())
    else:
        options["betas"] = draw(st.tuples(rates(0.95), rates(0.9999)))
        options["eps"] = draw(st.floats(1e-8, 1))
    return options


@pytest.mark.parametrize("cls", RECURRENCES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_recurrence(cls, data):
    """Any shapes, settings, dtype, gradients missing now and then: each parameter follows the equation of the book."""
    options = data.draw(hyperparameters(cls))
    dtype, rtol = data.draw(st.sampled_from([(np.float32, 2e-4), (np.float64, 1e-10)]))
    shapes = data.draw(st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=3))
    present = [data.draw(st.lists(st.booleans(), min_size=6, max_size=6)) for _ in shapes]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    starts = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    grads = [[np.asarray(rng.normal(size=shape), dtype) for _ in range(6)] for shape in shapes]

    params = [tg.Tensor(start.copy(), requires_grad=True) for start in map(np.asarray, starts)]
    optimizer = cls(params, **options)
    for step in range(6):
        optimizer.zero_grad()
        for p, gs, flags in zip(params, grads, present, strict=True):
            p.grad = gs[step].copy() if flags[step] else None
        optimizer.step()

    for p, start, gs, flags in zip(params, starts, grads, present, strict=True):
        seen = [np.float64(g) for g, flag in zip(gs, flags, strict=True) if flag]
        expected = RECURRENCES[cls](np.float64(start), seen, **options)
        np.testing.assert_allclose(p.data, expected, rtol=rtol, atol=rtol)
        assert p.dtype == dtype


@every_optimizer
def test_converges_on_a_parabola(cls, options):
    """The minimum of (w - 3)² and of 50 (b + 1)² is found, up to the pull of the weight decay."""
    w, b = tg.Tensor(0.0, requires_grad=True), tg.Tensor([0.0], requires_grad=True)
    optimizer = cls([w, b], schedules.cosine(0.02, 1000), **options)
    for _ in range(1000):
        optimizer.zero_grad()
        ((w - 3) ** 2 + (50 * (b + 1) ** 2).sum()).backward()
        optimizer.step()
    decay = options.get("weight_decay", 0.0)
    np.testing.assert_allclose(w.data, 6 / (2 + decay), rtol=0.01)
    np.testing.assert_allclose(b.data, [-100 / (100 + decay)], rtol=0.01)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_state_round_trip_is_bit_identical(cls, options, dtype):
    """Saved to an npz without pickles and restored into a new optimizer, the run goes on as if never stopped."""
    rng = np.random.default_rng(0)
    params = parameters(rng, dtype)
    lr = schedules.warmup(schedules.cosine(0.1, 20), 5)
    optimizer = cls(params, lr, **options)
    for step in range(7):
        give_gradients(params, rng)
        if step % 2:
            params[1].grad = None
        optimizer.step()
    file = io.BytesIO()
    np.savez(file, **optimizer.state_dict())
    twins = copy.deepcopy(params)
    twin = cls(twins, lr, **options)
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        twin.load_state_dict(dict(saved))
    assert twin.lr == optimizer.lr
    for _ in range(5):
        give_gradients(params, rng)
        for p, q in zip(params, twins, strict=True):
            q.grad = p.grad.copy()
        optimizer.step()
        twin.step()
    for p, q in zip(params, twins, strict=True):
        assert p.data.tobytes() == q.data.tobytes()


@every_optimizer
def test_state_is_copied_out_and_in(cls, options):
    """Neither a saved state nor a loaded one changes with the optimizer."""
    rng = np.random.default_rng(0)
    params = parameters(rng)
    optimizer = cls(params, 0.1, **options)
    give_gradients(params, rng)
    optimizer.step()
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    optimizer.load_state_dict(state)
    optimizer.step()
    assert state.keys() == before.keys()
    assert all(np.array_equal(state[name], before[name]) for name in state)


@every_optimizer
@pytest.mark.parametrize("lr", [np.float64(0.1), lambda step: np.float64(0.1)], ids=["number", "schedule"])
def test_float32_stays_float32(cls, options, lr):
    """A learning rate or setting of NumPy's float64 gives the same bits as a Python float."""
    runs = []
    for rate, wrap in [(lr, np.float64), (0.1, float)]:
        rng = np.random.default_rng(0)
        params = parameters(rng, np.float32)
        strong = {name: wrap(value) if isinstance(value, float) else value for name, value in options.items()}
        optimizer = cls(params, rate, **strong)
        for _ in range(3):
            give_gradients(params, rng)
            optimizer.step()
        assert all(p.dtype == np.float32 for p in params)
        assert all(flat.dtype == np.float32 for block in optimizer.blocks for flat in block.buffers.values())
        runs.append([p.data.tobytes() for p in params])
    assert runs[0] == runs[1]


@every_optimizer
def test_arguments_are_left_alone(cls, options):
    """Groups, lists, settings and gradients of the caller are as before; the data arrays are edited in place."""
    rng = np.random.default_rng(0)
    params = parameters(rng)
    lists = [params[:2], params[2:]]
    groups = [{"params": lists[0], "lr": 0.5}, {"params": lists[1], "weight_decay": 0.3}]
    before = [dict(group) for group in groups]
    optimizer = cls(groups, 0.1, **options)
    give_gradients(params, rng)
    data, grads = [p.data for p in params], [p.grad for p in params]
    values, kept = [d.copy() for d in data], [g.copy() for g in grads]
    optimizer.step()
    optimizer.lr = 0.7
    assert groups == before
    assert groups[0]["params"] is lists[0]
    assert [len(members) for members in lists] == [2, 1]
    for p, d, g, value, copied in zip(params, data, grads, values, kept, strict=True):
        assert p.data is d
        assert p.grad is g
        assert np.array_equal(g, copied)
        assert not np.array_equal(d, value)


@every_optimizer
def test_no_allocation_in_steady_state(cls, options):
    """Once running, a step allocates nothing of the size of a parameter (80 kB here), and keeps nothing."""
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.normal(size=(100, 100)), requires_grad=True)
    optimizer = cls([w], schedules.cosine(0.1, 100), **options)
    give_gradients([w], rng)
    optimizer.step()
    tracemalloc.start()
    try:
        optimizer.step()
        start, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(30):
            optimizer.step()
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - start < 1_000
    assert peak - start < 10_000


@every_optimizer
def test_data_may_be_replaced(cls, options):
    """A new array under ``data``, of any memory layout, is what the next step edits."""
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.normal(size=(4, 3)), requires_grad=True)
    twin = tg.Tensor(w.data.copy(), requires_grad=True)
    optimizer, plain = cls([w], 0.1, **options), cls([twin], 0.1, **options)
    for _ in range(3):
        give_gradients([w], rng)
        twin.grad = w.grad.copy()
        w.data = np.asfortranarray(w.data)
        w.grad = np.repeat(w.grad, 2, axis=1)[:, ::2]
        optimizer.step()
        plain.step()
    assert np.array_equal(w.data, twin.data)


@every_optimizer
def test_all_at_once_equals_one_by_one(cls, options):
    """A parameter without gradient, or of another dtype, changes no bit of how the others are updated."""
    rng = np.random.default_rng(0)
    params = parameters(rng)
    twins = copy.deepcopy(params)
    idle, single = tg.Tensor([1.0], requires_grad=True), tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    together = cls(params, 0.1, **options)
    apart = cls([twins[0], idle, twins[1], single, twins[2]], 0.1, **options)
    for _ in range(4):
        give_gradients([*params, single], rng)
        for p, q in zip(params, twins, strict=True):
            q.grad = p.grad.copy()
        together.step()
        apart.step()
    assert [p.data.tobytes() for p in params] == [q.data.tobytes() for q in twins]
    assert idle.data.tolist() == [1.0]
    assert single.dtype == np.float32
    assert not np.array_equal(single.data, np.ones(2))


@every_optimizer
def test_deep_copy_goes_its_own_way(cls, options):
    """Copied together with its parameters, an optimizer goes on as the original does, and does not touch it."""
    rng = np.random.default_rng(0)
    params = parameters(rng)
    optimizer = cls(params, 0.1, **options)
    give_gradients(params, rng)
    optimizer.step()
    twins, twin = copy.deepcopy((params, optimizer))
    give_gradients(params, rng)
    for p, q in zip(params, twins, strict=True):
        q.grad = p.grad.copy()
    before = [p.data.tobytes() for p in params]
    twin.step()
    assert [p.data.tobytes() for p in params] == before
    optimizer.step()
    assert [p.data.tobytes() for p in params] == [q.data.tobytes() for q in twins]


@every_optimizer
def test_a_recorded_graph_notices_the_step(cls, options):
    """Backward through a graph that has used a parameter before the step refuses."""
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = cls([w], 0.1, **options)
    loss = (w * w).sum()
    w.grad = np.ones(2)
    optimizer.step()
    with pytest.raises(GraphError):
        loss.backward()


@every_optimizer
def test_gradients_of_any_size(cls, options):
    """What is in range of float16 or float32 updates as it does in float64: nothing over- or underflows on the way."""
    for dtype, sizes in ((np.float16, (1e-7, 100.0, 6e4)), (np.float32, (1e-15, 1e19))):
        for size in sizes:
            w, wide = (tg.Tensor(np.zeros(3, d), requires_grad=True) for d in (dtype, np.float64))
            lr = 0.01 if cls is not SGD else 0.01 / size
            own = {"weight_decay": 0.0} if cls is SGD else {"eps": 0.0}
            optimizers = [cls([p], lr, **{**options, **own}) for p in (w, wide)]
            for _ in range(50):
                w.grad = np.array([size, -size, 0.5 * size], dtype)
                wide.grad = w.grad.astype(float)
                with np.errstate(invalid="ignore", divide="ignore"):
                    for optimizer in optimizers:
                        optimizer.step()
            np.testing.assert_allclose(w.data, wide.data, rtol=2e-2 if dtype == np.float16 else 1e-4)


@every_optimizer
def test_zero_learning_rate_moves_nothing(cls, options):
    """With lr = 0 every parameter keeps its bits."""
    rng = np.random.default_rng(0)
    params = parameters(rng)
    before = [p.data.tobytes() for p in params]
    optimizer = cls(params, 0.0, **options)
    for _ in range(3):
        give_gradients(params, rng)
        optimizer.step()
    assert [p.data.tobytes() for p in params] == before
