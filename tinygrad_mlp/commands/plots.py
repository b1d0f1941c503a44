"""The pictures of a training run, drawn by matplotlib (``pip install 'tinygrad-mlp[plots]'``)."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mlp.errors import MissingExtraError
from tinygrad_mlp.files import write_atomically
from tinygrad_mlp.train.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
INK, ACCENT = "#1f4e79", "#c55a11"


def figure(width: float, height: float) -> "Figure":
    """A blank figure of this size in inches, in no window and in no global list."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "plots", expected="matplotlib", got="none", fix="pip install 'tinygrad-mlp[plots]'"
        ) from error
    return Figure(figsize=(width, height))


def save(page: "Figure", path: Path) -> None:
    """Write a figure as PNG, atomically."""
    content = io.BytesIO()
    page.savefig(content, dpi=100, format="png")
    write_atomically(path, content.getvalue())


def save_curves(path: Path, history: History, loss_name: str = "loss") -> None:
    """Loss, accuracy and learning rate over the epochs."""
    page = figure(9, 3)
    epochs = history.column("epoch")
    loss, accuracy, rate = page.subplots(
        1, 3, gridspec_kw={"left": 0.05, "right": 0.99, "bottom": 0.16, "wspace": 0.25}
    )
    loss.plot(epochs, history.column("train_loss"), "o-", color=INK, markersize=3, label="training")
    if history[-1]["val_loss"] is not None:
        loss.plot(epochs, history.column("val_loss"), "s--", color=ACCENT, markersize=3, label="validation")
    loss.set_title(loss_name)
    loss.legend()
    if history[-1]["val_accuracy"] is not None:
        accuracy.plot(epochs, [100 * a for a in history.column("val_accuracy")], "s--", color=ACCENT, markersize=3)
    accuracy.set_title("validation accuracy, %")
    rate.plot(epochs, history.column("lr"), "o-", color=INK, markersize=3)
    rate.set_title("learning rate")
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    save(page, path)


def save_confusion(path: Path, labels: Array, predicted: Array, classes: int) -> None:
    """How often each true class (row) was taken for each class (column); the shade shows the mistakes alone."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    mistakes = counts * (1 - np.eye(classes))
    page = figure(5.5, 5.5)
    axes = page.subplots()
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1.0, mistakes.max() * 1.3))
    for true, guess in np.argwhere(counts):
        weight = "bold" if true == guess else "normal"
        axes.text(guess, true, str(counts[true, guess]), ha="center", va="center", fontsize=8, weight=weight)
    axes.set_xticks(range(classes))
    axes.set_yticks(range(classes))
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{int(mistakes.sum())} of {len(labels):,} test images wrong")
    save(page, path)


def mosaic(tiles: Array, columns: int, *, above: int = 2) -> Array:
    """Images of one size in one sheet, row by row, with ``above`` empty rows over each and 2 empty columns between.

    >>> mosaic(np.ones((3, 1, 2)), columns=2, above=1).shape
    (4, 8)
    """
    _, height, width = tiles.shape
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + above), columns * (width + 2)), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + above) + above, i % columns * (width + 2)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def save_weights(path: Path, weight: Array, height: int, width: int) -> None:
    """The weights into each hidden unit as an image: blue where ink speaks for the unit, red where against it."""
    units = weight.T.reshape(-1, height, width)
    columns = int(np.ceil(np.sqrt(len(units) * 2)))
    page = figure(columns * 0.55, -(-len(units) // columns) * 0.55 + 0.4)
    axes = page.add_axes((0, 0, 1, 0.92))
    limit = np.quantile(np.abs(weight), 0.998)  # the few largest would leave all others pale
    axes.imshow(mosaic(units, columns), cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"weights into the {len(units)} hidden units, ±{limit:.2f}")
    save(page, path)


def save_errors(path: Path, images: Array, labels: Array, probabilities: Array, count: int = 24) -> None:
    """The most confident mistakes: each image with its class, the predicted class and the probability of that."""
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    _, height, width = images.shape
    columns, above = 6, height // 3
    page = figure(8, 6)
    axes = page.add_axes((0, 0, 1, 0.93))
    axes.set_title("the most confident mistakes: true class, predicted class, probability")
    axes.set_axis_off()
    if len(worst):
        axes.imshow(mosaic(images[worst], columns, above=above), cmap="gray_r", interpolation="nearest")
    for place, i in enumerate(worst):
        x, y = place % columns * (width + 2) + width / 2, (place // columns + 0.15) * (height + above)
        text = f"{labels[i]}, not {predicted[i]} ({100 * confidence[i]:.0f} %)"
        axes.text(x, y, text, fontsize=8, ha="center", va="center")
    save(page, path)
