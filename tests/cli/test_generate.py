"""`rnnzoo generate`."""

import json

import pytest

SHORT = ("--max-new-tokens", 9, "--seed", 7)


def test_a_text_is_what_the_model_generates(call, writer):
    model, path = writer
    done = call("generate", path, "to be", *SHORT, "--temperature", 0.5)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"to be{model.generate('to be', 9, temperature=0.5, seed=7)}\n"


def test_a_text_is_printed_as_it_is_made(call, writer, monkeypatch):
    _, path = writer
    printed = []
    monkeypatch.setattr("builtins.print", lambda *texts, **how: printed.append((texts, how)))
    call("generate", path, "to be", *SHORT)
    ((prompt,), _), *parts, (end, _) = printed
    assert prompt == "to be" and end == () and len(parts) == 9
    assert all(how == {"end": "", "flush": True} for _, how in parts)


def test_writing_in_turns(call, writer):
    model, path = writer
    done = call("generate", path, *SHORT, "--interactive", stdin="to be\nXX\nthat is\n")
    assert done.exit_code == 0, done.stderr
    session = model.session("to be\n", seed=7)
    first = session.write(9)
    session.read("that is\n")
    assert done.stdout == f"{first}\n{session.write(9)}\n"
    assert done.stderr.count("\n") == 1 and "Not read: " in done.stderr and "'X'" in done.stderr


def test_a_turn_ends_at_a_stop_text(call, writer):
    model, path = writer
    text = model.session("to be\n", seed=7).write(9)
    done = call("generate", path, *SHORT, "--interactive", "--stop", text[4], stdin="to be\n")
    assert done.stdout == text[: text.index(text[4]) + 1] + "\n", done.stderr


def test_prompts_come_from_a_pipe(call, writer):
    model, path = writer
    done = call("generate", path, *SHORT, "--json", stdin="to be\nthat\r\n")
    assert done.exit_code == 0, done.stderr
    expected = [
        {"prompt": prompt, "text": model.generate(prompt, 9, seed=7)}
        for prompt in ("to be", "that")
    ]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_a_blank_line_of_a_pipe_is_not_continued(call, writer):
    """The model has no start token; line N of the output belongs to line N of the pipe."""
    model, path = writer
    text = model.generate("to be", 9, seed=7)
    done = call("generate", path, *SHORT, stdin="\nto be\n")
    assert done.stdout == f"\n\nto be{text}\n" and done.exit_code == 0, done.stderr
    done = call("generate", path, *SHORT, "--json", stdin="\n \nto be\n")
    blank, spaces, prompt = map(json.loads, done.stdout.splitlines())
    assert blank == {"prompt": "", "text": ""} and prompt["text"] == text
    assert spaces == {"prompt": " ", "text": model.generate(" ", 9, seed=7)}  # a symbol like others
    for option in ("--num-samples", "--n-best"):
        beam = ("--beam-width", 2) if option == "--n-best" else ()
        done = call("generate", path, option, 2, *beam, *SHORT[:2], "--json", stdin="\n")
        assert json.loads(done.stdout) == {"prompt": "", "texts": []}, done.stderr
    done = call("generate", path, "")
    assert done.exit_code == 2 and "A prompt is empty" in done.stderr


def test_a_blank_line_of_a_pipe_is_continued_after_a_start_token(call, tmp_path):
    from rnnzoo import Vocabulary, word_lm

    marks = ("<pad>", "<start>", "<unk>", "<end>")
    words = Vocabulary.from_text("to be or", level="word", special_tokens=marks)
    model = word_lm(words, units=4, embedding_dim=4)
    model.save(tmp_path / "model.keras")
    done = call("generate", tmp_path / "model.keras", *SHORT, "--json", stdin="\n")
    assert json.loads(done.stdout) == {"prompt": "", "text": model.generate("", 9, seed=7)}


@pytest.mark.parametrize(
    ("given", "told"),
    [(["Unable to allocate 9 TiB"], "Unable to allocate 9 TiB"), ([], "it is full")],
)
def test_too_little_memory_is_told_in_a_sentence(call, writer, monkeypatch, given, told):
    """As of `--num-samples 1000000 --max-new-tokens 1000000`: each is allowed alone."""
    model, path = writer

    def full(*_, **__):
        raise MemoryError(*given)

    monkeypatch.setattr(type(model), "generate", full)
    done = call("generate", path, "to", "--num-samples", 2)
    assert done.exit_code == 2
    assert done.stderr == f"Error: There is too little memory ({told}); ask for less at once.\n"


def test_every_option_reaches_the_sampler(call, writer):
    model, path = writer
    given = {
        "sampler": "top_p", "p": 0.8, "temperature": 0.9, "repetition_penalty": 1.3,
        "no_repeat_ngram": 2, "num_samples": 2,
    }  # fmt: skip
    words = [
        word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    done = call("generate", path, "to be", *SHORT, *words, "--stop", "\\n", "--json")
    assert done.exit_code == 0, done.stderr
    expected = model.generate("to be", 9, seed=7, stop="\n", **given)
    assert json.loads(done.stdout) == {"prompt": "to be", "texts": expected}


def test_the_best_of_a_beam(call, writer):
    model, path = writer
    options = ("--max-new-tokens", 5, "--beam-width", 3, "--n-best", 2)
    best = model.generate("to", 5, beam_width=3, n_best=2)
    done = call("generate", path, "to", *options)
    lines = [f"{one.score:.3f}\tto{one.text}".replace("\n", "\\n") for one in best]
    assert done.stdout.splitlines() == lines, done.stderr
    found = json.loads(call("generate", path, "to", *options, "--json").stdout)["texts"]
    assert [one["text"] for one in found] == [one.text for one in best]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["WRITER"], "no text: stdin is empty"),
        (["WRITER", "TO BE"], "'B'"),
        (["WRITER", "to", "--sampler", "gredy"], "did you mean 'greedy'"),
        (["WRITER", "to", "--max-new-tokens", 0], "max_new_tokens"),
        (["WRITER", "to", "--max-new-tokens", 3 * 10**9], "at most 1000000, not 3000000000"),
        (["WRITER", "to", "--num-samples", 10**400], "`num_samples` must be at most 1000000"),
        (["WRITER", "to", "--k", 10**400], "`k` must be at most 2147483647"),
        (["WRITER", "--interactive", "--max-new-tokens", 10**12], "at most 1000000"),
        (["WRITER", "to", "--beam-width", 2, "--temperature", 1], "of no use to beam search"),
        (["WRITER", "to", "--interactive"], "leave out the prompts"),
        (["WRITER", "--interactive", "--num-samples", 2], "leave out --num-samples"),
        (["WRITER", "--interactive", "--max-new-tokens", 0], "max_new_tokens"),
        (["WRITER", "to", "--beam-groups", 2], "beam_groups"),
        (["WRITER", "--interactive", "--no-repeat-ngram", 2], "leave out --no-repeat-ngram"),
        (["TRANSLATOR", "one"], "translates: `rnnzoo translate"),
        (["absent.keras", "one"], "no model at 'absent.keras'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(call, writer, translator, arguments, message):
    paths = {"WRITER": writer[1], "TRANSLATOR": translator[1]}
    done = call("generate", *(paths.get(argument, argument) for argument in arguments))
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("Error: ") and message in done.stderr
    assert done.stderr.count("\n") == 1
