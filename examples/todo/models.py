"""Lists, and what is on them. Nothing here knows of sockets."""

from django.conf import settings
from django.db import models


class TodoList(models.Model):
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="own_lists")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="lists")  # the owner among them

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    list = models.ForeignKey(TodoList, models.CASCADE, related_name="items")
    text = models.CharField(max_length=200)
    done = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.text
