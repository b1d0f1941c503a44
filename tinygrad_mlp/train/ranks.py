"""Data parallel training: several processes, the ranks of MPI, that train one model on a share of each batch each.

Everything that ranks tell each other stands here. All of them must make the same calls in the same order: a rank that
raises has to end the whole job, or the others wait for it forever. ``python -m mpi4py`` sees to that.
"""

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import ArgumentError, StateError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.tensor import Tensor


class Ranks:
    """The processes that train together, and which of them this is.

    Needs the extra ``mpi``.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        By default all processes of the job.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and of all.
    pressed : bool
        Whether Ctrl-C has reached this process, which the others do not know yet.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> second_of_four = SimpleNamespace(Get_rank=lambda: 1, Get_size=lambda: 4)  # what mpi4py gives that process
    >>> ranks = Ranks(second_of_four)
    >>> ranks.rank, ranks.size
    (1, 4)
    """

    def __init__(self, comm: Any = None) -> None:
        if comm is None:
            from mpi4py import MPI

            comm = MPI.COMM_WORLD
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self.pressed = False

    @property
    def part(self) -> tuple[int, int]:
        """Which share of each batch is ours; see `tinygrad_mlp.data.batches`."""
        return self.rank, self.size

    def tell(self, value: Any) -> Any:
        """What rank 0 has passed in, on every rank."""
        return self.comm.bcast(value, root=0)

    def any(self, value: bool) -> bool:
        """Whether it is true on any rank."""
        return bool(max(self.comm.allgather(bool(value))))

    def sums(self, *values: float) -> list[float]:
        """The sums over all ranks, each in float64."""
        total = np.empty(len(values))
        self.comm.Allreduce(np.array(values, np.float64), total)
        return [float(value) for value in total]

    def begin(self, model: Module) -> None:
        """Give all ranks the parameters and buffers of rank 0, and random numbers of their own to its dropout."""
        model.load_state_dict(self.tell(model.state_dict()))
        for path, rng in model.named_members():
            if isinstance(rng, np.random.Generator) and self.rank:
                bits: Any = rng.bit_generator
                if not hasattr(bits, "jumped"):
                    raise ArgumentError(
                        path, expected="a random generator that can jump, such as PCG64", got=type(bits).__name__,
                        fix="Make it with np.random.default_rng.",
                    )  # fmt: skip
                bits.state = bits.jumped(self.rank).state

    def average(self, params: Sequence[Tensor], loss: float, count: int) -> tuple[float, bool]:
        """Make the gradient of each parameter that over all examples of the batch; their mean loss, and any Ctrl-C.

        What travels is one flat buffer of sums: count · gradient of each parameter, whether it has one, count · loss,
        count, Ctrl-C. Dividing by the sum of the counts is exact however uneven the shares are.

        Parameters
        ----------
        params : sequence of Tensor
            With the gradients of the mean loss over our share. Where no rank has a gradient, none appears.
        loss : float
            The mean over our share; anything where it is empty.
        count : int
            Number of examples in our share.
        """
        sizes = [p.size for p in params]
        total = sum(sizes)
        own = np.zeros(total + len(params) + 3, np.result_type(*[p.dtype for p in params]))
        start = 0
        for i, (param, size) in enumerate(zip(params, sizes, strict=True)):
            if count and param.grad is not None:
                np.multiply(param.grad.reshape(-1), count, out=own[start : start + size])
                own[total + i] = 1
            start += size
        own[-3:] = loss * count if count else 0, count, self.pressed
        sums = np.empty_like(own)
        self.comm.Allreduce(own, sums)
        sums[:total] /= sums[-2]
        start = 0
        for i, (param, size) in enumerate(zip(params, sizes, strict=True)):
            if sums[total + i]:
                param.grad = sums[start : start + size].reshape(param.shape).astype(param.dtype, copy=False)
            start += size
        return float(sums[-3] / sums[-2]), bool(sums[-1])

    def check_same(self, model: Module) -> None:
        """Raise, on all ranks, where they do not have the same parameters, bit for bit.

        Raises
        ------
        StateError
            Naming the ranks that differ from rank 0.
        """
        digest = hashlib.sha256()
        for parameter in model.parameters():
            digest.update(np.ascontiguousarray(parameter.data).data)
        found = self.comm.allgather(digest.hexdigest())
        other = [str(rank) for rank, one in enumerate(found) if one != found[0]]
        if other:
            raise StateError(
                "Ranks", expected="the same parameters on all ranks", got=f"others on {', '.join(other)} than on 0",
                fix="A callback or a layer changes them on some ranks only. Go on from the checkpoint before.",
            )  # fmt: skip


def started_by_mpi() -> bool:
    """Whether this process was started by ``python -m mpi4py``, as one of several ranks."""
    return "mpi4py.run" in sys.modules
