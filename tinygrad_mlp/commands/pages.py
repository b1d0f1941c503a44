"""What ``--help`` says of each command besides its options: what it does, and examples."""

import argparse
import textwrap

PAGES = {
    "train": (
        "Train a fully connected network with a softmax and cross-entropy loss on MNIST, or on data of the same form. "
        "A line for each epoch is printed. The weights, every setting, the history, pictures and report.html, which "
        "shows all of it, are written into a directory of their own, also when training is interrupted.",
        {
            "tinygrad-mlp train": "784-128-10 for ten epochs, in some seconds, to 98.4 % on the test images",
            "tinygrad-mlp train --hidden 256 128 --dropout 0.2 --epochs 20 --out runs/wide": "another network",
            "tinygrad-mlp train --resume runs/wide --epochs 40": "train it longer",
        },
    ),
    "eval": (
        "Count how many test images a trained network gets right, and compute its cross-entropy on them.",
        {
            "tinygrad-mlp eval runs/wide": "on the test images of the data that it was trained on",
            "tinygrad-mlp eval runs/wide --data mnist.npz": "on those of another file",
        },
    ),
    "predict": (
        "Say for each image which class the network takes it for, and with which probability. Of a drawing the ink is "
        "cut out, scaled and centred as the digits of MNIST are, whatever its paper; --show writes what the network "
        "saw. A network that was trained on pictures of another kind is shown the whole picture.",
        {
            "tinygrad-mlp predict runs/wide digit.png": "prints: digit.png: class 7, probability 0.9987",
            "tinygrad-mlp predict runs/wide a.jpg b.jpg --show seen.png": "with a sheet of what the network saw",
            "tinygrad-mlp predict runs/wide images.npy": "an array of images, a line each",
        },
    ),
    "draw": (
        "Draw the graph of a network and its loss: parameters, operations and modules, with shapes, values and the "
        "gradients that flow back. No Graphviz needs to be installed.",
        {
            "tinygrad-mlp draw --out graph.svg": "the untrained 784-128-10 network",
            "tinygrad-mlp draw --checkpoint runs/wide --out graph.html": "a page that steps through the backward pass",
            "tinygrad-mlp draw --out graph.svg --depth 1 --direction LR": "with each layer folded to a box",
        },
    ),
    "source": (
        "Print the forward and the backward pass as one NumPy function: what training runs, and what you would "
        "write by hand.",
        {
            "tinygrad-mlp source": "of 784-128-10",
            "tinygrad-mlp source --checkpoint runs/wide > step.py": "of a trained network, into a file",
        },
    ),
    "export": (
        "Write a trained network as an ONNX file, which other runtimes read. The file is tried before it is kept.",
        {"tinygrad-mlp export runs/wide --out wide.onnx": "the network from its images to its ten scores"},
    ),
    "check": (
        "Compare the rules of the network's operations, and then the gradients of its whole loss, with numerical "
        "derivatives, at orders 1 and 2. A line is printed for each; the exit status is 1 if one is wrong.",
        {"tinygrad-mlp check": "in a few seconds"},
    ),
    "learn": (
        "Learn backpropagation by exercises, each a file with a blank. The files are written into a directory; the "
        "exercises are listed and the next one is shown. An attempt is checked, and what is wrong with it is said in "
        "words, but never the solution.",
        {
            "tinygrad-mlp learn": "write the files, and show the first exercise",
            "tinygrad-mlp learn --check": "check the attempt at it, and go on to the next when it is right",
            "tinygrad-mlp learn 5": "show the fifth",
        },
    ),
    "data": (
        "Print the number of images, their size and the number of each class; of the MNIST inside, also the checksum "
        "of each file beside the published one.",
        {
            "tinygrad-mlp data": "the MNIST inside",
            "tinygrad-mlp data --data images/": "a directory of IDX files",
        },
    ),
}

# The sections of the page of train, each with the setting that begins it.
SECTIONS = {"data": "data and network", "optimizer": "optimizer", "epochs": "length and randomness"}


def examples(command: str) -> str:
    """The examples of a command, each with what it does below it."""
    return "examples:\n" + "\n".join(f"  {line}\n      {does}" for line, does in PAGES[command][1].items())


class PageFormatter(argparse.HelpFormatter):
    """Wraps sentences, and leaves indented lines as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (line if line.startswith(" ") else textwrap.fill(line, width) for line in text.splitlines())
        return textwrap.indent("\n".join(lines), indent)
