"""A to-do list that several people keep, with Django and PostgreSQL."""
