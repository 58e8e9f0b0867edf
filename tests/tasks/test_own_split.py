"""A text that comes with validation and test splits of its own: WikiText-2, here a small one."""

import math
from dataclasses import replace

import numpy as np
import pytest
from keras import ops

from rnnzoo import recipes
from rnnzoo.errors import InputError
from rnnzoo.publishing.evaluate import with_test_as_validation
from rnnzoo.tasks.language_model import LanguageModelTask
from rnnzoo.tasks.splits import load_corpus

RECIPE = recipes.get("word_lm_wikitext2_tiny")


@pytest.fixture(scope="module")
def corpus(small_data):
    return load_corpus(RECIPE, data_dir=small_data)


def tokens_of(text):
    return len(text.split()) + text.count("\n")


def test_each_token_of_the_split_is_predicted_once(corpus):
    task = LanguageModelTask(RECIPE, corpus)
    assert task.targets == tokens_of(corpus.validation)
    found = [targets.numpy()[weights.numpy() > 0] for _, targets, weights in task.validation]
    counts = np.bincount(np.concatenate(found), minlength=len(task.vocabulary))
    ids = task.vocabulary.encode(corpus.validation)
    assert (counts == np.bincount(ids, minlength=len(counts))).all()
    assert f"validation split, {task.targets:,} words" in task.split
    whole = [len(task.parts[0]), len(np.asarray(task.vocabulary.encode(corpus.text)))]
    assert whole[0] == whole[1]  # nothing of the training text is held out


def test_the_test_split_takes_its_place(corpus):
    task = LanguageModelTask(*with_test_as_validation(RECIPE, corpus))
    assert task.targets == tokens_of(corpus.test)
    model = task.build("float32")
    model.compile()
    figures = task.evaluate(model)
    assert figures["tokens"] == task.targets
    one = LanguageModelTask(
        *with_test_as_validation(replace(RECIPE, validation_batch_size=1), corpus), model=model
    )
    ids = np.asarray(one.held_out)
    log = ops.convert_to_numpy(ops.log_softmax(model(ids[None, :-1])))[0]
    nats = -log[np.arange(len(ids) - 1), ids[1:]].mean()
    assert one.evaluate(model)["perplexity"] == pytest.approx(math.exp(nats), rel=1e-4)


def test_words_that_the_vocabulary_cannot_write_are_refused(corpus):
    recipe = replace(RECIPE, vocabulary={**RECIPE.vocabulary, "special_tokens": ()})
    with pytest.raises(InputError, match="has words that its training text lacks, such as"):
        LanguageModelTask(recipe, replace(corpus, splits={**corpus.splits, "validation": "zebra"}))
