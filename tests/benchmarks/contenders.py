"""One training step of 784-128-10, in every library; each contender runs in a process of its own.

``python contenders.py NAME BATCH OPTIMIZER`` builds the step, then reads numbers of steps from standard input, a line
each, runs that many, and answers with the seconds per step. `bench.py` drives it.
"""

import sys
import time

import numpy as np

SIZES = (784, 128, 10)
LR, BETA1, BETA2, EPS, DECAY = 1e-6, 0.9, 0.999, 1e-8, 0.01
# Labels change from step to step and the rate is low, so that nobody trains into denormal numbers: at a rate of 1e-3
# nine of ten units die within 100 steps, and Adam's sums for them decay until they are denormal.
LABEL_SETS = 64


def data(batch):
    """A batch of images, and many sets of labels for it."""
    rng = np.random.default_rng(0)
    return rng.random((batch, SIZES[0]), dtype=np.float32), rng.integers(0, SIZES[2], (LABEL_SETS, batch))


def weights():
    """W1, b1, W2, b2 by He's rule."""
    rng = np.random.default_rng(1)
    d, h, c = SIZES
    w1, w2 = rng.normal(0, np.sqrt(2 / d), (d, h)), rng.normal(0, np.sqrt(2 / h), (h, c))
    return [a.astype(np.float32) for a in (w1, np.zeros(h), w2, np.zeros(c))]


def limit(batch, optimizer):
    """The five matrix products of a step and nothing else, into arrays that are there already."""
    x, _ = data(batch)
    w1, _, w2, _ = weights()
    h, z = np.empty((batch, SIZES[1]), np.float32), np.empty((batch, SIZES[2]), np.float32)
    dz, dh = np.random.default_rng(2).random(z.shape, dtype=np.float32), np.empty_like(h)
    gw1, gw2 = np.empty_like(w1), np.empty_like(w2)

    def step(i):
        np.matmul(x, w1, out=h)
        np.matmul(h, w2, out=z)
        np.matmul(h.T, dz, out=gw2)
        np.matmul(dz, w2.T, out=dh)
        np.matmul(x.T, dh, out=gw1)

    return step


def ours(batch, optimizer):
    """tinygrad_mlp: zero_grad, forward, cross_entropy, backward, step."""
    import tinygrad_mlp as tg

    tg.train.keep_freed_memory()
    x, labels = data(batch)
    model = tg.nn.MLP(*SIZES, rng=1)
    if optimizer == "adamw":
        update = tg.optim.AdamW(model.parameters(), LR, weight_decay=DECAY)
    else:
        update = tg.optim.SGD(model.parameters(), LR)

    def step(i):
        update.zero_grad()
        tg.cross_entropy(model(x), labels[i % LABEL_SETS]).backward()
        update.step()

    return step


def updater(params, optimizer):
    """SGD or AdamW as one would write it in NumPy, for the contenders that bring none."""
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    t = 0

    def update(gradients):
        nonlocal t
        t += 1
        for k, g in enumerate(gradients):
            if optimizer == "sgd":
                params[k] -= LR * g
                continue
            m[k] = BETA1 * m[k] + (1 - BETA1) * g
            v[k] = BETA2 * v[k] + (1 - BETA2) * g * g
            step = m[k] / (1 - BETA1**t) / (np.sqrt(v[k] / (1 - BETA2**t)) + EPS)
            params[k] *= 1 - LR * DECAY
            params[k] -= LR * step

    return update


def numpy(batch, optimizer):
    """The equations of the document by hand."""
    x, labels = data(batch)
    params = weights()
    update = updater(params, optimizer)

    def step(i):
        w1, b1, w2, b2 = params
        a1 = x @ w1 + b1
        h = np.maximum(a1, 0)
        z = h @ w2 + b2
        e = np.exp(z - z.max(axis=1, keepdims=True))
        dz = e / e.sum(axis=1, keepdims=True)
        dz[np.arange(batch), labels[i % LABEL_SETS]] -= 1
        dz /= batch
        da1 = (dz @ w2.T) * (a1 > 0)
        update([x.T @ da1, da1.sum(axis=0), h.T @ dz, dz.sum(axis=0)])

    return step


def torch(batch, optimizer, fused=False):
    """PyTorch, eager."""
    import torch as pt

    pt.set_num_threads(int(__import__("os").environ["OMP_NUM_THREADS"]))
    x, labels = data(batch)
    x, labels = pt.from_numpy(x), pt.from_numpy(labels)
    model = pt.nn.Sequential(pt.nn.Linear(*SIZES[:2]), pt.nn.ReLU(), pt.nn.Linear(*SIZES[1:]))
    make = pt.optim.AdamW if optimizer == "adamw" else pt.optim.SGD
    settings = {"weight_decay": DECAY} if optimizer == "adamw" else {}
    update = make(model.parameters(), lr=LR, fused=fused or None, **settings)
    loss = pt.nn.CrossEntropyLoss()

    def step(i):
        update.zero_grad()
        loss(model(x), labels[i % LABEL_SETS]).backward()
        update.step()

    return step


def torch_fused(batch, optimizer):
    """PyTorch, eager, with its fused optimizer."""
    return torch(batch, optimizer, fused=True)


def jax(batch, optimizer):
    """JAX: the whole step under jit, buffers donated."""
    import functools

    import jax
    from jax import numpy as jnp

    x, labels = data(batch)
    x, labels = jnp.asarray(x), [jnp.asarray(row) for row in labels]

    def loss(params, y):
        w1, b1, w2, b2 = params
        z = jax.nn.relu(x @ w1 + b1) @ w2 + b2
        return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(batch), y])

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(params, m, v, t, y):
        g = jax.grad(loss)(params, y)
        tree = jax.tree_util.tree_map
        if optimizer == "sgd":
            return tree(lambda p, g: p - LR * g, params, g), m, v
        m = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
        v = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)

        def new(p, m, v):
            return p * (1 - LR * DECAY) - LR * m / (1 - BETA1**t) / (jnp.sqrt(v / (1 - BETA2**t)) + EPS)

        return tree(new, params, m, v), m, v

    state = [[jnp.asarray(w) for w in weights()]] + [[jnp.zeros_like(w) for w in weights()] for _ in range(2)]

    def step(i):
        state[:] = train(*state, float(i + 1), labels[i % LABEL_SETS])
        state[0][0].block_until_ready()

    return step


def autograd(batch, optimizer):
    """HIPS autograd."""
    import autograd as ag
    from autograd import numpy as anp

    x, labels = data(batch)
    params = weights()
    update = updater(params, optimizer)

    def loss(params, y):
        w1, b1, w2, b2 = params
        z = anp.maximum(anp.dot(x, w1) + b1, 0) @ w2 + b2
        z = z - anp.max(z, axis=1, keepdims=True)
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
        return -anp.mean(log_p[anp.arange(batch), y])

    gradient = ag.grad(loss)

    def step(i):
        update(gradient(params, labels[i % LABEL_SETS]))

    return step


def mygrad(batch, optimizer):
    """MyGrad."""
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    x, labels = data(batch)
    params = weights()
    update = updater(params, optimizer)

    def step(i):
        w1, b1, w2, b2 = tensors = [mg.tensor(p) for p in params]
        z = mg.matmul(relu(mg.matmul(x, w1) + b1), w2) + b2
        softmax_crossentropy(z, labels[i % LABEL_SETS]).backward()
        update([t.grad for t in tensors])

    return step


def sklearn(batch, optimizer):
    """scikit-learn's MLPClassifier.partial_fit; it has Adam, not AdamW."""
    from sklearn.neural_network import MLPClassifier

    x, labels = data(batch)
    solver = {"solver": "adam"} if optimizer == "adamw" else {"solver": "sgd", "momentum": 0.0}
    model = MLPClassifier(SIZES[1:2], batch_size=batch, learning_rate_init=LR, **solver)
    classes = np.arange(SIZES[2])

    def step(i):
        model.partial_fit(x, labels[i % LABEL_SETS], classes=classes)

    return step


OURS = (limit, ours, numpy)
PEERS = (torch, torch_fused, jax, autograd, mygrad, sklearn)


def main(name, batch, optimizer):
    """Run steps on demand."""
    step = globals()[name](int(batch), optimizer)
    done = 0
    for line in sys.stdin:
        count = int(line)
        started = time.perf_counter()
        for i in range(done, done + count):
            step(i)
        print((time.perf_counter() - started) / count, flush=True)
        done += count


if __name__ == "__main__":
    main(*sys.argv[1:])
