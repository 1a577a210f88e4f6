"""Ordinary pages; the socket is in asgi.py."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from examples.todo import views

urlpatterns = [
    path("", views.lists, name="lists"),
    path("lists/<int:pk>/", views.todo_list, name="list"),
    path("lists/<int:pk>/members/", views.share, name="share"),
    path("login/", LoginView.as_view(template_name="todo/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("wsproto.js", views.client_module),
]
