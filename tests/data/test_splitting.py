from hypothesis import given
from hypothesis import strategies as st

from rnnzoo.data.splitting import connected_keys, hold_out

words = st.lists(st.text("abc", max_size=2), max_size=30)


@given(items=words, count=st.integers(0, 30), seed=st.integers(0, 5), data=st.data())
def test_hold_out_keeps_copies_together_and_ignores_the_order(items, count, seed, data):
    rest, held = hold_out(items, items, count, seed=seed)
    assert sorted(rest + held) == sorted(items)
    assert not set(rest) & set(held)
    assert len(held) <= count
    singles = sum(items.count(item) == 1 for item in set(items))
    if singles >= count:  # then copies cannot get in the way of the exact count
        assert len(held) == count
    shuffled = data.draw(st.permutations(items))
    assert hold_out(shuffled, shuffled, count, seed=seed) == (rest, held)


def test_hold_out_is_pinned():
    # the split of a published model must never move
    items = [str(number) for number in range(10)]
    assert hold_out(items, items, 3, seed=0)[1] == ["9", "8", "1"]
    assert hold_out(items, items, 3, seed=1)[1] != hold_out(items, items, 3, seed=0)[1]


@given(pairs=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=9))
def test_connected_keys_equal_brute_force(pairs):
    def component(start):
        seen, grown = {start}, True
        while grown:
            more = {p for p in pairs for q in seen if p[0] == q[0] or p[1] == q[1]}
            seen, grown = seen | more, not more <= seen
        return min(source for source, _ in seen)

    assert connected_keys(pairs) == [component(pair) for pair in pairs]
