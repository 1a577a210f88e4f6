import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core.filters import FilterTrie


def trie_of(*names: str) -> FilterTrie[str]:
    trie: FilterTrie[str] = FilterTrie()
    for name in names:
        trie[name] = name
    return trie


def matches(name: str, topic: str) -> bool:
    """MQTT 5 section 4.7, word for word, on lists of levels."""
    if topic.startswith("$") and name.startswith(("+", "#")):
        return False
    wanted, levels = name.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)] if len(levels) >= len(wanted) else levels
    return len(wanted) == len(levels) and all(each in ("+", level) for each, level in zip(wanted, levels, strict=True))


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("sport/#", ["sport", "sport/tennis", "sport/tennis/score"], ["sports", "a/sport"]),
        ("sport/+", ["sport/tennis", "sport/"], ["sport", "sport/a/b"]),
        ("+/+", ["/finance", "a/b"], ["finance", "a/b/c"]),
        ("/+", ["/finance"], ["finance", "/a/b"]),
        ("+", ["finance"], ["/finance", "$SYS"]),
        ("#", ["a", "a/b", "/"], ["$SYS/x", "$SYS"]),
        ("+/monitor/Clients", ["x/monitor/Clients"], ["$SYS/monitor/Clients"]),
        ("$SYS/#", ["$SYS/x", "$SYS"], ["SYS/x"]),
        ("$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor"]),
        ("a/+/#", ["a/b", "a/b/c"], ["a"]),
        ("a/b", ["a/b"], ["a", "a/b/c", "A/b"]),
    ],
)
def test_the_examples_of_the_standard(name: str, yes: list[str], no: list[str]) -> None:
    trie = trie_of(name)
    for topic in yes:
        assert list(trie.match(topic)) == [name], topic
    for topic in no:
        assert list(trie.match(topic)) == [], topic


def test_the_more_exact_come_first() -> None:
    trie = trie_of("#", "+/b", "a/#", "a/+", "a/b", "+/+")
    assert list(trie.match("a/b")) == ["a/b", "a/+", "a/#", "+/b", "+/+", "#"]


def test_ten_thousand_levels_are_no_recursion() -> None:
    deep = "/".join("x" * 10_000)
    trie = trie_of(deep, deep + "/#", "x/#", "+/" * 9_999 + "x")
    assert len(list(trie.match(deep))) == 4
    del trie[deep + "/#"]
    assert len(list(trie.match(deep))) == 3


def test_a_filter_is_taken_out_with_what_only_it_needed() -> None:
    trie = trie_of("a/+/c", "a/+", "a/b/#")
    for name in ("a/x", "a/+/d", "a", "b"):
        with pytest.raises(KeyError):
            del trie[name]
    assert len(trie) == 3
    for left, name in ((2, "a/+"), (1, "a/+/c"), (0, "a/b/#")):
        del trie[name]
        assert len(trie) == left
        assert name not in list(trie.match(name.replace("+", "b").replace("#", "c")))
    assert trie._root.children is None


def test_a_value_is_replaced() -> None:
    trie = trie_of("a/+")
    trie["a/+"] = "new"
    assert (len(trie), list(trie.match("a/b"))) == (1, ["new"])


_LEVELS = st.lists(st.sampled_from(["a", "b", "", "$s"]), min_size=1, max_size=4)
_FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(st.sampled_from(["a", "b", "", "$s", "+"]), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
)


@given(st.sets(_FILTERS, max_size=12), st.sets(_FILTERS, max_size=4), _LEVELS)
def test_it_agrees_with_the_rules_whatever_was_taken_out(names: set[str], out: set[str], levels: list[str]) -> None:
    topic = "/".join(levels)
    trie = trie_of(*names, *out)
    for name in out:
        del trie[name]
    left = names - out
    assert len(trie) == len(left)
    found = list(trie.match(topic))
    assert sorted(found) == sorted(name for name in left if matches(name, topic))
