"""Channels by hand, over the core layer of channels_redis: a group, a consumer for each connection."""

from benchmarks.backplane.consumers import application

app = application("core.RedisChannelLayer")
