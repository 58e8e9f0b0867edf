"""Splits by content: what is held out depends on the texts and the seed, never on their order."""

import hashlib
from collections.abc import Hashable, Sequence


def hold_out(items: Sequence, keys: Sequence[str], count: int, *, seed: int) -> tuple[list, list]:
    """Splits items in two; items with the same key stay together.

    Keys are ranked by the SHA-256 of seed and key, and the first are held out. So the split is
    the same whatever the order in which the items came and whichever NumPy or Python ranks them,
    and both sides come out in an order that is fixed yet as good as shuffled.

    Args:
        items: What to split. Items with the same key must be sortable.
        keys: A key for each item.
        count: How many items to hold out. It is met exactly as long as there are keys with a
            single item left to fill up with.
        seed: Another seed is another split.

    Returns:
        The rest and the held-out items.

    Example:
        >>> rest, held_out = hold_out(["a", "b", "b", "c"], ["a", "b", "b", "c"], count=1, seed=0)
        >>> len(rest), len(held_out), held_out != ["b"]
        (3, 1, True)
    """
    groups: dict[str, list] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append(item)
    rest, held_out = [], []
    for key in sorted(groups, key=lambda key: hashlib.sha256(f"{seed}\n{key}".encode()).digest()):
        side = held_out if len(held_out) + len(groups[key]) <= count else rest
        side += sorted(groups[key])
    return rest, held_out


def keys_of(items: Sequence, kind: str) -> list[str]:
    """Gives the items of a corpus that must stay together the same key.

    Args:
        items: The documents, pairs or texts with labels.
        kind: `"documents"`, `"pairs"` or `"labelled"`.

    Returns:
        A key for each item: the text, or for pairs that of `connected_keys`.
    """
    if kind == "pairs":
        return connected_keys(items)
    return [item[0] for item in items] if kind == "labelled" else list(items)


def connected_keys(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Gives pairs that share a sentence, directly or through other pairs, the same key.

    Sentence-pair collections repeat a source with several targets and a target with several
    sources. Held out by these keys, no sentence of either side occurs on both sides of a split.

    Args:
        pairs: `(source, target)` pairs.

    Returns:
        A key for each pair: the smallest source of its connected component.

    Example:
        >>> connected_keys([("Go.", "Ve."), ("Go.", "Vete."), ("Leave", "Vete."), ("Hi", "Hola")])
        ['Go.', 'Go.', 'Go.', 'Hi']
    """
    parent: dict[Hashable, Hashable] = {}

    def root(node):  # union-find with path halving
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for source, target in pairs:
        parent[root((0, source))] = root((1, target))
    roots = [root((0, source)) for source, _ in pairs]
    smallest: dict[Hashable, str] = {}
    for node, (source, _) in zip(roots, pairs, strict=True):
        smallest[node] = min(source, smallest.get(node, source))
    return [smallest[node] for node in roots]
