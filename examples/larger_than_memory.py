"""The exact gradient over data that need not fit into memory, on Dask's arrays.

The images are a chunked array. Forward and backward build a graph of tasks; ``compute`` then goes through it chunk by
chunk, so that no more than a few chunks are in memory at a time. The gradient is that over all images at once, and is
compared with the one computed in memory. Needs the extra ``dask``.
"""

import dask
import dask.array as da
import numpy as np

import tinygrad_mlp as tg

CHUNK = 500  # images

data = tg.data.load_mnist()
images, labels = tg.data.to_float(data.test.images[:4000]), data.test.labels[:4000]
model = tg.nn.MLP(784, 128, 10, rng=0)

tg.cross_entropy(model(images), labels).backward()
in_memory = [p.grad for p in model.parameters()]
model.zero_grad()

for p in model.parameters():
    p.data = da.from_array(p.data, chunks=-1)
chunked = da.from_array(images, chunks=(CHUNK, -1))  # or da.from_zarr, da.from_npy_stack, da.map_blocks over files
tg.cross_entropy(model(chunked), da.from_array(labels, chunks=CHUNK)).backward()
gradients = dask.compute(*[p.grad for p in model.parameters()], scheduler="synchronous")

print(f"{chunked.numblocks[0]} chunks of {CHUNK} images")
for (name, _), ours, exact in zip(model.named_parameters(), gradients, in_memory, strict=True):
    difference = np.abs(ours - exact).max() / np.abs(exact).max()
    print(f"{name}: largest difference from the gradient in memory, relative to its largest element: {difference:.1e}")
    if difference > 1e-5:
        raise SystemExit("the gradients differ")
