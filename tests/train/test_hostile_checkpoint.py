"""Checkpoints that somebody else wrote: what is wrong in them is said at the door, at the cost of their size."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DataError, TinygradError
from tinygrad_mlp.train import Checkpoint, EarlyStopping, Trainer, checkpoint
from tinygrad_mlp.train.archive import archive_of

data = np.random.default_rng(0)
X = data.normal(size=(30, 4)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)


def start(directory, **settings):
    model = tg.nn.MLP(4, 5, 2, dropout=0.2, rng=0)
    callbacks = [EarlyStopping(), Checkpoint(directory)]
    return Trainer(model, tg.optim.Adam(model.named_parameters(), 0.01), callbacks=callbacks, **settings)


def fit(trainer):
    return trainer.fit((X, Y), (X, Y), epochs=3, batch_size=8, rng=0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The arrays and the progress of a checkpoint in the middle of an epoch."""
    directory = tmp_path_factory.mktemp("saved")
    trainer = start(directory)
    trainer.fit((X, Y), (X, Y), epochs=1, batch_size=8, rng=0)
    trainer._plan = {"examples": 30, "batch_size": 8, "drop_last": False}
    trainer.batch = 2
    trainer.save(directory / "last.npz")
    return checkpoint.read(directory / "last.npz")


def resumed(directory, arrays, progress):
    """What comes of a checkpoint of these entries: trained on, or the error in words."""
    (directory / "other.npz").write_bytes(archive_of({"progress": np.array(json.dumps(progress))} | arrays))
    trainer = start(directory)
    before = {name: array.tobytes() for name, array in trainer.model.state_dict().items()}
    try:
        trainer.resume(directory / "other.npz")
    except TinygradError:
        assert {name: array.tobytes() for name, array in trainer.model.state_dict().items()} == before
        raise
    return fit(trainer)


WRONG = {
    "epoch": [-1, 1.5, "1", None, True, 2**70, [], 2],
    "batch": [-1, 99, "1", None],
    "stop": [0, "no", None],
    "loss_sum": ["1", None, float("nan"), float("inf"), 10**400],
    "seconds": [None, float("inf")],
    "history": [None, {}, [1], [{}], [{"epoch": 1}], [{"epoch": "1"}]],
    "plan": [None, [], {"examples": 30}, {"examples": 30, "batch_size": 0, "drop_last": False}],
    "shuffle_state": [None, [], {}, {"bit_generator": "PCG64"}, {"bit_generator": "default_rng"}],
    "rng_state": [None, {"bit_generator": "os"}, {"bit_generator": "MT19937", "state": {"key": [1], "pos": 0}}],
    "module_rng_states": [None, {}, {"fc1": 3}],
    "config": [None, []],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_progress_of_other_types_and_ranges_is_refused(name, saved, tmp_path):
    arrays, progress = saved
    for value in WRONG[name]:
        with pytest.raises(TinygradError):
            resumed(tmp_path, arrays, progress | {name: value})
    with pytest.raises(DataError, match=f"{name} is missing"):
        resumed(tmp_path, arrays, {key: value for key, value in progress.items() if key != name})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("MT19937", {"pos": 625}), ("MT19937", {"pos": -1}), ("MT19937", {"key": [0] * 624}), ("PCG64", {"inc": 2}),
        ("PCG64", {"state": 2**200}), ("SFC64", {"state": [1]}), ("SFC64", {}),
    ],
)  # fmt: skip
def test_states_of_generators_that_numpy_would_take_or_crash_on(kind, change, saved, tmp_path):
    """Beyond the end of MT19937's key NumPy reads foreign memory; PCG64 with an even increment may repeat itself."""
    state = getattr(np.random, kind)(0).state
    state["state"] = {name: np.asarray(part).tolist() for name, part in (state["state"] | change).items()}
    with pytest.raises(DataError, match=r"shuffle_state is not (the state of a random generator|of the kind)"):
        resumed(tmp_path, saved[0], saved[1] | {"shuffle_state": state})


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_progress_trains_or_is_an_error_in_words(saved, tmp_path_factory, data):
    """Property: whatever JSON stands in the place of an entry, and whatever array in the place of an array."""
    arrays, progress = saved
    if data.draw(st.booleans()):
        path = [data.draw(st.sampled_from(sorted(progress)))]
        inner = progress[path[0]]
        while isinstance(inner, dict) and inner and data.draw(st.booleans()):
            path.append(data.draw(st.sampled_from(sorted(inner))))
            inner = inner[path[-1]]
        progress = json.loads(json.dumps(progress))
        place = progress
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = data.draw(junk)
    else:
        name = data.draw(st.sampled_from(sorted(arrays)))
        dtype = data.draw(st.sampled_from(["f4", "f8", "i8", "u1", "c8", "U3", "?"]))
        shape = data.draw(st.sampled_from([arrays[name].shape, (), (0,), (2, 2)]))
        value = data.draw(st.sampled_from([0, 1, -1, np.nan, np.inf, 1e30]))
        with np.errstate(all="ignore"):
            arrays = arrays | {name: np.full(shape, value).astype(dtype)}
    try:
        with np.errstate(all="ignore"):
            resumed(tmp_path_factory.mktemp("junk"), arrays, progress)
    except TinygradError:
        pass


def zipped(entries, compression=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, value in entries:
            archive.writestr(name, value)
    return content.getvalue()


def npy(shape, dtype="<f8", data=b""):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": dtype, "fortran_order": False, "shape": shape})
    return content.getvalue() + data


BOMBS = {
    "compressed": lambda: zipped([("model/a.npy", npy((2**27,), "|u1", bytes(2**27)))], zipfile.ZIP_DEFLATED),
    "header": lambda: zipped([("model/a.npy", npy((2**40,)))]),
    "negative": lambda: zipped([("model/a.npy", npy((-1, -8), data=bytes(64)))]),
    "pickle": lambda: zipped([("progress.npy", npy((), "|O", b"cos\nsystem\n"))]),
    "empty text": lambda: zipped([("progress.npy", npy((2**60,), "<U0"))]),
    "deep": lambda: archive_of({"progress": np.array("[" * 100_000)}),
    "twice": lambda: zipped([("progress.npy", npy((0,))), ("progress.npy ", npy((0,)))]).replace(b"npy ", b"npy\0"),
    "large": lambda: archive_of({"model/a": np.zeros(2**24)}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_checkpoint_costs_no_more_memory_than_it_has_bytes(name, tmp_path):
    """And no more bytes are read than the model can need."""
    path = tmp_path / "bomb.npz"
    path.write_bytes(BOMBS[name]())
    trainer = start(tmp_path)
    for read in (trainer.resume, checkpoint.read_progress):
        tracemalloc.start()
        try:
            with pytest.raises(DataError, match=r"bomb\.npz"):
                read(path)
            assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
        finally:
            tracemalloc.stop()


def test_a_sparse_file_is_not_read(tmp_path):
    """8 KB on the disk that claim 6 GB."""
    path = tmp_path / "sparse.npz"
    with path.open("wb") as file:
        file.truncate(6 * 10**9)
    with pytest.raises(DataError, match="6,000,000,000 bytes, where"):
        start(tmp_path).resume(path)
