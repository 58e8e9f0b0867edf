import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnzoo.data import reading
from rnnzoo.errors import InputError


def read(path, size):
    chunks = list(reading.read_chunks(path, size))
    assert all(0 < len(chunk) <= size for chunk in chunks)
    return "".join(chunks)


@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    size=st.integers(1, 7),
    packed=st.booleans(),
)
def test_pieces_joined_are_the_text(tmp_path_factory, text, size, packed):
    path = tmp_path_factory.mktemp("text") / "text"
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text == "\ufeff":
        with pytest.raises(InputError, match="is empty"):
            reading.read_text(path)
    else:
        assert read(path, size) == expected == reading.read_text(path)
        assert "\n".join(reading.read_lines(path)) == expected.removesuffix("\n")


def test_byte_order_mark_is_dropped_even_if_cut(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbfabc\r\nd")
    assert read(path, 2) == "abc\nd"


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_not_utf8_names_the_byte(tmp_path, size):
    path = tmp_path / "latin.txt"
    path.write_bytes("äöü na".encode() + b"\xefve")  # byte 9 is wrong
    with pytest.raises(InputError, match=r"latin.txt is not UTF-8 text: byte 9 .*iconv"):
        list(reading.read_chunks(path, size))


def test_cut_off_character_at_the_end_names_the_byte(tmp_path):
    path = tmp_path / "cut.txt"
    path.write_bytes("abc€".encode()[:-1])
    with pytest.raises(InputError, match="byte 3 "):
        reading.read_text(path)


@pytest.mark.parametrize("size", [2, 100])
def test_binary_names_the_byte(tmp_path, size):
    path = tmp_path / "binary.txt"
    path.write_bytes(b"some\0thing")
    with pytest.raises(InputError, match=r"binary.txt is binary.* NUL byte at byte 4;"):
        list(reading.read_chunks(path, size))


def test_missing_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*absent.txt"):
        reading.read_text(tmp_path / "absent.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match=r"empty.txt is empty"):
        reading.read_text(tmp_path / "empty.txt")
    with pytest.raises(InputError, match="is a folder"):
        reading.read_text(tmp_path)


@pytest.mark.parametrize("keep", [12, 40])
def test_truncated_gzip(tmp_path, keep):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(bytes(range(1, 128)) * 3)[:keep])
    with pytest.raises(InputError, match=r"text.gz is a damaged or truncated gzip file"):
        reading.read_text(path)


def test_jsonl_reads_the_fields_of_every_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"text": "a\u2028b", "id": 1}, {"text": ""}]
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n\n")
    assert reading.jsonl_fields(path) == ("text",)
    assert list(reading.read_jsonl(path, ("text",))) == [("a\u2028b",), ("",)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"txt": "b"}', 'Line 2 .* field "text", but it is absent'),
        ('{"text": 3}', 'Line 2 .* field "text", but it is 3'),
        ("nothing", "Line 2 .* is not JSON"),
        ("[1]", "Line 2 .* must be a JSON object"),
        (r'{"text": "\ud800"}', "line 2 .* surrogate"),
        ("[" * 100_000, "Line 2 .*nested too deeply"),
        ('{"a":' * 100_000, "Line 2 .*nested too deeply"),
        ('{"text": ' + "9" * 5000 + "}", "Line 2 .*a number too long"),
    ],
)
def test_jsonl_names_the_bad_line(tmp_path, line, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "a"}}\n{line}\n')
    with pytest.raises(InputError, match=message):
        list(reading.read_jsonl(path, ("text",)))


def test_jsonl_needs_known_fields(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"source": "a", "content": "b"}\n')
    with pytest.raises(InputError, match=r'Line 1 .* field "text".*it has source, content'):
        reading.jsonl_fields(path)
    path.write_text("\n \n")
    with pytest.raises(InputError, match="only blank lines"):
        reading.jsonl_fields(path)


WESTERN = "“It\u2019s a café,” she said — naïve, über, señor; 5 €.\n"


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (WESTERN, "cp1252", "CP1252"),
        (WESTERN.replace("\u2019", "'"), "cp1252", "CP1252"),
        ("¿Dónde está la biblioteca? Mañana será otro día.\n" * 5, "latin-1", "CP1252"),
        ("Er saß müde vor der Tür und aß Brötchen.\n" * 5, "latin-1", "CP1252"),
        ("Привет, как дела? Это обычный русский текст про кошек.\n" * 9, "cp1251", "CP1251"),
        ("Привет, как дела? Это обычный русский текст про кошек.\n" * 9, "koi8-r", "KOI8-R"),
        (WESTERN, "utf-16", "UTF-16"),
        (WESTERN, "utf-32", "UTF-32"),
        ("plain text\n", "utf-16-le", "UTF-16LE"),
        ("plain text\n", "utf-16-be", "UTF-16BE"),
    ],
)
def test_another_encoding_is_guessed_and_converts(tmp_path, text, encoding, named):
    path = tmp_path / "other.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(InputError, match=rf"looks like {named} \(a guess\).*iconv -f {named} -t"):
        reading.read_text(path)
    assert path.read_bytes().decode(named) == text  # what the advice leads to


@pytest.mark.parametrize(
    "content",
    [
        "吾輩は猫である。名前はまだ無い。".encode("euc_jp"),
        "äöü€ÄÖÜ".encode() + b"\xef na",  # UTF-8 that is damaged: nothing to convert
        "abc€".encode()[:-1],
        bytes(range(128, 256)) * 4,
    ],
)
def test_no_encoding_is_named_when_none_is_likely(tmp_path, content):
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"other.txt is not UTF-8 text: byte") as error:
        reading.read_text(path)
    assert "iconv -f" not in str(error.value)


def test_a_file_that_is_a_byte_order_mark_alone_is_empty(tmp_path):
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(InputError, match=r"bom.txt is empty"):
        reading.read_text(tmp_path / "bom.txt")


def test_a_current_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InputError, match="the current folder is gone"):
        reading.read_text("absent.txt")


def test_a_folder_that_vanishes(tmp_path, monkeypatch):
    def vanish(self, pattern):
        raise FileNotFoundError(2, "No such file or directory")
        yield

    monkeypatch.setattr(type(tmp_path), "rglob", vanish)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        reading.text_files(tmp_path)
