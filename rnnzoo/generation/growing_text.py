"""The text of tokens that come one after the other."""

from collections.abc import Sequence

import numpy as np

from rnnzoo.vocabulary import Vocabulary, spacing

CONTEXT = 64  # how many tokens are looked back on at least


class GrowingText:
    """Turns tokens into text that can be handed out at once: what was handed out never changes.

    Together the parts are the text that `generate` returns. A part has whole code points, and
    words with the space before them. What may be the beginning of a stop text is kept back until
    it is clear whether it is one.

    Args:
        vocabulary: The vocabulary of the tokens.
        before: The ids of the prompt, which the text goes on from.
        prompt: The prompt as it was given: where it ends in white space, no space is added.
        stop: Texts before whose first appearance the text ends.

    Attributes:
        stopped: Whether a stop text has appeared: the text is complete.

    Example:
        >>> vocabulary = Vocabulary(["Well", ",", "no", "."], level="word")
        >>> text = GrowingText(vocabulary, before=[0])
        >>> text.add(1), text.add(2), text.add(3), text.end()
        (',', ' no', '.', '')
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        before: Sequence[int] | np.ndarray = (),
        prompt: str = "",
        stop: Sequence[str] = (),
    ):
        self.vocabulary, self.stop = vocabulary, list(stop)
        self.stopped = False
        # Under this old rule a mark changes the spaces before it: nothing is sure before the end.
        self._looks_ahead = vocabulary.level == "word" and vocabulary.punctuation == "split_1"
        self._silent = (vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id)
        self._context: list[int] = []
        self._next_cut = 2 * CONTEXT  # the length at which the context is cut
        self._waiting: list[int] = []
        self._pending = ""  # what may be the beginning of a stop text
        self.read(before, prompt)

    def read(self, ids: Sequence[int] | np.ndarray, text: str) -> None:
        """Notes a text that someone else wrote and these ids of it, for the spaces after it."""
        self._look_back_on(np.asarray(ids, "int32").tolist())
        self._after_space = self.vocabulary.level != "character" and text[-1:].isspace()

    def add(self, *ids: int) -> str:
        """Returns the text that these tokens add, as far as it is sure."""
        if self._looks_ahead:
            self._waiting += ids
            return ""
        return self._sure(self._pending + self._text_of(ids), more=True)

    def end(self) -> str:
        """Returns what was kept back; no token follows."""
        waiting, self._waiting = self._waiting, []
        text = self._sure(self._pending + self._text_of(waiting), more=False)
        if self._looks_ahead:
            self._context = self._context[-4 * CONTEXT :]
        return text

    def preview(self, token: int) -> str:
        """Returns what one token would add here, for itself; nothing is noted.

        Example:
            >>> vocabulary = Vocabulary(["Well", ",", "no"], level="word")
            >>> text = GrowingText(vocabulary, before=[0])
            >>> text.preview(1), text.preview(2)
            (',', ' no')
        """
        if self.vocabulary.level == "character":
            return "" if token in self._silent else self.vocabulary.tokens[token]
        text = self.vocabulary.decode([token], after=self._context)
        return text.removeprefix(" ") if self._after_space else text

    @property
    def state(self) -> tuple[list[int], bool]:
        """The ids that are looked back on, and whether white space was read last."""
        return list(self._context), self._after_space

    @state.setter
    def state(self, state: tuple[list[int], bool]):
        self._context, self._after_space = list(state[0]), state[1]
        self._next_cut = max(2, -(-len(self._context) // CONTEXT) + 1) * CONTEXT
        self._waiting, self._pending, self.stopped = [], "", False

    def _text_of(self, ids):
        if self.vocabulary.level == "character":  # what `decode` does, for a server's many calls
            return "".join([self.vocabulary.tokens[i] for i in ids if i not in self._silent])
        text = self.vocabulary.decode(list(ids), after=self._context)
        self._look_back_on(ids)
        if self._after_space and text:
            text, self._after_space = text.removeprefix(" "), False
        return text

    def _sure(self, text, more):
        """Cuts a text at a stop text, and keeps back what may become one."""
        found = [text.find(end) for end in self.stop if end in text]
        first = min(found, default=len(text))
        begins = _begins(text, self.stop) if more and not self.stopped else len(text)
        if begins < first:  # an earlier one may still appear
            self._pending = text[begins:]
            return text[:begins]
        self._pending = ""
        if self.stopped:
            return ""
        self.stopped = bool(found)
        return text[:first]

    def _look_back_on(self, ids):
        """Keeps as many of the last ids as decide on what follows."""
        if self.vocabulary.level == "character":
            return
        self._context += ids
        if len(self._context) < self._next_cut or self._looks_ahead:
            return
        last = len(self._context) - CONTEXT
        if self.vocabulary.level == "word" and self.vocabulary.punctuation == "split":
            last = spacing.last_start([self.vocabulary.tokens[i] for i in self._context], last)
        self._context = self._context[last:]
        self._next_cut = len(self._context) + CONTEXT


def _begins(text: str, stop: Sequence[str]) -> int:
    """Returns the first place from which a text is the beginning of a longer one of `stop`.

    Example:
        >>> _begins("to be or n", ["not", "be,"])
        9
    """
    longest = max(map(len, stop), default=1) - 1
    for place in range(max(len(text) - longest, 0), len(text)):
        rest = text[place:]
        if any(end.startswith(rest) and end != rest for end in stop):
            return place
    return len(text)
