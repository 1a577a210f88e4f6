"""Tokens of the application's own, signed with its secret key: `SignedTokenAuthenticator` issues and verifies them."""

try:
    from wsproto_itsdangerous.authenticator import SignedTokenAuthenticator
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "itsdangerous":
        raise
    what = "wsproto_itsdangerous needs itsdangerous, which is not installed: pip install 'wsproto-core[itsdangerous]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["SignedTokenAuthenticator"]
