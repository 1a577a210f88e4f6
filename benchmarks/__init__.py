"""How fast the library is, side by side with what else one could use. README.md says how to run and read it."""
