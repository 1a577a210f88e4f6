from wsproto_core.ids import new_id
from wsproto_core.presence import Present
from wsproto_core.publications import PresenceChange
from wsproto_core.watches import Watch, grouped


def change(joins: list[Present] | None = None, leaves: list[Present] | None = None) -> PresenceChange:
    return PresenceChange(origin="q", id=new_id(), topic="a", joins=tuple(joins or ()), leaves=tuple(leaves or ()))


def told(watch: Watch) -> dict[str, list[tuple[int | str, list[str]]]] | None:
    diff = watch.diff(grouped(watch.members.items()))
    if diff is None:
        return None
    return {
        kind: [(member.user_id, [meta.ref for meta in member.metas]) for member in getattr(diff, kind)]
        for kind in ("joins", "leaves", "updates")
        if getattr(diff, kind)
    }


def test_connections_are_grouped_by_user_whatever_the_form_of_the_id() -> None:
    assert grouped([(("p", "r2"), 42), (("q", "r1"), "42"), (("p", "r3"), "ann")]) == {
        "42": (42, ("r1", "r2")),
        "ann": ("ann", ("r3",)),
    }


def test_a_user_comes_with_the_first_connection_and_goes_with_the_last() -> None:
    watch = Watch("a")
    watch.change(change([("p", "r1", 1)]))
    assert told(watch) == {"joins": [(1, ["r1"])]}
    watch.change(change([("q", "r2", 1), ("q", "r3", 2)]))
    assert told(watch) == {"joins": [(2, ["r3"])], "updates": [(1, ["r1", "r2"])]}
    watch.change(change(leaves=[("p", "r1", 1), ("p", "never", 1)]))
    assert told(watch) == {"updates": [(1, ["r2"])]}
    watch.change(change(leaves=[("q", "r2", 1)]))
    assert told(watch) == {"leaves": [(1, ["r2"])]}
    assert told(watch) is None


def test_who_comes_and_goes_in_between_was_never_there() -> None:
    watch = Watch("a")
    watch.change(change([("p", "r1", 1)]))
    watch.change(change(leaves=[("p", "r1", 1)]))
    assert told(watch) is None


def test_the_state_is_what_was_told_with_what_the_application_says() -> None:
    watch = Watch("room/a")
    watch.change(change([("p", "r1", 1), ("p", "r2", 2)]))
    assert watch.state().members == []
    watch.infos.update({"1": {"name": "Ann"}, "2": {"name": "Bob"}})
    told(watch)
    assert [(member.user_id, member.info) for member in watch.state().members] == [
        (1, {"name": "Ann"}),
        (2, {"name": "Bob"}),
    ]
    watch.change(change(leaves=[("p", "r1", 1)]))
    told(watch)
    assert watch.infos == {"2": {"name": "Bob"}}


def test_what_is_heard_while_members_are_found_out_counts() -> None:
    watch = Watch("a")
    watch.hear(change([("p", "before", 1)]))
    first = watch.begin()
    watch.hear(change([("p", "r1", 1)], [("p", "r2", 2)]))
    second = watch.begin()
    watch.finish(first, {("p", "r2"): 2, ("p", "r3"): 3})
    assert set(watch.members) == {("p", "r1"), ("p", "r3")}
    watch.hear(change(leaves=[("p", "r3", 3)]))
    assert set(watch.members) == {("p", "r1")}
    watch.finish(second, {("p", "r1"): 1, ("p", "r3"): 3, ("p", "r4"): 4})
    assert set(watch.members) == {("p", "r1"), ("p", "r4")}
    assert watch.early == []


def test_an_answer_that_comes_after_that_of_a_later_attempt_is_late() -> None:
    watch = Watch("a")
    first, second = watch.begin(), watch.begin()
    watch.finish(second, {("p", "new"): 1})
    watch.finish(first, {("p", "old"): 1})
    assert set(watch.members) == {("p", "new")}


def test_an_attempt_that_failed_changes_nothing() -> None:
    watch = Watch("a")
    watch.finish(watch.begin(), None)
    assert not watch.loaded
    watch.finish(watch.begin(), {("p", "r"): 1})
    watch.finish(watch.begin(), None)
    assert watch.loaded
    assert set(watch.members) == {("p", "r")}


def test_the_last_attempt_says_whether_another_is_needed() -> None:
    watch = Watch("a")
    first, second = watch.begin(), watch.begin()
    watch.finish(second, None)
    watch.finish(first, {("p", "r"): 1})
    assert watch.stale
    watch.finish(watch.begin(), {("p", "r"): 1})
    assert not watch.stale
