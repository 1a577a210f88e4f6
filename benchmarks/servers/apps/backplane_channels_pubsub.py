"""Channels by hand, over the pubsub layer of channels_redis."""

from benchmarks.backplane.consumers import application

app = application("pubsub.RedisPubSubChannelLayer")
