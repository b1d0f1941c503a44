"""Pictures of computation graphs."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from tinygrad_mlp.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from tinygrad_mlp.drawing.render import Digraph


class Options(TypedDict, total=False):
    """The keyword arguments of `to_dot`, for `draw`."""

    model: Any
    depth: int | None
    collapse: Collection[str]
    shapes: bool
    values: bool
    grads: bool
    direction: Literal["TB", "LR", "BT", "RL"]
    theme: Literal["light", "dark", "print"]
    max_nodes: int
    time_limit: float
    interactive: bool
    profile: bool


def to_dot(
    *outputs: Any,
    model: Any = None,
    depth: int | None = None,
    collapse: Collection[str] = (),
    shapes: bool = True,
    values: bool = True,
    grads: bool = True,
    direction: Literal["TB", "LR", "BT", "RL"] = "TB",
    theme: Literal["light", "dark", "print"] = "light",
    max_nodes: int = 300,
    time_limit: float = 10.0,
    interactive: bool = False,
    profile: bool = False,
) -> "Digraph":
    """Describe the graph behind some Tensors as a `graphviz.Digraph`.

    Boxes are data (grey), parameters (blue tables), ops (yellow ellipses, with a bold outline if their result is kept
    for backward), outputs (green), and around them the modules they ran in. Edges show shapes and the norm of the
    gradient that flows back along them, from a backward pass of the drawing's own, which leaves ``grad`` alone. Red is
    NaN or infinite; amber a gradient that is zero everywhere.

    The same program gives the same text, byte for byte.

    Parameters
    ----------
    *outputs : Tensor, or ShapeError, or GradientError or its report
        What to draw the graph of: a loss, several outputs, an op that failed because shapes did not fit, or a failed
        gradient check, in which ops whose own rule is wrong are red.
    model : Module, optional
        Module that parameters and modules are named after. Default: the outermost modules that ran.
    depth : int, optional
        How many levels of modules are drawn open; those below fold to a box each. Default all.
    collapse : collection of str
        Paths of modules to fold, such as ``["encoder.fc1"]``.
    shapes, values, grads : bool
        Whether to show shapes, statistics of values, and gradients. With ``grads=False`` parameters show the
        gradient that is in their ``grad``.
    direction : {"TB", "LR", "BT", "RL"}
        Direction of the forward pass: top to bottom, left to right, and so on.
    theme : {"light", "dark", "print"}
        Colours of the drawing.
    max_nodes : int
        Above this number of boxes, modules are folded, innermost first, and then ops that follow each other; the
        footer says so. Above a fifth of it, a loop or a block that repeats at least three times is drawn once.
    time_limit : float
        Seconds for the layout. A drawing that takes longer is folded further.
    interactive : bool
        Whether a notebook shows the HTML page, in which modules open and the backward pass can be stepped through,
        instead of a still picture.
    profile : bool
        Whether to run each op again, forward and backward, and to show the time it takes and the bytes of its result.

    Returns
    -------
    graphviz.Digraph
        Its ``source`` is the DOT text. It shows itself in notebooks.

    Raises
    ------
    GraphError
        If an earlier backward pass has freed the graph.
    ArgumentError
        If an argument is none of these.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> print(to_dot((x * x).sum(), shapes=False, values=False).source.split("label=")[-1])
    " grad 1.41 "]
    }
    <BLANKLINE>
    """
    from tinygrad_mlp.drawing.describe import study
    from tinygrad_mlp.drawing.render import Digraph
    from tinygrad_mlp.drawing.styles import THEMES

    for name, value, allowed in (("theme", theme, list(THEMES)), ("direction", direction, ["TB", "LR", "BT", "RL"])):
        if value not in allowed:
            raise ArgumentError("draw", expected=f"{name} in {', '.join(allowed)}", got=repr(value))
    found = study(
        *outputs, model=model, collapse=collapse, values=values, grads=grads, histograms=interactive, profile=profile
    )  # fmt: skip
    pictures = found.pictures(depth, max_nodes)
    graph = Digraph(pictures, theme=theme, shapes=shapes, direction=direction, time_limit=time_limit)
    if interactive:
        graph.views, graph.levels = found.views(max_nodes)
    return graph


def draw(*outputs: Any, path: "str | Path | None" = None, **options: "Unpack[Options]") -> "Digraph":
    """Draw the graph behind some Tensors, into a file or for a notebook.

    Parameters
    ----------
    *outputs
        See `to_dot`.
    path : str or Path, optional
        File to write. The suffix selects the format: ``.svg`` and ``.png``; ``.html`` for a page to explore and to step
        through the backward pass with; ``.dot`` for text; ``.pdf`` and whatever else the renderer knows.
    **options
        The keyword arguments of `to_dot`. Without a path, ``interactive`` is True unless it is given.

    Returns
    -------
    graphviz.Digraph
        Shows itself in notebooks, as the page to explore and to step through.

    Raises
    ------
    RendererNotFound
        If no program here makes that format. The DOT text is written then all the same. Programs are tried in this
        order: the one that the environment variable ``TINYGRAD_MLP_DOT`` names, ``dot``, ``graphviz-pure``.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> drawing = draw((x * x).sum())  # with path="graph.html", also a page
    >>> [box.title for box in drawing.picture.boxes]
    ['x', 'multiply', 'sum']
    """
    from pathlib import Path

    if path is None:
        return to_dot(*outputs, **Options(interactive=True) | options)
    path = Path(path)
    graph = to_dot(*outputs, **options | {"interactive": path.suffix.lower() == ".html"})
    graph.save_as(path)
    return graph


def draw_steps(*outputs: Any, directory: "str | Path", **options: "Unpack[Options]") -> "list[Path]":
    """Draw the backward pass step by step, for slides: one SVG before it, and one after each op.

    All have the same size and layout, so that a slide can follow on the other: gradients appear where they arrive, what
    the step did is bold, and above the drawing stands its equation, where there is one, and what it gave.

    Parameters
    ----------
    *outputs
        See `to_dot`.
    directory : str or Path
        Where to write ``step-0.svg``, ``step-1.svg`` and so on, with as many digits as the last one needs. Made if it
        is not there. Other files in it stay as they are.
    **options
        The keyword arguments of `to_dot`.

    Returns
    -------
    list of Path
        The files, in the order of the pass.

    Raises
    ------
    ArgumentError
        If no gradient flows back from the outputs.
    RendererNotFound
        If no program here makes SVG.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     [path.name for path in draw_steps(np.tanh(x * x), directory=directory)]
    ['step-0.svg', 'step-1.svg', 'step-2.svg']
    """
    from pathlib import Path

    from tinygrad_mlp.drawing.steps import frames
    from tinygrad_mlp.files import write_atomically

    graph = to_dot(*outputs, **options)
    if not graph.picture.steps:
        fix = "Draw a result that depends on a Tensor with requires_grad=True, and leave grads=True."
        raise ArgumentError("draw_steps", expected="outputs that gradients flow back from", got="none", fix=fix)
    drawn = list(frames(graph))
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"step-{number:0{len(str(len(drawn) - 1))}}.svg" for number in range(len(drawn))]
    for path, frame in zip(paths, drawn, strict=True):
        write_atomically(path, frame)
    return paths
