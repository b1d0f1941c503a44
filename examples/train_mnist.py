"""Train the 784-128-10 network on MNIST with the Python API: one epoch, some seconds."""

import numpy as np

import tinygrad_mlp as tg

train, test = tg.data.load_mnist()
rng = np.random.default_rng(0)
model = tg.nn.MLP(784, 128, 10, rng=rng)
steps = -(-len(train.images) // 128)
schedule = tg.optim.schedules.warmup(tg.optim.schedules.cosine(0.005, steps), 20)
optimizer = tg.optim.AdamW(model.named_parameters(), schedule, weight_decay=0.1)

trainer = tg.train.Trainer(model, optimizer, callbacks=[tg.train.Progress()])
trainer.fit(train, test, epochs=1, batch_size=128, rng=rng)

loss, accuracy = trainer.evaluate(*test)
print(f"test loss {loss:.4f}, test accuracy {100 * accuracy:.2f} %")
