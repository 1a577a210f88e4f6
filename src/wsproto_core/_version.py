"""The version of the distribution. The build reads it from here, and so does the package."""

__all__ = ["__version__"]

__version__ = "0.1.0"
"""The version of the distribution, as text."""
