"""NATS between the processes of an application: ``backplane="nats://127.0.0.1:4222"``; emitting from anywhere else."""

try:
    from wsproto_nats.backplane import NatsBackplane, backplane_from_url
    from wsproto_nats.emitter import AsyncNatsEmitter, NatsEmitter
    from wsproto_nats.subjects import subject_of
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "nats":
        raise
    what = "wsproto_nats needs nats-py, which is not installed: pip install 'wsproto-core[nats]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["AsyncNatsEmitter", "NatsBackplane", "NatsEmitter", "backplane_from_url", "subject_of"]
