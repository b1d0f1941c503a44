"""The plain data a picture is made of: what `describe` finds in a graph, and `dot` and `html` write down."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tinygrad_mlp.drawing.costs import Cost
from tinygrad_mlp.drawing.statistics import Statistics


class Kind(Enum):
    """What a box stands for."""

    DATA = "data"
    PARAMETER = "parameter"
    OP = "op"
    MODULE = "module"
    FAILED = "failed op"


class State(Enum):
    """What is known about a gradient. Each of the five states is drawn differently."""

    NOT_NEEDED = "not needed"
    NOT_RUN = "backward not run"
    NONE = "none arrives"
    ZERO = "0 everywhere"
    NUMBER = "a number"


@dataclass(frozen=True)
class Gradient:
    """A gradient, or why there is none."""

    state: State
    found: Statistics | None = None  # of all elements together, where a box or an edge stands for several arrays
    norms: tuple[float, float] | None = None  # the smallest and the largest norm of these arrays
    terms: tuple[float, ...] = ()  # of a scalar: what it adds up, if that is more than one term


@dataclass
class Box:
    """A node of the drawing. ``id`` follows the topological order."""

    position: int
    kind: Kind
    title: str
    symbol: str = ""  # what the user, or the document, calls an op's result
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    cluster: str | None = None
    found: Statistics | None = None
    gradient: Gradient = field(default_factory=lambda: Gradient(State.NOT_NEEDED))
    health: str = ""
    first_trouble: bool = False  # the first op in the order of the forward pass with a NaN or an infinity
    output: str | None = None  # on an output, its name: "loss", "output"
    value: float | None = None  # on a scalar output
    kept: int | None = None  # bytes kept for backward; 0 where they are those of another box; None: not kept
    frozen: bool = False
    masked: bool = False  # all that is not finite is -inf, on purpose
    shared: bool = False  # on a folded module, whether its parameters have boxes, since something else uses them too
    error: float | None = None  # of this op's rule, from a gradient check
    functions: list[Callable[..., Any]] = field(default_factory=list)
    parameters: int = 0
    where: str = ""  # path of the module
    cost: Cost | None = None  # where it was asked for
    times: int = 1  # repeats that it stands for

    @property
    def id(self) -> str:
        """Name in the DOT text, the SVG and the page."""
        return f"n{self.position}"


@dataclass
class Edge:
    """A use of one box's value by another."""

    id: str
    source: str
    target: str
    shape: tuple[int, ...]
    stretched: tuple[int, ...] | None = None  # the shape it was broadcast to
    times: int = 1  # uses of one value
    symbol: str = ""  # what the gradient is called
    loops: bool = False  # from one repeat to the next
    gradient: Gradient = field(default_factory=lambda: Gradient(State.NOT_NEEDED))


@dataclass(frozen=True)
class Cluster:
    """A module that is drawn open."""

    id: str
    title: str
    parent: str | None
    path: str


@dataclass(frozen=True)
class Step:
    """One op of the backward pass: the gradients that its rule sends along edges."""

    box: str
    edges: tuple[str, ...]
    equations: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A picture among those of a page, and where its boxes and frames lead to when they are opened and folded.

    Attributes
    ----------
    picture : Picture
    opens : dict
        The id of a box that stands for a folded group to the number of a view in which the group is open.
    folds : dict
        The id of a cluster to the number of a view in which it is folded.
    """

    picture: "Picture"
    opens: dict[str, int]
    folds: dict[str, int]


@dataclass
class Picture:
    """Everything a drawing shows."""

    boxes: list[Box]
    edges: list[Edge]
    clusters: list[Cluster]
    steps: list[Step]
    facts: list[str]  # the footer: what the network is
    notes: list[str]  # what the reader must know about this drawing
