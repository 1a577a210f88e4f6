"""MessagePack on the wire, for clients that offer ``wsproto.v1.msgpack``; the core loads it when the first one does."""

from wsproto_msgpack.codec import MsgpackCodec

__all__ = ["MsgpackCodec"]
