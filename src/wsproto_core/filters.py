"""Which filters match a topic: a trie of levels with the wildcards of MQTT 5 section 4.7, walked without recursion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar, cast

__all__ = ["FilterTrie"]

_T = TypeVar("_T")
_NOTHING: Final = object()


class _Node(Generic[_T]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[_T]] | None = None
        self.value: _T | object = _NOTHING


class FilterTrie(Generic[_T]):
    """Values by filter. What a lookup costs depends on the levels of the topic, never on the number of filters.

    It takes any text: whether a filter makes sense is for `check_filter` to say.
    """

    __slots__ = ("_root", "_size")

    def __init__(self) -> None:
        self._root: _Node[_T] = _Node()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __setitem__(self, name: str, value: _T) -> None:
        node = self._root
        for level in name.split("/"):
            if node.children is None:
                node.children = {}
            child = node.children.get(level)
            if child is None:
                child = node.children[level] = _Node()
            node = child
        self._size += node.value is _NOTHING
        node.value = value

    def __delitem__(self, name: str) -> None:
        """Take a filter out, with the nodes that only it needed.

        Raises:
            KeyError: it is not there.
        """
        path: list[tuple[_Node[_T], str]] = []
        node = self._root
        for level in name.split("/"):
            path.append((node, level))
            node = (node.children or {})[level]
        if node.value is _NOTHING:
            raise KeyError(name)
        node.value = _NOTHING
        self._size -= 1
        for parent, level in reversed(path):
            children = parent.children
            if children is None or children[level].children or children[level].value is not _NOTHING:
                break
            del children[level]
            if not children:
                parent.children = None

    def match(self, topic: str) -> Iterator[_T]:
        """Yield the values of the filters that a topic matches; the more exact ones first, level by level.

        A filter that begins with a wildcard matches no topic that begins with ``$`` (MQTT 5 section 4.7.2).
        """
        levels = topic.split("/")
        end = len(levels)
        stack = [(self._root, 0)]
        while stack:
            node, depth = stack.pop()
            if depth >= end and node.value is not _NOTHING:
                yield cast("_T", node.value)
            children = node.children
            if children is None or depth > end:
                continue
            if depth > 0 or not topic.startswith("$"):
                # What follows may be any number of levels, also none: past the end, only its value counts.
                if (rest := children.get("#")) is not None:
                    stack.append((rest, end + 1))
                if depth < end and (any_level := children.get("+")) is not None:
                    stack.append((any_level, depth + 1))
            if depth < end and (exact := children.get(levels[depth])) is not None:
                stack.append((exact, depth + 1))
