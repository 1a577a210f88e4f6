"""The conformance suite: what every host must do, over a real socket.

Whoever writes an adapter mounts the actions of `conformance_registry`, serves them, and runs::

    python -m wsproto_core.testing.conformance ws://127.0.0.1:8000/ws/

or calls `run_cases` in tests of its own. The suite needs nothing but the standard library and the core.
"""

from wsproto_core.testing.conformance import connections, messages
from wsproto_core.testing.conformance.actions import conformance_registry
from wsproto_core.testing.conformance.runner import Result, run_cases
from wsproto_core.testing.conformance.target import CASES, Case, Target

__all__ = ["CASES", "Case", "Result", "Target", "conformance_registry", "connections", "messages", "run_cases"]
