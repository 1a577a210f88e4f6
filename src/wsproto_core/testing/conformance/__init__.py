"""The conformance suite: what every host must do, over a real socket.

Whoever writes an adapter mounts the actions of `conformance_registry`, serves them, and runs::

    python -m wsproto_core.testing.conformance ws://127.0.0.1:8000/ws/

or calls `run_cases` in tests of its own. The suite needs nothing but the standard library and the core.
"""

# isort: off
from wsproto_core.testing.conformance import messages  # first, as in the protocol
from wsproto_core.testing.conformance import connections
from wsproto_core.testing.conformance import packed
# isort: on

from wsproto_core.testing.conformance.actions import conformance_registry
from wsproto_core.testing.conformance.runner import Result, run_cases
from wsproto_core.testing.conformance.target import CASES, Case, Target
from wsproto_core.testing.conformance.transcript import TRANSCRIPT, run_transcript, talk

__all__ = [
    "CASES",
    "TRANSCRIPT",
    "Case",
    "Result",
    "Target",
    "conformance_registry",
    "connections",
    "messages",
    "packed",
    "run_cases",
    "run_transcript",
    "talk",
]
