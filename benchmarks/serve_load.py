"""The server under load: 1, 8 and 64 clients at once.

    python benchmarks/serve_load.py
    python benchmarks/serve_load.py --memory --requests 10000

It serves a published model in a process of its own, on this machine, and lets clients stream texts
of 300 characters, the same texts for each number of clients. Each is compared with `model.generate`
of its seed, alone: it may differ only from a place on where the number that was drawn lies between
the two characters, within 1e-4 (another number of rows rounds in another order). With any other
difference the script ends with an error and writes nothing. Times are of a text's first part, and
of each next character: a part has up to four, whose time is divided among them. Characters a second
are those of all clients together. The clients share the cores with the server. With `--memory`, 8
clients send requests of all kinds instead, whole, streamed, with alternatives, given up and
refused, and the memory of the server's process is read from its `/metrics` after each tenth of
them. The rows become a section of RESULTS.md.
"""

import argparse
import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import _common
import numpy as np
from keras import ops

import rnnzoo
from rnnzoo.generation.inputs import chances
from rnnzoo.generation.samplers import TemperatureSampler

LENGTH, CLIENTS = 300, (1, 8, 64)
PROMPT, TEMPERATURE = "ROMEO:", 0.8
TIE = 1e-4  # of a probability


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="char_lstm_shakespeare", help="writes characters")
    parser.add_argument("--texts", type=int, default=128, help="texts of each number of clients")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--requests", type=int, default=10_000, help="requests with --memory")
    args = parser.parse_args()
    with serving(args.model) as url:
        if args.memory:
            return report_memory(url, args)
        url += "/v1/generate"
        with ThreadPoolExecutor(max(CLIENTS)) as pool:  # every number of rows once
            list(pool.map(lambda seed: stream(url, seed), range(2 * max(CLIENTS))))
        measured = {clients: load(url, clients, args.texts) for clients in CLIENTS}
    model, rows = rnnzoo.load(args.model), []
    expected = model.generate(
        [PROMPT] * args.texts, LENGTH, temperature=TEMPERATURE, seed=list(range(args.texts)),
        batch_size=1,
    )  # fmt: skip
    for clients, (texts, seconds, first, following) in measured.items():
        if clients == CLIENTS[0]:
            one = sum(map(len, texts)) / seconds
        speed = sum(map(len, texts)) / seconds
        rows.append(
            [
                clients, f"{speed:,.0f}", f"{speed / one:.1f}", *percentiles(first),
                *percentiles(following), compared(model, texts, expected, clients=clients),
            ]
        )  # fmt: skip
    head = [
        "clients", "characters/s", "x one client", "first part: median ms", "95 %",
        "next character: median ms", "95 %", "texts equal",
    ]  # fmt: skip
    _common.write_section(f"Server: {args.model}", _common.table(head, rows))


@contextlib.contextmanager
def serving(model):
    """Serves a model in a process of its own; yields the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rnnzoo_cli", "serve", model, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def report_memory(url, args):
    """Writes how much memory the server has after each tenth of the requests."""
    rows, tenth = [], args.requests // 10
    with ThreadPoolExecutor(8) as pool:
        for done in range(0, args.requests, tenth):
            list(pool.map(lambda number: send_any(url, number), range(done, done + tenth)))
            text = urllib.request.urlopen(f"{url}/metrics").read().decode()
            size = float(re.search(r"^process_resident_memory_bytes (.+)$", text, re.M)[1])
            rows.append([f"{done + tenth:,}", f"{size / 1e6:.1f}"])
    name = args.model.rpartition("/")[2]
    table = _common.table(["requests", "resident memory, MB"], rows)
    _common.write_section(f"Server: memory, {name}", table)


def send_any(url, number):
    """Sends one of five kinds of requests."""
    body = {"prompt": "to be", "max_new_tokens": 8, "seed": number}
    kinds = [{}, {"stream": True}, {"alternatives": 5}, {"stream": True}, {"temperature": -1}]
    request = urllib.request.Request(
        f"{url}/v1/generate", json.dumps({**body, **kinds[number % 5]}).encode(),
        {"content-type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request) as answer:
            if number % 5 != 3:  # which is given up
                answer.read()
    except urllib.error.HTTPError as refused:
        assert refused.code == 422 and number % 5 == 4
        refused.close()


def compared(model, texts, expected, *, clients):
    """How many texts are as expected; ends the script where one differs for no good reason."""
    differing = [
        seed for seed, pair in enumerate(zip(texts, expected, strict=True)) if len({*pair}) > 1
    ]
    for seed in differing:
        if not is_tie(model, texts[seed], expected[seed], seed=seed):
            sys.exit(
                f"With {clients} clients the text of seed {seed} is not that of `model.generate`, "
                f"and no tie: {texts[seed]!r} instead of {expected[seed]!r}."
            )
    ties = f", {len(differing)} with a tie" if differing else ""
    return f"{len(texts) - len(differing)} of {len(texts)}{ties}"


def is_tie(model, text, expected, *, seed):
    """Whether the first character that differs was drawn on the border of the two, within `TIE`."""
    ids, others = (model.vocabulary.encode(PROMPT + each) for each in (text, expected))
    places = np.flatnonzero(ids[: len(others)] != others[: len(ids)])
    if not len(places):  # one is the beginning of the other
        return False
    place, before = places[0], len(model.vocabulary.encode(PROMPT))
    logits = model.decodable().rules.suppress(model(ids[None, :place])[:, -1])
    shares = ops.convert_to_numpy(TemperatureSampler(TEMPERATURE).probabilities(logits))[0]
    reached = np.cumsum(shares.astype("float64"))
    low, high = sorted([ids[place], others[place]])
    drawn = chances(seed).random(LENGTH, "float32")[place - before]
    return max(abs(reached[low] - drawn), abs(reached[high - 1] - drawn)) < TIE


def load(url, clients, texts):
    """Texts, seconds, the times of first parts, and of each next part by its characters."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(lambda seed: stream(url, seed), range(texts)))
    seconds = time.perf_counter() - start
    following = [
        gap / len(part)
        for parts, times in found
        for gap, part in zip(np.diff(times), parts[1:], strict=True)
    ]
    texts = ["".join(parts) for parts, _ in found]
    return texts, seconds, [times[0] for _, times in found], following


def stream(url, seed):
    """The parts of one text, and the seconds after which they came."""
    body = {
        "prompt": PROMPT, "max_new_tokens": LENGTH, "temperature": TEMPERATURE, "seed": seed,
        "stream": True,
    }  # fmt: skip
    head = {"content-type": "application/json"}
    parts, times, start = [], [], time.perf_counter()
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), head)
    ) as answer:
        for line in answer:
            if line.startswith(b"data: ") and "text" in (event := json.loads(line[6:])):
                parts.append(event["text"])
                times.append(time.perf_counter() - start)
    return parts, times


def percentiles(seconds):
    return [f"{1000 * value:.1f}" for value in np.percentile(seconds, [50, 95])]


def wait_for(url):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url).read()
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("The server did not start.")


if __name__ == "__main__":
    main()
