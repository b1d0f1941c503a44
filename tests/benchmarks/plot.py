"""Plot what ``bench.py steps --json FILE`` measured: ``python tests/benchmarks/plot.py FILE docs/performance.svg``."""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

STYLES = {
    "ours": ("tinygrad_mlp", "o-", "#1f4e79", 2.5), "jax": ("JAX jit", "s--", "#2e8b57", 1.2),
    "torch_fused": ("PyTorch eager, fused", "^--", "#c55a11", 1.2), "torch": ("PyTorch eager", "v:", "#c55a11", 1.2),
    "numpy": ("by hand in NumPy", "d:", "#777777", 1.2), "autograd": ("autograd", "x:", "#9467bd", 1.2),
    "mygrad": ("MyGrad", "+:", "#8c564b", 1.2), "sklearn": ("scikit-learn", "*:", "#bcbd22", 1.2),
}  # fmt: skip


def main(source: Path, target: Path) -> None:
    """Draw the ratio to the five matrix products over the batch size, for each optimizer."""
    results = json.loads(source.read_text())
    page = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, optimizer in zip(page.subplots(1, 2, sharey=True), ("adamw", "sgd"), strict=True):
        found = {key.split(",")[0].split()[1]: rows for key, rows in results.items() if f" {optimizer}," in key}
        for name, (label, line, colour, width) in STYLES.items():
            points = [(int(batch), rows[name]["ratio"]) for batch, rows in found.items() if name in rows]
            if points:
                axes.plot(*zip(*points, strict=True), line, color=colour, linewidth=width, markersize=5, label=label)
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks([int(batch) for batch in found], list(found))
        axes.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        axes.set_xlabel("batch size")
        axes.set_title({"adamw": "a step with AdamW", "sgd": "a step with SGD"}[optimizer])
        axes.grid(alpha=0.3)
    page.axes[0].set_ylabel("time ÷ five matrix products")
    page.axes[1].legend(fontsize=8)
    page.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
