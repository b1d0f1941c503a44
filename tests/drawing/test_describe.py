"""What pictures say about graphs."""

import itertools
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.drawing import op_labels
from tinygrad_mlp.drawing.describe import describe, study
from tinygrad_mlp.drawing.picture import Kind, State
from tinygrad_mlp.drawing.rule_errors import rule_errors
from tinygrad_mlp.drawing.styles import THEMES
from tinygrad_mlp.errors import ArgumentError, GraphError, ShapeError
from tinygrad_mlp.graph import topological_order
from tinygrad_mlp.testing import strategies


def mlp_loss(model=None, n=4):
    model = model or tg.nn.MLP(6, 5, 3, rng=0)
    return tg.cross_entropy(model(np.linspace(-1, 1, n * 6, dtype=np.float32).reshape(n, 6)), np.arange(n) % 3)


def box(picture, title):
    found = [b for b in picture.boxes if b.title == title]
    assert len(found) == 1, [b.title for b in picture.boxes]
    return found[0]


def leaf(*values, name=None):
    return tg.Tensor(np.array(values, float), requires_grad=True, name=name)


@given(strategies.programs(), st.booleans())
def test_drawing_changes_nothing(program, grads):
    """Drawing before, between and after two backward passes leaves every value and gradient alone."""

    def run(look):
        leaves = [tg.Tensor(np.array(a), requires_grad=True) for a in ([0.5, -1.0, 2.0], [1.5, 0.25, -0.75])]
        out = np.sum(program(*leaves))
        look(out)
        out.backward(retain_graph=True)
        look(out)
        out.backward()
        return out.data, [x.data for x in leaves], [x.grad for x in leaves]

    plain = run(lambda out: None)
    drawn = run(lambda out: tg.to_dot(out, grads=grads))
    assert str(plain) == str(drawn)


def test_states_of_a_gradient():
    """Not needed, not run, exactly zero, a number, and none though one is required, are five different states."""
    x, dead, blocked = leaf(1.0, 2.0, name="x"), leaf(-1.0, name="dead"), leaf(3.0, name="blocked")
    plain = tg.Tensor([2.0, 2.0], name="plain")
    y = np.sum(x * plain + tg.relu(dead) + np.where(blocked > 0, x, blocked))
    seen = {b.title: b.gradient.state for b in describe(y).boxes if b.kind in (Kind.PARAMETER, Kind.DATA)}
    assert (seen["x"], seen["dead"], seen["plain"]) == (State.NUMBER, State.ZERO, State.NOT_NEEDED)
    before = {b.title: b.gradient.state for b in describe(y, grads=False).boxes}
    assert before["x"] is before["dead"] is State.NOT_RUN
    y.backward(retain_graph=True)
    after = {b.title: b.gradient.state for b in describe(y, grads=False).boxes}
    assert (after["x"], after["dead"]) == (State.NUMBER, State.ZERO)


def test_gradients_on_edges_are_those_of_the_engine():
    """The gradient on the one edge of each parameter has the norm of the parameter's ``grad``."""
    model = tg.nn.MLP(6, 5, 3, rng=0)
    loss = mlp_loss(model)
    picture = describe(loss)
    loss.backward()
    for name, parameter in model.named_parameters():
        (edge,) = [e for e in picture.edges if e.source == box(picture, name).id]
        assert edge.gradient.found.norm == pytest.approx(np.linalg.norm(parameter.grad), rel=1e-5)


def test_an_array_used_twice_has_one_edge_with_the_sum():
    x = leaf(3.0, 0.0, name="x")
    (edge, _) = describe(np.sum(x * x)).edges
    assert (edge.times, edge.gradient.found.norm) == (2, 6.0)


def test_a_scalar_has_one_edge_per_use_and_says_what_its_gradient_adds_up():
    """Signed, as the chain rule adds them: d(a b - a a)/da = b - 2 a."""
    a, b = (tg.Tensor(value, requires_grad=True, name=name) for name, value in (("a", 4.0), ("b", 24.0)))
    picture = describe(a * b - a * a)
    grads = [(e.times, e.gradient.found.mean) for e in picture.edges if e.source == box(picture, "a").id]
    assert grads == [(1, 24.0), (1, -4.0), (1, -4.0)]
    assert sorted(box(picture, "a").gradient.terms) == [-4.0, -4.0, 24.0]
    source = tg.to_dot(a * b - a * a).source
    assert "gradient: 16 = (-4) + (-4) + 24" in source
    assert 'label="multiply\\n96\\ngrad 1"' in source
    assert 'label="multiply\\n16\\ngrad -1"' in source
    assert 'label="subtract\\ngrad 1\\nloss = 80"' in source


def test_a_long_sum_of_scalars_is_cut():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    assert "gradient: 45 = a sum of 10 terms" in tg.to_dot(sum(x * float(i) for i in range(10)), max_nodes=999).source


def test_results_are_called_what_the_user_or_the_document_calls_them():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    y = x * 3.0
    y.name = "energy"
    assert "energy = multiply(·, 3)" in tg.to_dot(np.tanh(y)).source
    source = tg.to_dot(mlp_loss()).source
    assert all(f'label="{name} = ' in source for name in ("a₁", "h", "z"))
    assert [source.count(f" δ{name} ") > 0 for name in ("a₁", "h", "z", "x")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("function", "title"),
    [
        (lambda x: tg.softmax(np.where(np.tri(2, 2) > 0, x, -np.inf), axis=-1).sum(), "where"),
        (lambda x: tg.logsumexp(x + np.array([[0.0, -np.inf], [0.0, 0.0]]), axis=1).sum(), "add"),
        (lambda x: np.exp(tg.log_softmax(x + np.array([[0.0, -np.inf], [0.0, 0.0]]))).sum(), "log_softmax"),
    ],
)
def test_masks_are_no_alarm(function, title):
    """Minus infinity that comes from a constant is there on purpose."""
    x = tg.Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)
    with np.errstate(all="ignore"):
        y = function(x)
    picture = describe(y)
    assert any(b.title.startswith(title) and "masked (-inf)" in b.health for b in picture.boxes)
    assert not any(b.first_trouble for b in picture.boxes)
    assert THEMES["light"].trouble not in tg.to_dot(y, grads=False).source


def test_minus_infinity_that_an_op_makes_is_an_alarm():
    x = tg.Tensor(np.array([0.0, 1.0]), requires_grad=True)
    with np.errstate(all="ignore"):
        y = np.log(x).sum()
    assert box(describe(y), "log").first_trouble


@pytest.mark.parametrize("grads", [True, False])
def test_a_folded_module_that_is_shared_says_what_gradient_its_parameters_get(grads):
    """Of all its calls: the weights are drawn outside, since no single call owns them."""
    layer = tg.nn.Linear(3, 3, rng=0)
    loss = tg.nn.Sequential(layer, layer)(np.ones((2, 3), np.float32)).sum()
    loss.backward(retain_graph=True)
    picture = describe(loss, depth=1, grads=grads)
    folded = [b for b in picture.boxes if b.kind is Kind.MODULE]
    norm = np.sqrt(sum(np.sum(p.grad**2) for p in layer.parameters()))
    assert [b.gradient.found.norm for b in folded] == pytest.approx([norm, norm], rel=1e-5)
    assert all(b.shared for b in folded)
    assert "12 parameters, shared\\ngradient of all uses: norm" in tg.to_dot(loss, depth=1).source


@pytest.mark.parametrize(
    ("function", "shape", "stretched"),
    [
        (lambda x: x + np.ones((4, 3)), (3,), (4, 3)),
        (lambda x: x + np.ones((4, 3)), (4, 3), None),
        (lambda x: np.where(np.ones((4, 3)) > 0, x, 0.0), (4, 1), (4, 3)),
        (lambda x: np.broadcast_to(x, (4, 3)), (3,), (4, 3)),
        (lambda x: x @ np.ones((7, 3, 2)), (4, 3), (7, 4, 3)),
        (lambda x: x @ np.ones((3, 2)), (4, 3), None),
        (lambda x: np.sum(x, axis=0), (4, 3), None),
        (lambda x: np.reshape(x, (12,)), (4, 3), None),
    ],
)
def test_broadcasting_is_seen(function, shape, stretched):
    picture = describe(function(tg.Tensor(np.ones(shape), requires_grad=True, name="x")))
    (edge,) = [e for e in picture.edges if e.source == box(picture, "x").id]
    assert (edge.shape, edge.stretched) == (shape, stretched)


def test_trouble_starts_at_the_first_op_that_has_it():
    x = leaf(1.0, -1.0, 0.0)
    with np.errstate(all="ignore"):
        y = (np.log(x) * 2.0).sum()
    picture = describe(y)
    log = box(picture, "log")
    assert log.first_trouble
    assert log.health == "NaN 1/3, Inf 1/3"
    assert [b.title for b in picture.boxes if b.first_trouble] == ["log"]
    assert box(picture, "multiply(·, 2)").health


def test_health_of_activations():
    x = leaf(-1.0, 9.0)
    assert box(describe(tg.relu(x).sum()), "relu").health == "50 % zero"
    assert box(describe(np.tanh(x).sum()), "tanh").health == "50 % saturated"


def test_bytes_kept_for_backward():
    """Each buffer of a result counts once; views of it, parameters and inputs do not count again."""
    x = leaf(*range(8))
    y = np.exp(x)
    z = np.reshape(y, (2, 4))
    w = np.ones((2, 4))
    picture = describe((z * w).sum())
    kept = {b.title: b.kept for b in picture.boxes if b.kind is Kind.OP}
    assert kept == {"exp": 64, "reshape(·, (2, 4))": 0, "multiply": 64, "sum": None}
    assert "128 B kept for backward" in picture.facts


def test_a_profile_shows_the_time_and_bytes_of_each_op_and_changes_nothing():
    model = tg.nn.MLP(6, 5, 3, rng=0)
    loss = mlp_loss(model)
    before = [p.data.copy() for p in model.parameters()]
    ops = [b for b in describe(loss, profile=True).boxes if b.kind is Kind.OP]
    assert [b.cost.result for b in ops] == [80, 80, 80, 48, 48, 4]
    assert all(0 < b.cost.forward < 1 and 0 < b.cost.backward < 1 for b in ops)
    (folded,) = [b for b in describe(loss, depth=0, profile=True).boxes if b.kind is Kind.MODULE]
    assert folded.cost.result == 336
    assert re.search(r"matmul\\n[\d.e+]+ .s \+ [\d.e+]+ .s back, 80 B", tg.to_dot(loss, profile=True).source)
    assert all(np.array_equal(a, p.data) and p.grad is None for a, p in zip(before, model.parameters(), strict=True))
    assert all(b.cost is None for b in describe(loss).boxes)


def test_calls_show_what_is_no_operand():
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    titles = {
        describe(y).boxes[-1].title
        for y in (2 - x, x**2, np.sum(x, axis=0, keepdims=True), x.sum(), x[0, 1:], np.clip(x, 0, None), x.astype("f4"))
    }
    assert titles == {
        "subtract(2, ·)", "power(·, 2)", "sum(axis=0, keepdims=True)", "sum", "getitem(·, (0, 1:))", "clamp(·, 0)",
        "astype(·, f4)",
    }  # fmt: skip


def test_calls_leave_out_what_is_as_usual():
    """Arguments of an op of ours that have their default; those of NumPy's functions are shown as they were given."""
    x, weight = tg.Tensor(np.ones((1, 1, 4, 4)), requires_grad=True), np.ones((1, 1, 2, 2))
    results = tg.conv2d(x, weight), tg.conv2d(x, weight, padding=1), tg.max_pool2d(x, 2), np.sum(x, axis=None)
    assert [describe(y).boxes[-1].title for y in results] == [
        "convolution", "convolution(padding=((1, 1), (1, 1)))", "max_pool(size=(2, 2), stride=(2, 2))", "sum",
    ]  # fmt: skip


def test_names_come_from_the_module_without_being_asked():
    titles = {b.title for b in describe(mlp_loss()).boxes}
    assert {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "targets"} <= titles


def test_clusters_nest_and_single_ops_have_none():
    titles = [(c.title, c.parent) for c in describe(mlp_loss()).clusters]
    assert titles == [
        ("MLP(6 → 5 → 3)", None), ("fc1: Linear(6 → 5)", "cluster_0"), ("fc2: Linear(5 → 3)", "cluster_0"),
    ]  # fmt: skip


def test_a_module_called_twice_is_two_clusters_and_its_weight_outside_them():
    layer = tg.nn.Linear(3, 3, rng=0)
    model = tg.nn.Sequential(layer, layer)
    picture = describe(model(np.ones((2, 3), np.float32)).sum())
    assert [c.title for c in picture.clusters][1:] == ["0: Linear(3 → 3)", "0: Linear(3 → 3), call 2"]
    assert box(picture, "0.weight").cluster == "cluster_0"


@pytest.mark.parametrize(("depth", "modules", "boxes"), [(0, 1, 4), (1, 2, 6), (2, 0, 12), (None, 0, 12)])
def test_depth_folds_modules(depth, modules, boxes):
    picture = describe(mlp_loss(), depth=depth)
    assert sum(b.kind is Kind.MODULE for b in picture.boxes) == modules
    assert len(picture.boxes) == boxes


def test_a_folded_module_sums_up_what_is_in_it():
    model = tg.nn.MLP(6, 5, 3, rng=0)
    loss = mlp_loss(model)
    folded = next(b for b in describe(loss, collapse=["fc1"]).boxes if b.kind is Kind.MODULE)
    loss.backward()
    norm = np.sqrt(sum(np.sum(p.grad**2) for p in model.fc1.parameters()))
    assert (folded.title, folded.parameters, len(folded.functions)) == ("fc1: Linear(6 → 5)", 35, 2)
    assert folded.gradient.found.norm == pytest.approx(norm, rel=1e-5)


def test_a_path_that_is_no_module_is_refused():
    with pytest.raises(ArgumentError, match=r"paths of modules among fc1, activation1, fc2, got 'fc3'"):
        tg.to_dot(mlp_loss(), collapse=["fc3"])


def test_steps_follow_the_engine():
    """One step per op, from the last to the first, each with the gradients its rules send."""
    picture = describe(mlp_loss())
    titles = {b.id: b.title for b in picture.boxes}
    assert [titles[s.box] for s in picture.steps] == ["cross_entropy", "add", "matmul", "relu", "add", "matmul"]
    ends = {e.id: titles[e.source] for e in picture.edges}
    assert [ends[e] for s in picture.steps for e in s.edges] == [
        "add", "matmul", "fc2.bias", "relu", "fc2.weight", "add", "matmul", "fc1.bias", "fc1.weight",
    ]  # fmt: skip


def test_equations_of_the_document_are_named_and_others_are_not():
    told = [equation.split(" ")[0] for s in describe(mlp_loss()).steps for equation in s.equations]
    assert told == ["δz", "δz,", "∇b₂", "δh", "∇W₂", "δa₁", "δa₁,", "∇b₁", "∇W₁"]
    deeper = describe(mlp_loss(tg.nn.MLP(6, 5, 5, 3, rng=0)))
    assert {equation for s in deeper.steps for equation in s.equations} == {""}


def test_a_page_has_an_equation_for_each_gradient_of_any_network():
    """Property: each edge of the backward pass has one; that of a matrix product is the book's."""
    model = tg.nn.Sequential(tg.nn.Linear(6, 5, rng=0), tg.nn.LayerNorm(5), np.tanh, tg.nn.Linear(5, 3, rng=1))
    x = tg.Tensor(np.ones((4, 6), np.float32), name="x")
    loss = tg.cross_entropy(model(x), np.array([0, 1, 2, 0]))
    found = study(loss, model=model, histograms=True).numbers
    assert set(found.equations) == set(found.flow.edges)
    assert "∇0_weight = x.T @ δmatmul" in found.equations.values()
    assert "∇3_bias = δadd_4.sum(axis=0)" in found.equations.values()
    assert all(text[0] in "∇δ" or "; δ" in text for text in found.equations.values())


def test_several_outputs_share_the_picture():
    x = leaf(1.0, 2.0, name="x")
    picture = describe(x.sum(), (x * x).sum(), x.sum())
    assert [b.output for b in picture.boxes if b.output] == ["loss 1", "loss 2", "loss 3"]
    assert picture.notes == ["gradients are those of the sum of all outputs"]
    np.testing.assert_allclose(box(picture, "x").gradient.found.mean, (1 + 2 + 1 + 1 + 4 + 1) / 2)


@pytest.mark.parametrize("fail", [lambda x: x @ np.ones((3, 2)), lambda x: tg.cross_entropy(x, np.zeros((4, 1), int))])
def test_a_failed_op_is_drawn_with_the_shapes_that_did_not_fit(fail):
    x = tg.Tensor(np.ones((4, 5)), requires_grad=True, name="x")
    with pytest.raises(ShapeError) as caught:
        fail(np.exp(x))
    picture = describe(caught.value)
    failed = picture.boxes[-1]
    assert failed.kind is Kind.FAILED
    assert failed.health.startswith("4×5 and ")
    assert [b.title for b in picture.boxes][:2] == ["x", "exp"]


def test_a_failed_gradient_check_blames_the_op():
    @tg.rules.primitive
    def cube(x):
        return x * x * x

    tg.rules.derivative(cube, lambda g, out, x: 2 * g * x * x)
    with pytest.raises(tg.testing.GradientError) as caught:
        tg.testing.check_grads(lambda x, y: np.sum(np.tanh(cube(x)) * y), np.array([0.3, 0.7]), np.array([1.0, 2.0]))
    errors = {b.title: b.error for b in describe(caught.value).boxes if b.kind is Kind.OP}
    assert errors.pop("cube") == pytest.approx(1 / 3)
    assert max(errors.values()) < 1e-6


def test_a_broken_rule_still_gives_a_picture():
    @tg.rules.primitive
    def broken(x):
        return x + 0

    def rule(g, out, x):
        raise RuntimeError("no idea")

    tg.rules.derivative(broken, rule)
    picture = describe(broken(leaf(1.0)).sum())
    assert picture.notes == ["no gradients: RuntimeError: no idea"]


def test_a_tensor_without_history_is_a_box():
    assert [b.kind for b in describe(tg.Tensor([1, 2])).boxes] == [Kind.DATA]
    assert [b.kind for b in describe(leaf(1.0)).boxes] == [Kind.PARAMETER]


def test_a_freed_graph_is_refused():
    loss = leaf(1.0) * 2.0
    loss.backward()
    with pytest.raises(GraphError, match=r"draw: expected a graph that is still there.*retain_graph=True"):
        tg.to_dot(loss)


@pytest.mark.parametrize("things", [(), ("loss",), (np.ones(3),), (ShapeError("f", expected="a", got="b"),)])
def test_other_things_are_refused(things):
    with pytest.raises(ArgumentError, match=r"tg\.draw\(loss"):
        tg.to_dot(*things)


@pytest.mark.parametrize("options", [{"theme": "pink"}, {"direction": "up"}])
def test_options_are_checked(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        tg.to_dot(leaf(1.0), **options)


def loop(steps, w=0.5):
    """tanh(W h), repeated; every step uses the same W."""
    weight, h = leaf([w, 0.0], [0.0, w], name="W"), np.ones(2)
    for _ in range(steps):
        h = np.tanh(weight @ h)
    return np.sum(h), weight


def test_a_loop_is_drawn_once():
    """Its body, the arrow to the next step, and the weight with the gradient of all steps."""
    loss, weight = loop(100)
    picture = describe(loss)
    assert [b.title for b in picture.boxes] == ["W", "array", "matmul", "tanh", "sum"]
    assert [(b.times, b.cluster) for b in picture.boxes[2:4]] == [(100, "cluster_0")] * 2
    assert [c.title for c in picture.clusters] == ["100 times"]
    edges = {(e.source, e.target): e for e in picture.edges}
    assert [(key, e.times) for key, e in edges.items() if e.loops] == [(("n3", "n2"), 1)]
    assert edges["n0", "n2"].times == 100
    loss.backward()
    assert edges["n0", "n2"].gradient.found.norm == pytest.approx(np.linalg.norm(weight.grad))
    low, high = edges["n2", "n3"].gradient.norms
    assert low < high / 1e20
    assert "5 boxes instead of 203" in picture.notes[0]


@pytest.mark.parametrize(("steps", "max_nodes", "boxes"), [(5, 300, 13), (5, 60, 5), (2, 9, 7)])
def test_few_repeats_stay_unfolded_where_there_is_room(steps, max_nodes, boxes):
    assert len(describe(loop(steps)[0], max_nodes=max_nodes).boxes) == boxes


def test_repeated_blocks_are_drawn_once_and_named_with_a_star():
    """Blocks with weights of their own, and what stands before and after them, which is no block."""
    rng = np.random.default_rng(0)
    layers = [[tg.nn.Linear(4, 4, rng=rng), tg.nn.Tanh()] for _ in range(15)]
    model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=rng), *itertools.chain(*layers), tg.nn.Linear(4, 2, rng=rng))
    loss = model(np.ones((5, 3), np.float32)).sum()
    picture = describe(loss)
    (weight,) = [b for b in picture.boxes if b.title == "*.weight"]
    assert (weight.times, weight.parameters) == (15, 15 * 16)
    assert [b.title for b in picture.boxes if b.kind is Kind.PARAMETER and b is not weight] == [
        "0.weight", "0.bias", "*.bias", "31.weight", "31.bias",
    ]  # fmt: skip
    assert [c.title for c in picture.clusters][2:4] == ["15 times", "*: Linear(4 → 4)"]
    loss.backward()
    norms = [np.linalg.norm(layer.weight.grad) for layer, _ in layers]
    assert weight.gradient.norms == pytest.approx((min(norms), max(norms)), rel=1e-5)
    assert weight.gradient.found.norm == pytest.approx(np.linalg.norm(norms), rel=1e-5)


def test_a_repeat_in_a_repeat_and_a_loop_over_slices():
    x = tg.Tensor(np.ones((30, 3)), requires_grad=True, name="x")
    h = np.zeros(3)
    for t in range(30):
        h = np.tanh(h + x[t])
        for _ in range(4):
            h = np.exp(-h) * 0.5
    picture = describe(np.sum(h))
    assert [c.title for c in picture.clusters] == ["30 times", "4 times"]
    assert {(b.title, b.times) for b in picture.boxes} >= {
        ("getitem(...)", 30),
        ("exp", 120),
        ("multiply(·, 0.5)", 120),
    }


@given(strategies.programs(), st.integers(3, 6))
def test_whatever_repeats_is_drawn_as_often_as_it_runs(program, times):
    """Each op stands in one box, and the repeats of the boxes add up to the ops, folded or not."""
    x, y = leaf(0.5, -1.0, 2.0), leaf(1.5, 0.25, -0.75)
    out = sum((np.sum(program(x, y)) for _ in range(times)), np.sum(x))
    recorded = topological_order([out])[0]
    for max_nodes in (1, 20, 10_000):
        boxes = describe(out, max_nodes=max_nodes).boxes
        assert sum(len(b.functions) for b in boxes if b.kind in (Kind.OP, Kind.MODULE)) == len(recorded)


def test_a_long_chain_folds_to_so_many_boxes():
    """Where nothing repeats, ops that follow each other fold. Nothing recurses."""
    functions = [np.tanh, np.sin, np.cos, np.arctan]
    y = leaf(1.0)
    for i in np.random.default_rng(0).integers(0, 4, 5000):
        y = functions[i](y)
    picture = describe(np.sum(y))
    assert 20 < len(picture.boxes) <= 45
    assert sum(len(b.functions) for b in picture.boxes) == len(topological_order([np.sum(y)])[0])
    assert "are more than max_nodes=300" in picture.notes[-1]


def test_long_chains_in_modules_fold():
    class Chain(tg.nn.Module):
        def __init__(self, *functions):
            self.functions = functions

        def forward(self, x):
            for i in np.random.default_rng(0).integers(0, len(self.functions), sys.getrecursionlimit() * 5):
                x = self.functions[i](x)
            return x

    picture = describe(tg.nn.Sequential(Chain(np.tanh, np.sin), Chain(np.cos, np.arctan))(leaf(1.0)))
    assert [b.title for b in picture.boxes][1:] == ["0: Chain()", "1: Chain()"]
    assert "max_nodes=300" in picture.notes[-1]


def test_a_single_module_folds_inside_instead_of_as_a_whole():
    class Chain(tg.nn.Module):
        def forward(self, x):
            for i in np.random.default_rng(0).integers(0, 3, 500):
                x = (np.tanh, np.sin, np.cos)[i](x)
            return x

    picture = describe(Chain()(leaf(1.0)))
    assert 20 < len(picture.boxes) <= 45
    assert [c.title for c in picture.clusters] == ["Chain()"]


def test_only_what_one_repeat_hands_to_the_next_is_a_loop():
    """Not what a folded module is fed with after it began."""

    class Late(tg.nn.Module):
        def forward(self, x):
            return np.where(np.eye(2) > 0, np.tanh(x), np.sin(x))

    x = tg.Tensor(np.ones((2, 2)), requires_grad=True, name="x")
    assert not any(e.loops for e in describe(Late()(x).sum(), depth=0).edges)


def test_uses_inside_a_folded_module_add_up():
    """Two ops of the module use x: one edge, twice, with the whole gradient, d(x² + 5x)/dx = 11 at x = 3."""

    class Twice(tg.nn.Module):
        def forward(self, x):
            return x * x + 5 * x

    (edge,) = describe(Twice()(leaf(3.0)), depth=0).edges
    assert (edge.times, edge.gradient.found.norm) == (3, 11.0)


def test_a_rule_that_raises_is_to_blame():
    @tg.rules.primitive
    def broken(x):
        return x + 0

    tg.rules.derivative(broken, lambda g, out, x: g.no_such_method())
    y = broken(np.stack([leaf(1.0), leaf(2.0)])).sum()
    assert rule_errors(topological_order([y])[0]) == {id(y.node.args[0]): np.inf} | dict.fromkeys(
        (id(y), id(y.node.args[0].node.args[0])), pytest.approx(0, abs=1e-6)
    )


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (True, "True"), (2.5, "2.5"), (np.float32(0.25), "0.25"), (np.array(3), "3"), (slice(1, None, 2), "1::2"),
        (slice(0, 3), "0:3"), (..., "..."), ((1, np.ones(3)), "(1, ·)"), (np.dtype("f4"), "float32"), (float, "float"),
        (list(range(20)), "(0, 1, 2, 3, 4, 5, 6, 7, ...)"), (object(), "object"), ("mean", "mean"), (None, "None"),
    ],
)  # fmt: skip
def test_arguments_as_text(argument, text):
    assert op_labels.text(argument) == text


def test_long_arguments_are_cut():
    assert op_labels.call(np.sum, (leaf(1.0), "x" * 90), {}) == "sum(·, " + "x" * 34 + "...)"
