"""The same small application with each library: somebody says something, and is told so by an event."""
