"""MessagePack on the wire, for clients that offer ``wsproto.v1.msgpack``; the core loads it when the first one does."""

try:
    from wsproto_msgpack.codec import MsgpackCodec
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "msgpack":
        raise
    what = "wsproto_msgpack needs msgpack, which is not installed: pip install 'wsproto-core[msgpack]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["MsgpackCodec"]
