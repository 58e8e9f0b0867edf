"""docs/deploy.md: its commands, Python, request bodies and signatures are run as they stand."""

import contextlib
import http.server
import io
import json
import re
import shlex
import shutil
import sys
import threading
from pathlib import Path

import keras
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf

from rnnzoo import zoo
from tests.export.models import decoded
from tests.export.test_export import run_process

PAGE = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = {
    kind: re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("sh", "py", "json")
}
COMMANDS = [line for block in BLOCKS["sh"] for line in block.splitlines()]
PROMPT = "or not to be"


@pytest.fixture
def models(character_export, folder, tmp_path, monkeypatch):
    """The folder that the page writes, with a tiny model of text and the published translator."""
    for name, source in (
        ("shakespeare", folder / "characters"),
        ("numbers", zoo.folder() / "gru_seq2seq_numbers" / "saved_model"),
    ):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "1").symlink_to(source.absolute())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def printed(*blocks):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        names = {}
        for block in blocks:
            exec(block, names)
    return out.getvalue()


def test_python_without_rnnzoo_and_its_stream(models, character_model):
    in_python, stream, _ = BLOCKS["py"]
    text = printed(in_python, stream)
    written = character_model.generate(PROMPT, 60, sampler="greedy")
    assert text.endswith(written) and len(text.splitlines()) >= 5


def test_the_page_names_every_endpoint_and_its_inputs(character_export, translator_export):
    language_model, translator = (
        {
            (name, tuple(re.findall(r"(\w+)(?:=[^,]+)?", arguments)))
            for name, arguments in re.findall(r"`(\w+)\(([^`]*)\)`", rows)
        }
        for rows in re.findall(r"^\| of a .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    )
    for listed, loaded in ((language_model, character_export), (translator, translator_export)):
        inputs = {
            name: set(signature.structured_input_signature[1])
            for name, signature in loaded.signatures.items()
            if name != "serving_default"
        }
        inputs["generate"] = inputs.pop("sample", None)
        of_state = set(loaded.signatures["start"].structured_outputs) - {"logits", "attention"}
        inputs["step"] = inputs["step"] - of_state | {"state"}
        shown = {name: set(arguments) for name, arguments in listed}
        assert shown == {name: given for name, given in inputs.items() if given}


def test_commands(models, character_model):
    """Those of `saved_model_cli`; those of `rnnzoo` and Docker are read elsewhere or not run."""
    beside = str(Path(sys.executable).parent)
    cli = shutil.which("saved_model_cli", path=beside) or shutil.which("saved_model_cli")
    ran = [shlex.split(line) for line in COMMANDS if line.startswith("saved_model_cli")]
    assert len(ran) == 3
    outputs = [run_process(cli, *words[1:], cwd=models.parent) for words in ran]
    for name in ("serving_default", "generate", "sample", "next_tokens", "step"):
        assert f"signature_def['{name}']" in outputs[0]
    assert "inputs['state_0']" in outputs[0]
    assert "Result for output key text" in outputs[1]
    assert "125" in outputs[2]


def test_what_docker_is_told(models):
    """The line as a shell reads it; the image itself cannot be had here."""
    (line,) = [line for line in COMMANDS if line.startswith("docker run")]
    stand_in = 'docker() { printf "%s\\n" "$@"; }; '
    words = run_process("sh", "-c", stand_in + line, cwd=models.parent).split()
    given = {name: [words[n + 1] for n, word in enumerate(words) if word == name]
             for name in ("-v", "-p", "-e")}  # fmt: skip
    (folder, inside), (address, outer, inner) = (given[name][0].split(":") for name in ("-v", "-p"))
    name = dict(each.split("=") for each in given["-e"])["MODEL_NAME"]
    assert (Path(folder) / "1" / "saved_model.pb").is_file() and inside == f"/models/{name}"
    assert (address, outer, inner) == ("127.0.0.1", "8501", "8501")
    assert f"http://localhost:{outer}/v1/models/{name}:predict" in PAGE


class Rest(http.server.BaseHTTPRequestHandler):
    """The `predict` of TensorFlow Serving's REST documentation, over one SavedModel."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        signature = self.server.loaded.signatures[body.get("signature_name", "serving_default")]
        specs = signature.structured_input_signature[1]
        given = body.get("inputs", body.get("instances"))
        if not isinstance(given, dict):
            (name,) = specs  # one input needs no name
            given = {name: given}
        assert set(given) == set(specs)
        inputs = {name: tf.constant(given[name], spec.dtype) for name, spec in specs.items()}
        outputs = {name: part.numpy() for name, part in signature(**inputs).items()}
        answer = {name: decoded_lists(part.tolist()) for name, part in outputs.items()}
        if len(answer) == 1:
            (answer,) = answer.values()
        key = "outputs" if "inputs" in body else "predictions"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({key: answer}).encode())

    def log_message(self, *_):
        pass


def decoded_lists(value):
    if isinstance(value, list):
        return [decoded_lists(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value


@pytest.fixture
def port(character_export):
    server = http.server.HTTPServer(("127.0.0.1", 0), Rest)
    server.loaded = character_export
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_request_bodies_and_the_stream_over_rest(port, character_model, character_export):
    names = {}
    stream = BLOCKS["py"][2].replace("localhost:8501", f"127.0.0.1:{port}")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(stream, names)
    assert out.getvalue() == character_model.generate(PROMPT, 60, sampler="greedy")
    answers = {}
    for block in BLOCKS["json"]:
        body = json.loads(block)
        request = names["urllib"].request.Request(names["URL"], block.encode())
        with names["urllib"].request.urlopen(request) as answer:
            answers[body.get("signature_name")] = json.load(answer)
    assert set(answers) == {None, "generate", "sample", "next_tokens", "score"}
    written = character_export.generate(["to be, "], 40, temperature=0.8, seed=1)
    assert answers["generate"] == {"outputs": decoded(written)}
    assert len(answers[None]["predictions"]) == 2
    assert len(answers["next_tokens"]["outputs"]["tokens"][0]) == 5
    assert answers["score"]["outputs"]["tokens"] == [18]
