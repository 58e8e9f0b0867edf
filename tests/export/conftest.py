"""Models that are exported once for all tests."""

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def character_model():
    from tests.export.models import characters

    return characters()


@pytest.fixture(scope="session")
def character_export(character_model, folder):
    from tests.export.models import export

    return export(character_model, folder / "characters")


@pytest.fixture(scope="session")
def word_model():
    from tests.export.models import words

    return words()


@pytest.fixture(scope="session")
def word_export(word_model, folder):
    from tests.export.models import export

    return export(word_model, folder / "words")


@pytest.fixture(scope="session")
def translator_model():
    from tests.export.models import translator

    return translator()


@pytest.fixture(scope="session")
def translator_export(translator_model, folder):
    from tests.export.models import export

    return export(translator_model, folder / "translator")
