from wsproto_core.asyncapi.names import identifier, reference


def test_a_name_that_is_an_identifier_stays_what_it_is() -> None:
    assert identifier("action", "chat.say-it") == "action.chat.say-it"


def test_names_that_are_none_are_told_apart() -> None:
    names = ["a/b", "a b", "a_b", "żółw", "", "...", "<img src=x>"]
    made = [identifier("action", name) for name in names]
    assert len(set(made)) == len(names)
    assert all(each.isascii() and not set(each) & set(" /<>=") for each in made)


def test_the_identifier_of_a_name_depends_on_nothing_else() -> None:
    assert identifier("action", "a/b") == "action.a_b_5ac164c3"


def test_a_reference_is_a_json_pointer() -> None:
    assert reference("channels", "a/b~c") == {"$ref": "#/channels/a~1b~0c"}
