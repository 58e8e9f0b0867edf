"""Averages of a momentum that grows, and of a fixed one, of one and the same training.

    python benchmarks/averaging.py
    python benchmarks/averaging.py --batches 400 --dry-run

A character LSTM of 48 units on the first 300,000 characters of tiny Shakespeare, the last tenth of
them held out; 16 x 32, Adam with half a cosine down to a hundredth. After some batches the
validation loss of its own weights and of each average is measured. The growing one is
`(1 + n) / (10 + n)` after n batches, up to the momentum.
"""

import argparse

import _common

MOMENTA = (0.99, 0.999)


def run(batches, text_length=300_000):
    """Trains; returns for each of some batches the losses by name."""
    import keras

    import rnnzoo
    from rnnzoo.data import corpora, stream_batches
    from rnnzoo.optimizers import adam

    text = corpora.load("tiny_shakespeare").text[:text_length]
    vocabulary = rnnzoo.Vocabulary.from_text(text)
    train, held_out = stream_batches(
        vocabulary.encode(text), batch_size=16, sequence_length=32, validation_split=0.1
    )
    keras.utils.set_random_seed(0)
    model = rnnzoo.char_lstm(vocabulary, units=48, num_layers=1, embedding_dim=16, dropout=0.1)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, batches, alpha=0.01)
    model.compile(adam(rate, global_clipnorm=1.0))
    averages, found = {}, {}

    def loss_of(weights):
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        return model.evaluate(held_out, verbose=0, return_dict=True)["loss"]

    class Average(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            own = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
            for most in MOMENTA:
                growing = min(most, (1 + batch) / (10 + batch))
                for name, momentum in ((f"fixed {most}", most), (f"growing {most}", growing)):
                    before = averages.get(name, own)
                    averages[name] = [
                        momentum * old + (1 - momentum) * new
                        for old, new in zip(before, own, strict=True)
                    ]
            if batch + 1 in (batches // 20, batches // 5, batches // 2, batches):
                everyone = {"own weights": own, **averages}
                found[batch + 1] = {name: loss_of(each) for name, each in everyone.items()}
                loss_of(own)

    model.fit(
        train.repeat(), steps_per_epoch=batches, epochs=1, verbose=0, callbacks=[Average()]
    )  # fmt: skip
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=2000)
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    args = parser.parse_args()
    found = run(args.batches)
    names = list(next(iter(found.values())))
    rows = [[f"{step:,}", *(f"{each[name]:.4f}" for name in names)] for step, each in found.items()]
    text = (
        "One training of a character LSTM of 48 units on 270,000 characters of tiny Shakespeare "
        f"(corpus 86c4e6aa...), {args.batches:,} batches of 16 x 32, seed 0: validation loss in "
        "nats per character of its own weights, and of their averages by a fixed momentum and by "
        "one that grows up to it.\n\n" + _common.table(["batches", *names], rows)
    )
    write = _common.show if args.dry_run else _common.write_section
    write("Averaged weights", text)


if __name__ == "__main__":
    main()
