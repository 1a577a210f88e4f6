"""What the tests ask over HTTP."""

from django.urls import include, path

from tests.adapters.django_project.site import views

urlpatterns = [
    path("inside", views.inside),
    path("open/<name>", views.open_gate),
    path("say/<path:name>", views.say),
    path("ban/<name>", views.ban_user),
    path("log-in/<name>", views.log_in),
    path("emit-sync/<path:name>", views.emit_sync),
    path("group-send/<path:name>", views.group_send),
    path("group-send-by-hand/<path:name>", views.group_send_by_hand),
    path("group-disconnect/<path:name>", views.group_disconnect),
    path("poison", views.poison),
    path("layer/<kind>", views.layer),
    path("", include("wsproto_channels.urls")),
    path("below/", include("wsproto_channels.urls", namespace="below")),
]
