"""``tinygrad-mlp learn``: exercises with a blank, and what is wrong with an attempt, in words."""

import json
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinygrad_mlp.commands.course import EXERCISES, Exercise, explain
from tinygrad_mlp.errors import ArgumentError, DataError
from tinygrad_mlp.files import write_atomically

PROGRESS = "progress.json"
PASS = 0.9  # accuracy that the last exercise must reach on the test images


def sources() -> Path:
    """The directory of the exercises: in the wheel, or in a checkout."""
    inside = Path(__file__).parent / "exercises"
    return inside if inside.exists() else Path(__file__).parents[2] / "examples" / "course"


def learn(directory: Path, number: int | None = None, *, check: bool = False) -> Iterator[str]:
    """Lay out the exercises and list them, or check one; the lines to print."""
    directory.mkdir(parents=True, exist_ok=True)
    for exercise in EXERCISES:
        if not (directory / exercise.file).exists():
            shutil.copyfile(sources() / exercise.file, directory / exercise.file)
    done = read_progress(directory)
    if number is not None and not 1 <= number <= len(EXERCISES):
        raise ArgumentError("learn", expected=f"an exercise from 1 to {len(EXERCISES)}", got=str(number))
    following = next((i for i, e in enumerate(EXERCISES, 1) if e.file not in done), None)
    number = number or following
    if check and number:
        exercise = EXERCISES[number - 1]
        if problem := diagnosis(exercise, directory / exercise.file):
            yield f"{exercise.file}: {problem}"
            return
        yield f"{exercise.file}: right."
        done = sorted({*done, exercise.file})
        write_atomically(directory / PROGRESS, json.dumps(done).encode())
        number = following = next((i for i, e in enumerate(EXERCISES, 1) if e.file not in done), None)
    else:
        for exercise in EXERCISES:
            yield f"[{'x' if exercise.file in done else ' '}] {exercise.file}"
    if number is None:
        yield "All exercises are solved."
        return
    path = directory / EXERCISES[number - 1].file
    numbered = "" if number == following else f" {number}"
    yield ""
    yield f"Next: {path}. Fill in the blank, then: tinygrad-mlp learn{numbered} --check"
    yield "\n" + path.read_text(encoding="utf-8")


def read_progress(directory: Path) -> list[str]:
    """The files of the exercises that are solved."""
    path = directory / PROGRESS
    if not path.exists():
        return []
    try:
        return [str(name) for name in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DataError(str(path), expected="a list of file names", got="something else", fix="Remove it.") from error


def diagnosis(exercise: Exercise, path: Path) -> str | None:
    """What is wrong with the attempt in a file; None if nothing is."""
    try:
        attempt = runpy.run_path(str(path)).get(exercise.function)
    except Exception as error:
        return f"It raised {type(error).__name__}: {error}"
    if not callable(attempt):
        return f"It defines no function {exercise.function}."
    if problem := explain(exercise, attempt):
        return problem
    if exercise is EXERCISES[-1] and (accuracy := trained(attempt)) < PASS:
        return f"The gradients are right in the small, but training reaches {accuracy:.1%} only."
    return None


def trained(gradients: object) -> float:
    """The accuracy on MNIST of 784-32-10 after two epochs on a third of the images, by someone's gradients."""
    from tinygrad_mlp.data import batches, load_mnist, to_float

    assert callable(gradients)  # noqa: S101 - for the type checker
    rng = np.random.default_rng(0)
    train, test = load_mnist()
    W1, W2 = rng.normal(0, np.sqrt(2 / 784), (784, 32)), rng.normal(0, np.sqrt(2 / 32), (32, 10))
    weights = [W1, np.zeros(32), W2, np.zeros(10)]
    for _ in range(2):
        for x, y in batches(train.images[:20000], train.labels[:20000], 64, rng=rng):
            for w, g in zip(weights, gradients(to_float(x).astype(np.float64), np.eye(10)[y], *weights), strict=True):
                w -= 0.3 * g
    scores = np.maximum(0, to_float(test.images) @ weights[0] + weights[1]) @ weights[2] + weights[3]
    return float(np.mean(scores.argmax(axis=1) == test.labels))
