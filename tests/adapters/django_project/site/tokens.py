"""Users by their tokens."""

import threading

from django.contrib.auth import get_user_model


def user_of_token(token: str) -> object:
    """Look a user up in the database, as a plain function does."""
    assert threading.current_thread() is not threading.main_thread()
    if token == "broken":
        raise ValueError(f"no good: {token}-secret")
    return get_user_model().objects.filter(username=token).first()
