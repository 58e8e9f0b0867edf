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
