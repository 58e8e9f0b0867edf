"""The server: what clients get, and what they may not do."""

import http.client
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.generation.scoring import token_nats
from tests import runners
from tests.serve.loopback import listening

pytest.importorskip("fastapi.testclient")

from fastapi.testclient import TestClient

from rnnzoo.serve import routes
from rnnzoo.serve.refusals import ClientLeft

SAMPLINGS = [
    {},
    {"temperature": 0.5, "stop": ["o"]},
    {"sampler": "top_p", "p": 0.6},
    {"sampler": "top_p", "p": 0.4, "alternatives": 3},
]


def generate(client, model, prompt, **options):
    answer = client.post("/v1/generate", json={"model": model, "prompt": prompt, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_many_clients_get_the_texts_that_they_would_get_alone(client, models):
    chance = random.Random(0)
    asked = [
        ("letters", chance.choice(["to ", "be or", "n"]), chance.randint(1, 40), seed)
        for seed in range(20)
    ]
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(
                lambda one: generate(
                    client, one[0], one[1], max_new_tokens=one[2], seed=one[3],
                    **SAMPLINGS[one[3] % len(SAMPLINGS)],
                ),
                asked,
            )
        )  # fmt: skip
    for (name, prompt, length, seed), answer in zip(asked, answers, strict=True):
        options = {**SAMPLINGS[seed % len(SAMPLINGS)]}
        options.pop("alternatives", None)  # changes no text
        assert answer["text"] == models[name].generate(prompt, length, seed=seed, **options)
        assert answer["seed"] == seed and answer["model"] == name
        assert answer["finish_reason"] == "length" or "stop" in options
    assert client.app.state.engines["letters"].load == (0, 0)


def test_one_unit_over_a_text(client, models):
    """While it is written, and read again; as `inspect` says."""
    body = {"model": "letters", "prompt": "to ", "max_new_tokens": 9, "seed": 3, "unit": "0:h:2"}
    answer = client.post("/v1/generate", json=body).json()
    assert answer["text"] == models["letters"].generate("to ", 9, seed=3)
    expected = rnnzoo.inspect(models["letters"], "to " + answer["text"]).layers[0].states["h"]
    found = [token["activation"] for token in answer["logprobs"]]
    np.testing.assert_allclose(found, expected[3:, 2], atol=1e-4)
    again = client.post(
        "/v1/activations",
        json={"model": "letters", "text": "to " + answer["text"], "unit": "0:h:2"},
    ).json()
    np.testing.assert_allclose(again["activations"], expected[:, 2], atol=1e-4)
    assert "".join(again["tokens"]) == "to " + answer["text"]
    listed = {model["id"]: model["states"] for model in client.get("/v1/models").json()["data"]}
    assert listed["letters"][0] == {"layer": 0, "name": "h", "units": expected.shape[-1]}
    assert listed["numbers"] == []
    for unit, says in (
        ("0:h:99", "none is 99"), ("7:h:0", "none is 7"), ("0:x:0", "'x'"), ("up", "LAYER:STATE"),
    ):  # fmt: skip
        refused = client.post("/v1/generate", json={**body, "unit": unit})
        assert refused.status_code == 422 and says in refused.json()["error"]


def test_copies_of_a_prompt_are_encoded_and_read_once(client, models, monkeypatch):
    from rnnzoo.serve import answers

    encode, encoded = answers.encode_prompts, []
    monkeypatch.setattr(answers, "encode_prompts", lambda *its: encoded.append(its) or encode(*its))
    rows, joined = client.app.state.engines["letters"].rows, []
    join = rows.join
    monkeypatch.setattr(rows, "join", lambda *its: joined.append(len(its)) or join(*its))
    body = {"model": "letters", "prompt": "to ", "n": 3, "seed": 1, "max_tokens": 5}
    answer = client.post("/v1/completions", json=body).json()
    texts = [models["letters"].generate("to ", 5, seed=seed) for seed in (1, 2, 3)]
    assert [choice["text"] for choice in answer["choices"]] == texts
    assert len(encoded) == 1 and joined == [3]


@pytest.mark.slow
def test_words_and_a_drawn_seed(client, models):
    answer = generate(client, "words", "no, it", max_new_tokens=9)
    again = models["words"].generate("no, it", 9, seed=answer["seed"])
    assert answer["text"] == again


def test_events_are_the_text(client, models):
    body = {"model": "letters", "prompt": "to ", "max_new_tokens": 30, "seed": 3, "stream": True}
    with client.stream("POST", "/v1/generate", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line]
    assert events[-1] == {"finish_reason": "length"}
    assert len(events) > 3
    text = "".join(event["text"] for event in events[:-1])
    assert text == models["letters"].generate("to ", 30, seed=3)


def test_tokens_come_with_probabilities_and_alternatives(client, models):
    body = {"model": "letters", "prompt": "to ", "max_new_tokens": 9, "seed": 3}
    answer = client.post("/v1/generate", json={**body, "alternatives": 3}).json()
    text, tokens = answer["text"], answer["logprobs"]
    assert text == models["letters"].generate("to ", 9, seed=3)
    assert "".join(token["text"] for token in tokens) == text
    _, _, nats = token_nats(models["letters"], "to " + text)
    assert [token["logprob"] for token in tokens] == pytest.approx((-nats[2:]).tolist(), abs=1e-3)
    for token in tokens:
        others = [other["logprob"] for other in token["alternatives"]]
        assert len(others) == 3 and others == sorted(others, reverse=True)
        assert others[0] >= token["logprob"]
    few = client.post("/v1/generate", json={**body, "alternatives": 0}).json()
    assert all(token["alternatives"] == [] for token in few["logprobs"])
    with client.stream(
        "POST", "/v1/generate", json={**body, "alternatives": 3, "stream": True}
    ) as streamed:
        events = [json.loads(line[6:]) for line in streamed.iter_lines() if line]
    assert [token for event in events[:-1] for token in event["logprobs"]] == tokens


def test_a_stop_text_takes_its_tokens_away(client, models):
    text = models["letters"].generate("to ", 20, seed=3)
    stop = text[9:11]
    found = client.post(
        "/v1/generate",
        json={"model": "letters", "prompt": "to ", "max_new_tokens": 20, "seed": 3, "stop": stop,
              "alternatives": 1},
    ).json()  # fmt: skip
    assert found["finish_reason"] == "stop" and found["text"] == text[: text.index(stop)]
    assert "".join(token["text"] for token in found["logprobs"]) == found["text"]


def test_translations_with_tokens_and_attention(client, models):
    body = {"text": "one two", "attention": True, "alternatives": 2}
    answer = client.post("/v1/translate", json=body).json()
    text, weights = models["numbers"].translate("one two", return_attention=True)
    assert answer["text"] == text
    np.testing.assert_allclose(answer["attention"], weights, atol=1e-5)
    assert answer["source"] == [*"one two", None]
    tokens = answer["logprobs"]
    assert "".join(token["text"] or "" for token in tokens) == text
    assert all(token["alternatives"][0]["text"] == token["text"] for token in tokens)
    assert answer["finish_reason"] == ("end" if tokens[-1]["text"] is None else "length")


def test_translations_by_beams(client, models):
    body = {"text": "one two", "beam_width": 3, "attention": True}
    answer = client.post("/v1/translate", json=body).json()
    text, weights = models["numbers"].translate("one two", beam_width=3, return_attention=True)
    assert answer["text"] == text
    np.testing.assert_allclose(answer["attention"], weights, atol=1e-5)
    assert answer["finish_reason"] == ("end" if len(weights) > len(text) else "length")


def test_a_translation_ends_at_the_most_tokens_and_at_its_deadline(client, models, monkeypatch):
    from rnnzoo.serve import translating

    found = translating.translate_with_tokens(
        models["numbers"], "one two", alternatives=0, deadline=0.0
    )
    assert len(found.tokens) == 1 and found.attention is None and found.reason == "time"
    monkeypatch.setattr(translating, "MAX_NEW_TOKENS", 3)
    for width in (1, 2):
        body = {"text": "one two", "beam_width": width}
        answer = client.post("/v1/translate", json=body).json()
        assert answer["text"] == models["numbers"].translate("one two", 3, beam_width=width)
        assert answer["finish_reason"] == ("length" if len(answer["text"]) == 3 else "end")


def test_translation_score_and_models(client, models):
    body = {"text": "one two", "attention": True}
    answer = client.post("/v1/translate", json=body).json()
    text, weights = models["numbers"].translate("one two", return_attention=True)
    assert answer["text"] == text and len(answer["attention"]) == len(weights)
    answer = client.post("/v1/score", json={"model": "letters", "text": "to be"}).json()
    expected = models["letters"].score("to be")
    nats, tokens = float(expected["nats"]), int(expected["tokens"])
    assert answer["tokens"] == tokens
    assert answer["nats"] == pytest.approx(nats, rel=1e-4)
    assert answer["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    listed = client.get("/v1/models").json()["data"]
    assert [(one["id"], one["task"]) for one in listed] == [
        ("letters", "generate"), ("words", "generate"), ("numbers", "translate"),
        ("opinions", "classify"),
    ]  # fmt: skip
    assert client.get("/healthz").json() == {"status": "ok"}


def test_classification(client, models):
    answer = client.post("/v1/classify", json={"text": "a good film"}).json()
    expected = models["opinions"].classify("a good film")
    assert answer["model"] == "opinions" and answer["label"] == expected.label
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    listed = {one["id"]: one for one in client.get("/v1/models").json()["data"]}
    assert listed["opinions"]["labels"] == ["bad", "fair", "good"]
    assert listed["opinions"]["states"] == [] and "labels" not in listed["letters"]


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("generate", {"model": "leters", "prompt": "to"}, 404, "did you mean 'letters'"),
        ("generate", {"model": "../../etc/passwd", "prompt": "to"}, 404, "No model is called"),
        ("generate", {"prompt": "to"}, 422, "Give `model`, one of: letters, words"),
        ("generate", {"model": "numbers", "prompt": "one"}, 422, "numbers cannot do this"),
        ("generate", {"model": "letters"}, 422, "`prompt`: field required"),
        ("generate", {"model": "letters", "prompt": 3}, 422, "`prompt`: input should be a valid"),
        ("generate", {"model": "letters", "prompt": ""}, 422, "prompt is empty"),
        ("generate", {"model": "letters", "prompt": "to", "tmperature": 1}, 422, "is no field"),
        ("generate", {"model": "letters", "prompt": "to", "temperature": -1}, 422, "temperature"),
        ("generate", {"model": "letters", "prompt": "to", "max_new_tokens": 10**9}, 422, "max_new"),
        ("generate", {"model": "letters", "prompt": "to", "sampler": "best"}, 422, "best"),
        ("generate", {"model": "letters", "prompt": "t" * 30_000}, 422, "at most 20000"),
        ("generate", {"model": "letters", "prompt": "t" * 300_000}, 413, "longer than 200,000"),
        ("generate", {"model": "letters", "prompt": "to", "stop": [""]}, 422, "stop"),
        ("generate", {"model": "letters", "prompt": "to", "k": 10**400}, 422, "k"),
        ("generate", {"model": "letters", "prompt": "to", "no_repeat_ngram": 10**9}, 422, "no_re"),
        ("generate", {"model": "letters", "prompt": "to", "stop": ["a"] * 17}, 422, "16"),
        ("generate", [1], 422, "The body"),
        ("score", {"model": "numbers", "text": "1"}, 422, "give `source`"),
        ("score", {"model": "letters", "text": "to", "source": "be"}, 422, "leave out `source`"),
        ("score", {"text": "1", "source": "o" * 700, "model": "numbers"}, 422, "source` has 701"),
        ("score", {"text": "1" * 700, "source": "o", "model": "numbers"}, 422, "text` has 701"),
        ("nothing", {}, 404, "Not Found"),
        ("translate", {"model": "letters", "text": "one"}, 422, "letters cannot do this"),
        ("translate", {"text": " "}, 422, "empty"),
        ("translate", {"text": "one", "alternatives": 1, "beam_width": 2}, 422, "leave one of"),
        ("translate", {"text": "one" * 234, "attention": True}, 422, "`attention` goes with"),
        ("translate", {"text": "one" * 234, "beam_width": 2}, 422, "at most 700 tokens"),
        ("generate", {"model": "letters", "prompt": "to", "alternatives": 11}, 422, "alternatives"),
        ("score", {"model": "letters", "text": "t"}, 422, "short"),
        ("score", {"model": "opinions", "text": "a"}, 422, "these can: letters, words, numbers"),
        ("generate", {"model": "opinions", "prompt": "a"}, 422, "opinions cannot do this"),
        ("activations", {"model": "opinions", "text": "a", "unit": "0:h:1"}, 422, "cannot do"),
        ("classify", {"model": "letters", "text": "to"}, 422, "these can: opinions"),
        ("classify", {"text": " "}, 422, "empty"),
        ("classify", {"text": "a" * 30_000}, 422, "at most 20000"),
        ("classify", {"prompt": "a"}, 422, "is no field of this request"),
    ],
)
def test_what_is_refused(client, path, body, status, sentence):
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    told = answer.json()["error"]
    assert sentence in told and "\n" not in told.strip() and "Traceback" not in told


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"[" * 100_000, b'{"k": ' + b"1" * 5000 + b"}"])
def test_bodies_that_cannot_be_read(client, body):
    answer = client.post("/v1/generate", content=body)
    assert answer.status_code == 422 and "error" in answer.json()


def test_a_request_that_fails_ends_no_other(models, monkeypatch):
    from rnnzoo.serve.app import create_app

    model = {"letters": models["letters"]}
    with TestClient(create_app(model, capacity=4)) as client, ThreadPoolExecutor(2) as pool:
        rows = client.app.state.engines["letters"].rows
        join = rows.join

        def broken(request):
            if request.seed == 13:
                raise RuntimeError("an accident")
            return join(request)

        monkeypatch.setattr(rows, "join", broken)
        good = pool.submit(generate, client, "letters", "to ", max_new_tokens=400, seed=1)
        bad = client.post("/v1/generate", json={"prompt": "to ", "seed": 13})
        assert bad.status_code == 503 and "error" in bad.json()
        assert good.result()["text"] == models["letters"].generate("to ", 400, seed=1)


def random_bodies(count):
    """Noise of the characters of JSON, and bodies with a field of noise."""
    chance = random.Random(0)
    noise = b'{}[]":,\\ue0123456789promtlesx \x00\xff'
    fields = ["prompt", "text", "model", "seed", "stop", "max_new_tokens", "n", "p", "noise"]
    values = [None, -1, 10**30, 1e308, [], {}, "", "\x00", [[]], True, "z" * 50, {"a": [1]}]
    for number in range(count):
        if number % 2:
            yield bytes(chance.choices(noise, k=30))
        else:
            found = {field: chance.choice(values) for field in chance.sample(fields, 3)}
            yield json.dumps({**found, "noise": 1}).encode()  # never what is right


def test_random_bodies_get_an_answer_of_their_own_fault(client):
    for body in random_bodies(300):
        answer = client.post("/v1/generate", content=body)
        assert 400 <= answer.status_code < 500 and "error" in answer.json(), body


@pytest.mark.slow
def test_ten_thousand_random_bodies(client, caplog):
    for number, body in enumerate(random_bodies(10_000)):
        route = ("generate", "translate", "score", "completions", "classify")[number % 5]
        answer = client.post(f"/v1/{route}", content=body)
        assert 400 <= answer.status_code < 500 and "error" in answer.json(), body
    assert "Traceback" not in caplog.text
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_full_queue(models):
    from rnnzoo.serve.app import create_app

    with TestClient(create_app({"letters": models["letters"]}, capacity=1, queue=1)) as client:
        engine = client.app.state.engines["letters"]
        with engine.lock:  # nothing moves
            statuses = []

            def ask():
                body = {"prompt": "to ", "max_new_tokens": 3}
                statuses.append(client.post("/v1/generate", json=body).status_code)

            threads = [threading.Thread(target=ask) for _ in range(6)]
            for thread in threads:
                thread.start()
                time.sleep(0.1)
        for thread in threads:
            thread.join()
    assert set(statuses) == {200, 429} and statuses.count(429) >= 3


def test_a_client_that_goes_away_frees_its_row(models):
    """Over a real connection, which is closed in the middle of a long text."""
    with listening({"letters": models["letters"]}, capacity=1) as (url, app):
        body = {"prompt": "to ", "max_new_tokens": 4096, "stream": True}
        request = urllib.request.Request(
            f"{url}/v1/generate", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        answer = urllib.request.urlopen(request)
        assert answer.readline().startswith(b"data: ")
        answer.close()
        engine = app.state.engines["letters"]
        for _ in range(100):
            if engine.load == (0, 0):
                break
            time.sleep(0.1)
        assert engine.load == (0, 0) and not len(engine.rows)
    assert not engine.is_alive()


@pytest.fixture
def endless(monkeypatch):
    """Translations that end when their clients have left: lists of those begun and ended."""
    begun, ended = [], []

    def translate(model, text, *, left, **_):
        begun.append(text)
        while not left():
            time.sleep(0.02)
        ended.append(text)
        raise ClientLeft

    monkeypatch.setattr(routes, "translate_with_tokens", translate)
    return begun, ended


def ask_to_translate(url, text):
    """Sends a request whose answer nobody has read yet."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    head = {"content-type": "application/json"}
    connection.request("POST", "/v1/translate", json.dumps({"text": text}), head)
    return connection


def until(true):
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("It has not come true.")


def test_a_translation_whose_client_goes_away_ends_or_is_not_begun(models, endless):
    begun, ended = endless
    with listening({"numbers": models["numbers"]}) as (url, _):
        first = ask_to_translate(url, "1")
        until(lambda: begun)
        second, third = (ask_to_translate(url, text) for text in "23")
        time.sleep(0.2)  # they wait
        second.close()
        time.sleep(1.5)
        assert begun == ["1"] and not ended
        first.close()
        until(lambda: len(begun) == 2)
        assert begun == ["1", "3"] and ended == ["1"]
        third.close()
        until(lambda: len(ended) == 2)


def test_a_server_that_stops_begins_no_translation_that_waits(models, endless):
    begun, ended = endless
    with listening({"numbers": models["numbers"]}, patience=1) as (url, _):
        asked = [ask_to_translate(url, text) for text in "12345"]
        until(lambda: begun)
        time.sleep(0.2)  # the others wait
    until(lambda: ended)
    time.sleep(0.2)
    assert len(begun) == len(ended) == 1
    for connection in asked:
        connection.close()


def test_where_it_cannot_listen_no_model_is_loaded():
    from rnnzoo.serve import serve

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host, reason in {
            "127.0.0.1": "Address already in use", "192.0.2.1": "assign", "a..b": "codec",
        }.items():  # fmt: skip
            with pytest.raises(InputError, match=rf"at {host}, port {port} \(.*{reason}.*\); give"):
                serve(["no_such_model"], host=host, port=port)


@pytest.mark.slow
def test_the_command(tmp_path):
    runners.LANGUAGE_MODELS["char_lstm"]().save(tmp_path / "letters.keras")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnzoo_cli", "serve", tmp_path / "letters.keras", "--port",
         str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        lines = iter(process.stdout.readline, "")
        assert any(f"Serving letters at http://127.0.0.1:{port}" in line for line in lines)
        for _ in range(100):
            try:
                found = urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models").read()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        assert json.loads(found)["data"][0]["id"] == "letters"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
