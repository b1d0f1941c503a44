"""What pytest leaves alone here: a script that trains as soon as it is imported, with PyTorch."""

collect_ignore = ["torch_mnist.py"]
