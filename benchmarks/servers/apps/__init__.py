"""One module for each server; each has an ASGI application `app` that answers at /ws/."""
