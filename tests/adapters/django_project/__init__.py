"""A Django project as users have it: sessions and users on SQLite, views, sockets; served by uvicorn and daphne."""
