"""In which encoding a text file is that is not in UTF-8: a guess, or none."""

import re

_MARKS = (  # byte order marks, the longer ones first
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# What texts of Western Europe have beyond ASCII: letters, quotation marks, dashes, a few signs.
_WESTERN = re.compile(
    "[\xc0-\xcf\xd1-\xd6\xd8-\xdc\xdf-\xef\xf1-\xf6\xf8-\xfc\xff\u0152\u0153\xa0\xa1\xa3\xa7\xa9-\xab"
    "\xae\xb0\xb2\xb3\xb7\xba\xbb\xbd\xbf\u2018-\u201a\u201c-\u201e\u2013\u2014\u2022\u2026\u20ac"
    "\xd1\xf1\x00-\x7f]*"
)
_LETTER = re.compile("[A-Za-z\xc0-\xff]")
_CERTAIN = 0.3  # coherence of charset-normalizer below which it recognized no language


def guess_encoding(content: bytes) -> str | None:
    """Guesses the encoding of a text that is not UTF-8.

    Args:
        content: Bytes of the file from its start, some ten thousand are enough.

    Returns:
        A name that `iconv` and Python know, such as `"CP1252"`, or None where nothing is likely.

    Example:
        >>> guess_encoding("“It’s a café”, she said.".encode("cp1252"))
        'CP1252'
        >>> guess_encoding("no".encode("utf-16"))
        'UTF-16'
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if b"\0" in content:
        return _utf16_without_mark(content)
    if _is_damaged_utf8(content):
        return None
    try:
        western = content.decode("cp1252")
    except UnicodeDecodeError:
        western = ""
    letters = _LETTER.findall(western)
    accented = sum(not letter.isascii() for letter in letters)
    # Other scripts have most of their letters beyond ASCII.
    if western and _WESTERN.fullmatch(western) and accented <= 0.25 * len(letters):
        return "CP1252"
    from charset_normalizer import from_bytes

    best = from_bytes(content).best()
    if best is None or best.coherence < _CERTAIN:
        return None
    if str(best) == western:
        return "CP1252"
    return best.encoding.upper().replace("_", "-")


def _is_damaged_utf8(content):
    """Whether most of what is beyond ASCII is UTF-8, or the end is cut off."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return True
    text = content.decode(errors="replace")
    wrong = text.count("\ufffd")
    return sum(not character.isascii() for character in text) > 2 * wrong


def _utf16_without_mark(content):
    """ASCII in UTF-16 has a NUL in every second byte."""
    half = len(content) // 2
    for start, name in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        zeros, others = content[start::2].count(0), content[1 - start :: 2].count(0)
        if zeros > 0.7 * half and others == 0:
            return name
    return None
