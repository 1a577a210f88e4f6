"""JSON Web Tokens as credentials: ``authenticate=JwtAuthenticator(key, algorithms=["RS256"])`` on any host."""

try:
    from wsproto_jwt.authenticator import JwtAuthenticator
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "jwt":
        raise
    what = "wsproto_jwt needs PyJWT, which is not installed: pip install 'wsproto-core[jwt]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["JwtAuthenticator"]
