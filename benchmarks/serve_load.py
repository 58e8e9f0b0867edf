"""The server under load: 1, 8 and 64 clients at once.

    python benchmarks/serve_load.py
    python benchmarks/serve_load.py --memory --requests 10000

It serves a published model in a process of its own, on this machine, and lets clients stream texts
of 300 characters. Each text is compared with `model.generate` of its seed, alone. Times are of the
first and of each next part of a text; a part has up to four characters. Characters a second are
those of all clients together. The clients share the cores with the server. With `--memory`, 8
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

import rnnzoo

LENGTH, CLIENTS = 300, (1, 8, 64)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="char_lstm_shakespeare", help="a language model")
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
        ["ROMEO:"] * args.texts, LENGTH, temperature=0.8, seed=list(range(args.texts)), batch_size=1
    )
    for clients, (texts, seconds, first, following) in measured.items():
        if not clients > 1:
            one = sum(map(len, texts)) / seconds
        speed = sum(map(len, texts)) / seconds
        equal = sum(map(str.__eq__, texts, expected[: len(texts)]))
        rows.append(
            [
                clients, f"{speed:,.0f}", f"{speed / one:.1f}", *percentiles(first),
                *percentiles(following), f"{equal} of {len(texts)}",
            ]
        )  # fmt: skip
    head = [
        "clients", "characters/s", "x one client", "first part: median ms", "95 %",
        "next part: median ms", "95 %", "texts equal",
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


def load(url, clients, texts):
    """Texts, seconds, and the times of first and of next parts."""
    texts = max(8, texts * clients // max(CLIENTS))
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(lambda seed: stream(url, seed), range(texts)))
    seconds = time.perf_counter() - start
    following = [gap for _, times in found for gap in np.diff(times)]
    return [text for text, _ in found], seconds, [times[0] for _, times in found], following


def stream(url, seed):
    """One text, and the seconds after which its parts came."""
    body = {
        "prompt": "ROMEO:", "max_new_tokens": LENGTH, "temperature": 0.8, "seed": seed,
        "stream": True,
    }  # fmt: skip
    head = {"content-type": "application/json"}
    text, times, start = "", [], time.perf_counter()
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), head)
    ) as answer:
        for line in answer:
            if line.startswith(b"data: ") and "text" in (event := json.loads(line[6:])):
                text += event["text"]
                times.append(time.perf_counter() - start)
    return text, times


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
