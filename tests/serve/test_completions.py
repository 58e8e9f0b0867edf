"""The route of OpenAI's clients, with their own package; and what a server counts."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import rnnzoo
from rnnzoo.generation.scoring import token_nats
from tests.serve.loopback import listening

openai = pytest.importorskip("openai")
pytest.importorskip("uvicorn")
parser = pytest.importorskip("prometheus_client.parser")


@pytest.fixture(scope="module")
def connected(models):
    with listening({name: models[name] for name in ("letters", "numbers")}) as (url, _):
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_a_text(connected, models):
    found = connected.completions.create(
        model="letters", prompt="to ", max_tokens=20, temperature=0.7, top_p=0.9, seed=5
    )
    (choice,) = found.choices
    expected = models["letters"].generate("to ", 20, temperature=0.7, p=0.9, seed=5)
    assert choice.text == expected and choice.finish_reason == "length"
    assert choice.logprobs is None and found.object == "text_completion"
    usage = found.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 20, 23)


def test_many_texts_have_seeds_of_their_own(connected, models):
    found = connected.completions.create(
        model="letters", prompt=["to ", "be"], n=2, max_tokens=5, seed=1, echo=True
    )
    texts = [
        prompt + models["letters"].generate(prompt, 5, seed=seed)
        for prompt in ("to ", "be")
        for seed in (1, 2)
    ]
    assert [choice.text for choice in found.choices] == texts
    assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
    assert found.usage.prompt_tokens == 5 and found.usage.completion_tokens == 20


def test_a_stream_is_the_text(connected):
    asked = {"model": "letters", "prompt": ["to ", "be"], "max_tokens": 12, "temperature": 0}
    asked["echo"] = True
    whole = connected.completions.create(**asked)
    texts, reasons = ["", ""], [None, None]
    chunks = list(
        connected.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    for chunk in chunks[:-1]:
        (choice,) = chunk.choices
        texts[choice.index] += choice.text
        reasons[choice.index] = choice.finish_reason
    assert texts == [choice.text for choice in whole.choices] and reasons == ["length"] * 2
    assert chunks[-1].usage == whole.usage and not chunks[-1].choices


def test_logprobs_and_stop(connected, models):
    asked = {"model": "letters", "prompt": "to ", "max_tokens": 20, "seed": 5, "logprobs": 3}
    (choice,) = connected.completions.create(**asked).choices
    found = choice.logprobs
    assert "".join(found.tokens) == choice.text
    _, _, nats = token_nats(models["letters"], "to " + choice.text)
    assert found.token_logprobs == pytest.approx((-nats[2:]).tolist(), abs=1e-3)
    assert [len(others) for others in found.top_logprobs] == [3] * 20
    assert found.text_offset == list(range(20))
    streamed = list(connected.completions.create(**asked, stream=True))
    offsets = [chunk.choices[0].logprobs.text_offset for chunk in streamed[:-1]]
    assert [offset for part in offsets for offset in part] == found.text_offset
    stop = choice.text[6:8]
    (cut,) = connected.completions.create(**{**asked, "stop": stop}).choices
    assert cut.finish_reason == "stop" and cut.text == choice.text[: choice.text.index(stop)]
    assert "".join(cut.logprobs.tokens) == cut.text


def test_models_are_listed(connected):
    assert [model.id for model in connected.models.list()] == ["letters", "numbers"]


@pytest.mark.parametrize(
    ("asked", "kind", "sentence"),
    [
        ({"model": "leters"}, openai.NotFoundError, "did you mean 'letters'"),
        ({"model": "numbers"}, openai.BadRequestError, "numbers cannot do this"),
        ({"temperature": 3}, openai.BadRequestError, "`temperature`: input should be less"),
        ({"presence_penalty": 1}, openai.BadRequestError, "`presence_penalty`: input should be 0"),
        ({"prompt": [1, 2]}, openai.BadRequestError, "`prompt`"),
        ({"prompt": ""}, openai.BadRequestError, "empty"),
        ({"prompt": "t" * 20_001}, openai.BadRequestError, "`prompt`: string should have at most"),
        ({"prompt": ["to"] * 9, "n": 9}, openai.BadRequestError, "several requests"),
        ({"echo": True, "logprobs": 1}, openai.BadRequestError, "`echo` goes without"),
        ({"extra_body": {"top_k": 3}}, openai.BadRequestError, "`top_k` is no field"),
    ],
)
def test_what_is_refused(connected, asked, kind, sentence):
    with pytest.raises(kind) as caught:
        connected.completions.create(**{"model": "letters", "prompt": "to ", **asked})
    assert sentence in caught.value.body["message"]
    assert caught.value.body["type"] == "invalid_request_error"


def test_metrics(connected, models):
    def read():
        text = connected._client.get(f"{str(connected.base_url)[:-4]}/metrics").text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
        }

    before = read()
    connected.completions.create(model="letters", prompt="to ", max_tokens=9, seed=1)
    with pytest.raises(openai.NotFoundError):
        connected.get("/nothing", cast_to=object)
    after = read()

    def new(*key):
        return after[key] - before.get(key, 0)

    assert new("rnnzoo_requests_total", "/v1/completions", "200") == 1
    assert new("rnnzoo_requests_total", "other", "404") == 1
    assert new("rnnzoo_requests_total", "/metrics", "200") == 1
    assert new("rnnzoo_tokens_total", "letters") == 9
    assert new("rnnzoo_first_token_seconds_count", "letters") == 1
    assert new("rnnzoo_next_token_seconds_count", "letters") == 2  # two calls of four tokens
    assert 0 < new("rnnzoo_next_token_seconds_sum", "letters") < 60
    assert after["rnnzoo_queue_length", "letters"] == after["rnnzoo_rows_in_use", "letters"] == 0
    assert after[("process_resident_memory_bytes",)] > 1e6


@pytest.mark.slow
def test_the_code_of_the_page_runs():
    """docs/serve.md as it stands, but for the port, and with the smaller model under the name."""
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (curl,) = re.findall(r"```sh\n(curl .*?)```", page, re.DOTALL)
    with listening({"char_lstm_shakespeare": rnnzoo.load("char_lstm_shakespeare_small")}) as (
        url, _,
    ):  # fmt: skip
        exec(python.replace("http://localhost:8000", url), {})
        curl = curl.replace("localhost:8000", url)
        done = subprocess.run(
            shlex.split(curl.replace("\\\n", " ")), capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert '"finish_reason": "length"' in done.stdout
