"""Networks that read a sequence step by step and keep a state: LSTM and GRU."""

from typing import Any

import numpy as np

from tinygrad_mlp.arguments import operand
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.nn.layers import Dropout, Rng
from tinygrad_mlp.nn.module import Module
from tinygrad_mlp.ops.activations import sigmoid
from tinygrad_mlp.tensor import Tensor
from tinygrad_mlp.validation import generator, whole_number


class Recurrent(Module):
    """What `LSTM` and `GRU` share: layers and directions, and the walk through the steps."""

    weight_hh_l0: Tensor
    gates: int  # how many blocks of hidden_size columns each weight has

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        kind = type(self).__name__
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            whole_number(kind, name, value, least=1)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        rng = generator(rng, kind, optional=True)
        bound = hidden_size**-0.5
        for layer, suffix in self.passes():
            fan_in = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            shapes: dict[str, tuple[int, ...]] = {f"weight_ih{suffix}": (fan_in,), f"weight_hh{suffix}": (hidden_size,)}
            if bias:
                shapes |= {f"bias_ih{suffix}": (), f"bias_hh{suffix}": ()}
            for name, shape in shapes.items():
                drawn = rng.uniform(-bound, bound, (*shape, self.gates * hidden_size)).astype(dtype)
                setattr(self, name, Tensor(drawn, requires_grad=True, name=name))
        self.dropout = Dropout(dropout, rng=rng)

    def passes(self) -> list[tuple[int, str]]:
        """The number of the layer and the end of the names of its parameters, for each pass over the sequence."""
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, f"_l{layer}{direction}") for layer in range(self.num_layers) for direction in directions]

    def step(self, x: Any, h: Any, suffix: str) -> Any:
        """The state after one more step, whose input has been multiplied with its weights; subclasses define it."""
        raise NotImplementedError

    def run(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """All passes over (L, N, input_size), from the states of each: outputs of the last layer, last states."""
        outputs: list[Any] = []
        last = []
        for (layer, suffix), state in zip(self.passes(), states, strict=True):
            if layer and suffix == f"_l{layer}":
                x, outputs = self.dropout(joined(outputs)), []
            inputs = x @ getattr(self, f"weight_ih{suffix}")
            if self.bias:
                inputs = inputs + getattr(self, f"bias_ih{suffix}")
            backwards = suffix.endswith("_reverse")
            results = []
            for t in reversed(range(len(x))) if backwards else range(len(x)):
                state = self.step(inputs[t], state, suffix)
                results.append(self.output(state))
            outputs.append(np.stack(results[::-1] if backwards else results))
            last.append(state)
        return joined(outputs), last

    def output(self, state: Any) -> Any:
        """What a state shows."""
        return state

    def recurrent_part(self, h: Any, suffix: str) -> Any:
        """h W_hh + b_hh."""
        product = h @ getattr(self, f"weight_hh{suffix}")
        return product + getattr(self, f"bias_hh{suffix}") if self.bias else product

    def steps_first(self, x: Any) -> Any:
        """The sequence as (L, N, input_size) or (L, input_size)."""
        x = operand(x)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size or 0 in x.shape[:-1]:
            order = "(N, L, {})" if self.batch_first else "(L, N, {})"
            raise ShapeError(
                type(self).__name__, expected=f"a sequence {order.format(self.input_size)}, of one step or more",
                got=f"shape {x.shape}",
            )  # fmt: skip
        return np.swapaxes(x, 0, 1) if self.batch_first and x.ndim == 3 else x

    def initial(self, h: Any, x: Any) -> list[Any]:
        """The states to begin with, one for each pass: zeros where none is given."""
        expected = (len(self.passes()), *x.shape[1:-1], self.hidden_size)
        if h is None:
            return list(np.zeros(expected, self.weight_hh_l0.dtype))
        h = operand(h)
        if h.shape != expected:
            raise ShapeError(type(self).__name__, expected=f"a state of shape {expected}", got=str(h.shape))
        return [h[i] for i in range(len(h))]

    def finished(self, out: Any) -> Any:
        """The outputs in the order in which the inputs came."""
        return np.swapaxes(out, 0, 1) if self.batch_first and out.ndim == 3 else out

    def summary(self) -> str:
        """``3 → 2``, and what is not the default."""
        said = [f"{self.input_size} → {self.hidden_size}"]
        if self.num_layers > 1:
            said.append(f"{self.num_layers} layers")
        if self.bidirectional:
            said.append("both ways")
        return ", ".join(said)


def joined_states(states: list[Any]) -> Any:
    """The states of all passes in one array."""
    return np.stack(states)


def joined(outputs: list[Any]) -> Any:
    """The outputs of both directions side by side."""
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)


class LSTM(Recurrent):
    """Long short-term memory: c' = f c + i g and h' = o tanh(c'), with gates of x W_ih + b_ih + h W_hh + b_hh.

    In their columns stand i, f, g and o; i, f and o are sigmoids, g is a tanh. Source: Hochreiter & Schmidhuber, 1997,
    in the form of Gers et al., 2000.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input and of the state.
    num_layers : int
        How many layers, each of which reads the outputs of the one before.
    bias : bool
        Whether there are b_ih and b_hh.
    batch_first : bool
        Whether sequences are (N, L, input_size) instead of PyTorch's (L, N, input_size).
    dropout : float, 0 <= dropout < 1
        Probability with which outputs between layers are dropped in training.
    bidirectional : bool
        Whether each layer also reads the sequence from its end.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or a seed. Pass one where the numbers shall be the same in each run.
    dtype : dtype
        Of the parameters, which start uniform in ±1/√hidden_size, as in PyTorch.

    Attributes
    ----------
    weight_ih_l0 : Tensor, shape (input_size, 4 hidden_size)
        The transpose of PyTorch's, like the weight of `Linear`; ``l1`` is the next layer, ``l0_reverse`` the other way.
    weight_hh_l0 : Tensor, shape (hidden_size, 4 hidden_size)
    bias_ih_l0, bias_hh_l0 : Tensor, shape (4 hidden_size,)

    Examples
    --------
    >>> out, (h, c) = LSTM(3, 2, batch_first=True, rng=0)(np.ones((5, 7, 3), np.float32))
    >>> out.shape, h.shape, c.shape
    ((5, 7, 2), (1, 5, 2), (1, 5, 2))
    """

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The outputs (L, N, hidden_size) of the last layer, and the last states (h, c), each (layers, N, hidden_size).

        ``hx`` is the pair of states to begin with; zeros if it is left out. A sequence may also be unbatched, (L,
        input_size); the outputs of a bidirectional network have 2 hidden_size features.
        """
        x = self.steps_first(input)
        h, c = (None, None) if hx is None else hx
        out, last = self.run(x, list(zip(self.initial(h, x), self.initial(c, x), strict=True)))
        h_last, c_last = (joined_states([state[i] for state in last]) for i in (0, 1))
        return self.finished(out), (h_last, c_last)

    def step(self, x: Any, state: Any, suffix: str) -> Any:
        """(h', c')."""
        h, c = state
        gates = np.split(x + self.recurrent_part(h, suffix), 4, axis=-1)
        i, f, o = (sigmoid(gates[j]) for j in (0, 1, 3))
        c = f * c + i * np.tanh(gates[2])
        return o * np.tanh(c), c

    def output(self, state: Any) -> Any:
        """h."""
        return state[0]


class GRU(Recurrent):
    """Gated recurrent unit: h' = (1 - z) n + z h, with gates of x W_ih + b_ih and h W_hh + b_hh.

    In their columns stand r, z and n: r and z are sigmoids of the sum, n = tanh(x W_in + b_in + r (h W_hn + b_hn)).
    Source: Cho et al., 2014, arXiv:1406.1078, with r as in PyTorch. Parameters and attributes: as for `LSTM`, with 3
    hidden_size columns.

    >>> out, h = GRU(3, 2, batch_first=True, rng=0)(np.ones((5, 7, 3), np.float32))
    >>> out.shape, h.shape
    ((5, 7, 2), (1, 5, 2))
    """

    gates = 3

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """The outputs (L, N, hidden_size) of the last layer, and the last states (layers, N, hidden_size).

        ``hx`` holds the states to begin with; zeros if it is left out. A sequence may also be unbatched, (L,
        input_size); the outputs of a bidirectional network have 2 hidden_size features.
        """
        x = self.steps_first(input)
        out, last = self.run(x, self.initial(hx, x))
        return self.finished(out), joined_states(last)

    def step(self, x: Any, h: Any, suffix: str) -> Any:
        """h'."""
        from_input, from_state = np.split(x, 3, axis=-1), np.split(self.recurrent_part(h, suffix), 3, axis=-1)
        r, z = (sigmoid(a + b) for a, b in zip(from_input[:2], from_state[:2], strict=True))
        n = np.tanh(from_input[2] + r * from_state[2])
        return n + z * (h - n)
