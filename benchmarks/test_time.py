"""How the numbers of dynamic evaluation and of the neural cache were chosen: on training text.

    python benchmarks/test_time.py dynamic
    python benchmarks/test_time.py cache
    python benchmarks/test_time.py dynamic --dry-run --tokens 2000

The last tokens of a model's training text are read once with each number to try; the validation
text plays no part. Nothing is drawn, so there is no seed.
"""

import argparse
import hashlib
import itertools

import _common
import numpy as np

RATES, DECAYS = (2e-4, 4e-4, 8e-4, 1.6e-3), (0.001, 0.003, 0.01, 0.03)
SHARES, THETAS = (0.02, 0.05, 0.1, 0.2), (0.03, 0.1, 0.3)


def training_text(name, tokens, data_dir):
    """The model, the last ids of its training text, and a sentence that says what they are."""
    import rnnzoo
    from rnnzoo.publishing.at_test_time import last_tokens
    from rnnzoo.publishing.evaluate import make_task, read_record

    model = rnnzoo.load(name)
    record = read_record(rnnzoo.zoo.find(name).parent)
    task = make_task(record, model, "validation", data_dir=data_dir)
    train = task.parts[0]
    ids = last_tokens(train, tokens)
    flat = np.concatenate(ids) if isinstance(ids, list) else np.asarray(ids)
    digest = hashlib.sha256(np.ascontiguousarray(flat, np.int32)).hexdigest()[:8]
    return model, train, ids, f"the last {len(flat):,} ids of its training text ({digest}...)"


def dynamic(tokens, data_dir):
    """Mean nats at each rate and decay, of the small model of Shakespeare."""
    from rnnzoo.test_time import dynamic_evaluation, mean_squared_gradients, token_nats

    model, train, ids, said = training_text("char_lstm_shakespeare_small", tokens, data_dir)
    squares = mean_squared_gradients(model, train[-2 * tokens : -tokens])
    rows = [["none", "", f"{token_nats(model, ids).mean():.4f}"]]
    for rate, decay in itertools.product(RATES, DECAYS):
        nats = dynamic_evaluation(model, ids, squares, rate=rate, decay=decay)
        rows.append([f"{rate:g}", f"{decay:g}", f"{nats.mean():.4f}"])
        print(*rows[-1], flush=True)
    text = (
        f"`char_lstm_shakespeare_small` on {said}, in one row, 64 at a time; mean squared "
        f"gradients of as many before.\n\n{_common.table(['rate', 'decay', 'nats'], rows)}"
    )
    return "At test time: the rate of dynamic evaluation", text


def cache(tokens, data_dir):
    """Mean nats at each share and theta, of the model of film reviews."""
    from rnnzoo.test_time import neural_cache, token_nats

    model, _, ids, said = training_text("word_lm_imdb", tokens, data_dir)
    rows = [["none", "", f"{token_nats(model, ids).mean():.4f}"]]
    for theta in THETAS:
        for share in SHARES:
            nats = neural_cache(model, ids, share=share, theta=theta)
            rows.append([theta, share, f"{nats.mean():.4f}"])
            print(*rows[-1], flush=True)
    table = _common.table(["theta", "share", "nats"], rows)
    return (
        "At test time: the neural cache",
        f"`word_lm_imdb` on {said}, 500 tokens back.\n\n{table}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=("dynamic", "cache"))
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--data-dir", help="a folder that has the corpora")
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    args = parser.parse_args()
    title, text = {"dynamic": dynamic, "cache": cache}[args.way](args.tokens, args.data_dir)
    write = _common.show if args.dry_run else _common.write_section
    write(title, text)


if __name__ == "__main__":
    main()
