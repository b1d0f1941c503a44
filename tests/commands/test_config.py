"""The settings: one list of names and limits behind the options and config.toml."""

import math
import os
from dataclasses import asdict, fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.commands.config import OPTIMIZERS, SCHEDULES, Config
from tinygrad_mlp.errors import ArgumentError

rates = st.floats(0, 1e6, allow_nan=False)
# Names of files, with surrogates in the place of the bytes that are not UTF-8, as Python has them.
paths = st.binary(min_size=1).map(lambda name: os.fsdecode(name.replace(b"\0", b"")))
configs = st.builds(
    Config,
    data=st.none() | paths,
    hidden=st.lists(st.integers(1, 1000), max_size=3),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    schedule=st.sampled_from(SCHEDULES),
    lr=st.none() | rates,
    weight_decay=st.none() | rates,
    warmup=st.floats(0, 50),
    dropout=st.floats(0, 1, exclude_max=True),
    clip_norm=st.none() | st.floats(1e-3, 1e6),
    epochs=st.integers(0, 20),
    step_epochs=st.integers(1, 5),
    step_gamma=st.floats(0, 1),
    patience=st.none() | st.integers(1, 10),
    seed=st.integers(0, 2**63 - 1),
)


@given(configs)
@example(Config(data="\udcff\x1b\x7f\t\"'\\\n\U0001f600"))
def test_toml_round_trip(tmp_path_factory, config):
    """Property: the settings written to config.toml and read again are the same, whatever characters a path has."""
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_bytes(config.toml())
    assert Config(**Config.read(path)) == config


def test_what_the_optimizer_chose_is_a_comment():
    assert Config(optimizer="sgd", weight_decay=0.2).toml().endswith(b"seed = 0\n# lr = 0.5, the default of sgd\n")
    assert Config().toml().endswith(b"# lr = 0.005, the default of adamw\n# weight_decay = 0.1, the default of adamw\n")
    assert b"#" not in Config(lr=0.1, weight_decay=0.0).toml()


def test_defaults_are_not_shared():
    Config().hidden.append(64)
    assert Config().hidden == [128]


def test_every_setting_has_a_help_text():
    assert all(f.metadata["help"] for f in fields(Config))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden": 128},
            "hidden: expected a list of at most 1000, each a whole number of at least 1 and at most 2147483647, got "
            "128.",
        ),
        ({"hidden": [0]}, "hidden: expected a whole number of at least 1 and at most 2147483647, got 0."),
        ({"hidden": [[1]]}, "hidden: expected a whole number of at least 1 and at most 2147483647, got [1]."),
        ({"hidden": [10**30]}, f"hidden: expected a whole number of at least 1 and at most 2147483647, got {10**30}."),
        ({"epochs": 1.0}, "epochs: expected a whole number of at least 0 and at most 2147483647, got 1.0."),
        ({"epochs": True}, "epochs: expected a whole number of at least 0 and at most 2147483647, got True."),
        ({"epochs": None}, "epochs: expected a whole number of at least 0 and at most 2147483647, got None."),
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1 and at most 2147483647, got 0."),
        ({"patience": 0}, "patience: expected a whole number of at least 1 and at most 2147483647, got 0."),
        ({"seed": -1}, "seed: expected a whole number of at least 0 and at most 9223372036854775807, got -1."),
        ({"lr": "fast"}, "lr: expected a number of at least 0 and at most 1e+30, got 'fast'."),
        ({"lr": math.nan}, "lr: expected a number of at least 0 and at most 1e+30, got nan."),
        ({"lr": math.inf}, "lr: expected a number of at least 0 and at most 1e+30, got inf."),
        ({"lr": -0.1}, "lr: expected a number of at least 0 and at most 1e+30, got -0.1."),
        ({"clip_norm": True}, "clip_norm: expected a number above 0 and at most 1e+30, got True."),
        ({"dropout": 1.0}, "dropout: expected a number of at least 0 and below 1, got 1.0."),
        ({"label_smoothing": 1}, "label_smoothing: expected a number of at least 0 and below 1, got 1."),
        ({"optimizer": "lion"}, "optimizer: expected one of sgd, momentum, nesterov, adam, adamw, got 'lion'."),
        ({"init": 3}, "init: expected one of he, xavier, normal, got 3."),
        ({"data": 3}, "data: expected a text, got 3."),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ArgumentError) as caught:
        Config(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"lr = ", "expected a TOML file of settings, got Invalid value"),
        (b"\xff", "expected a TOML file of settings, got Invalid statement"),
        (b"seed = " + b"9" * 5000, "expected a TOML file of settings, got Exceeds the limit"),
        (b"seed = 0x" + b"f" * 5000, "got int of excessive size."),
        (b"hidden = [0x" + b"f" * 5000 + b"]", "got int of excessive size."),
        (b"hidden = " + b"[" * 20_000, "expected a TOML file of settings, got"),
        (b"hidden = [" + b"1," * 1001 + b"]", "expected a list of at most 1000, each a whole number"),
        (b"#" * 70_000, "got one of more than 65,536 bytes."),
        (b"x" * 5000 + b" = 1", "x…."),
        (b'data = "a\\u0000b"', "data: expected a name that a file can have, got 'a\\x00b'."),
        (b"speed = 3", "expected only the settings data, hidden, activation, "),
        (b"[train]\nlr = 1.0", "got train."),
        (b"lr = 'fast'", "lr: expected a number of at least 0 and at most 1e+30, got 'fast'."),
        (b"lr = 1979-05-27", "lr: expected a number"),
    ],
)
def test_files_that_are_no_settings(tmp_path, content, message):
    path = tmp_path / "my.toml"
    path.write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        Config.read(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ArgumentError, match=r"my\.toml: expected a TOML file of settings, got .*No such file"):
        Config.read(tmp_path / "my.toml")


@given(configs, st.integers(1, 5))
def test_learning_rates_stay_between_zero_and_lr(config, steps_per_epoch):
    """Property: under every optimizer, schedule and warm-up, 0 <= rate <= lr; after the warm-up it never rises."""
    optimizer = config.make_optimizer([tg.Tensor(np.zeros(2), requires_grad=True)], steps_per_epoch)
    default, weight_decay = OPTIMIZERS[config.optimizer][2:]
    lr = default if config.lr is None else config.lr
    total = config.epochs * steps_per_epoch
    rates = []
    for optimizer.step_count in range(total):
        rates.append(optimizer.lr)
    assert all(0 <= rate <= lr * (1 + 1e-12) for rate in rates)
    warm = round(config.warmup * total if config.warmup < 1 else config.warmup)
    assert all(a >= b for a, b in pairwise(rates[warm:]))
    assert all(a <= b for a, b in pairwise(rates[:warm]))
    own = {block.settings["weight_decay"] for block in optimizer.blocks}
    assert own == {weight_decay if config.weight_decay is None else config.weight_decay}


@pytest.mark.parametrize("warmup", [0.0, 0.2, 3.0])
def test_cosine_arrives_at_zero_with_the_last_step(warmup):
    optimizer = Config(epochs=5, lr=1.0, warmup=warmup).make_optimizer([tg.Tensor([0.0], requires_grad=True)], 4)
    optimizer.step_count = 20
    assert optimizer.lr == 0
    optimizer.step_count = 19
    assert 0 < optimizer.lr < 0.02


def test_each_optimizer_by_name():
    parameters = [tg.Tensor(np.zeros(2), requires_grad=True)]
    made = {name: Config(optimizer=name).make_optimizer(parameters, 1) for name in OPTIMIZERS}
    assert {name: type(optimizer).__name__ for name, optimizer in made.items()} == {
        "sgd": "SGD", "momentum": "SGD", "nesterov": "SGD", "adam": "Adam", "adamw": "AdamW",
    }  # fmt: skip
    momentum = {name: optimizer.blocks[0].settings.get("momentum") for name, optimizer in made.items()}
    assert momentum == {"sgd": 0.0, "momentum": 0.9, "nesterov": 0.9, "adam": None, "adamw": None}
    assert [made[name].blocks[0].settings["nesterov"] for name in ("momentum", "nesterov")] == [False, True]


def test_the_settings_of_the_document_are_the_defaults():
    own = asdict(Config())
    assert (own["hidden"], own["activation"], own["init"], own["optimizer"]) == ([128], "relu", "he", "adamw")
