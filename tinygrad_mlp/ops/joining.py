"""Functions that join arrays and cut them up, through those that have rules."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_mlp.errors import ArgumentError, ShapeError
from tinygrad_mlp.rules import composite


@composite(np.atleast_1d)
def _(*arys):
    results = tuple(np.reshape(x, (1,)) if np.ndim(x) == 0 else x for x in arys)
    return results if len(results) > 1 else results[0]


@composite(np.atleast_2d)
def _(*arys):
    results = tuple(np.reshape(x, (1,) * (2 - np.ndim(x)) + np.shape(x)) if np.ndim(x) < 2 else x for x in arys)
    return results if len(results) > 1 else results[0]


@composite(np.atleast_3d)
def _(*arys):
    added = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}
    results = tuple(np.expand_dims(x, added[np.ndim(x)]) if np.ndim(x) < 3 else x for x in arys)
    return results if len(results) > 1 else results[0]


@composite(np.vstack)
def _(tup, **dtype_and_casting):
    return np.concatenate([np.atleast_2d(x) for x in tup], axis=0, **dtype_and_casting)


@composite(np.hstack)
def _(tup, **dtype_and_casting):
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1, **dtype_and_casting)


@composite(np.dstack)
def _(tup):
    return np.concatenate([np.atleast_3d(x) for x in tup], axis=2)


@composite(np.column_stack)
def _(tup):
    return np.concatenate([np.reshape(x, (np.size(x), 1)) if np.ndim(x) < 2 else x for x in tup], axis=1)


@composite(np.append)
def _(arr, values, axis=None):
    if axis is None:
        arr, values, axis = np.ravel(arr), np.ravel(values), 0
    return np.concatenate([arr, values], axis=axis)


@composite(np.block)
def _(arrays):
    def depth(blocks):
        return 1 + depth(blocks[0]) if isinstance(blocks, list) else 0

    def ndims(blocks):
        return max(map(ndims, blocks)) if isinstance(blocks, list) else np.ndim(blocks)

    def joined(blocks, axis):
        if isinstance(blocks, list):
            return np.concatenate([joined(block, axis + 1) for block in blocks], axis=axis)
        return np.reshape(blocks, (1,) * (ndim - np.ndim(blocks)) + np.shape(blocks))

    ndim = max(ndims(arrays), depth(arrays))
    return joined(arrays, -depth(arrays))


@composite(np.array_split)
def _(ary, indices_or_sections, axis=0):
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        if indices_or_sections < 1:
            raise ArgumentError("np.array_split", expected="at least one section", got=str(indices_or_sections))
        each, longer = divmod(n, indices_or_sections)
        cuts = [i * each + min(i, longer) for i in range(1, indices_or_sections)]
    else:
        cuts = list(indices_or_sections)
    before = (slice(None),) * (axis % ary.ndim)
    return [ary[(*before, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, n], strict=True)]


@composite(np.split)
def _(ary, indices_or_sections, axis=0):
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % indices_or_sections:
        msg = "array split does not result in an equal division"
        raise ValueError(msg)
    return np.array_split(ary, indices_or_sections, axis)


def at_least(where, x, ndim):
    """Raise where x has fewer axes."""
    if x.ndim < ndim:
        raise ShapeError(where, expected=f"an array of {ndim} or more dimensions", got=f"one of shape {x.shape}")


@composite(np.vsplit)
def _(ary, indices_or_sections):
    at_least("np.vsplit", ary, 2)
    return np.split(ary, indices_or_sections, 0)


@composite(np.hsplit)
def _(ary, indices_or_sections):
    at_least("np.hsplit", ary, 1)
    return np.split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1)


@composite(np.dsplit)
def _(ary, indices_or_sections):
    at_least("np.dsplit", ary, 3)
    return np.split(ary, indices_or_sections, 2)


@composite(np.unstack)
def _(x, /, *, axis=0):
    at_least("np.unstack", x, 1)
    return tuple(np.moveaxis(x, axis, 0))


@composite(np.broadcast_arrays)
def _(*args, subok=False):
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(x, shape) for x in args)


@composite(np.meshgrid)
def _(*xi, copy=True, sparse=False, indexing="xy"):
    n = len(xi)
    grids = [np.reshape(x, (1,) * i + (-1,) + (1,) * (n - 1 - i)) for i, x in enumerate(xi)]
    if indexing == "xy" and n > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    return tuple(grids) if sparse else tuple(np.broadcast_arrays(*grids))


@composite(np.apply_along_axis)
def _(func1d, axis, arr, *args, **kwargs):
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    if 0 in rows.shape[:-1]:
        raise ShapeError("np.apply_along_axis", expected="rows to apply the function to", got=f"none in {arr.shape}")
    results = [func1d(rows[index], *args, **kwargs) for index in np.ndindex(*rows.shape[:-1])]
    stacked = np.reshape(np.stack(results), rows.shape[:-1] + np.shape(results[0]))
    added = np.ndim(results[0])
    return np.moveaxis(stacked, range(-added, 0), range(axis, axis + added))
