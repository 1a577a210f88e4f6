"""How long the AsyncAPI document of 500 actions takes, beside importing FastAPI: ``python -m benchmarks.document``.

Runs in any environment that has FastAPI; each measurement has a process of its own, and the best of several counts.
"""

import subprocess
import sys

ROUNDS = 5

IMPORT = """
import time
begin = time.perf_counter()
import fastapi
print(time.perf_counter() - begin)
"""

DOCUMENT = """
import time
from typing import Literal
from pydantic import BaseModel, Field, create_model
from wsproto_core import Event, Problem, Registry, Settings
from wsproto_core.asyncapi import build_document, document_json, to_yaml

registry = Registry()

class Address(BaseModel):
    street: str = Field(min_length=1, examples=["Long Street"])
    number: int = Field(ge=1)

def declare(number):
    payload = create_model(f"Payload{number}", id=(int, ...), text=(str, Field(max_length=500)), where=(Address, ...),
                           kind=(Literal["a", "b"], "a"), tags=(list[str], []))
    class Said(Event, name=f"event.{number}", registry=registry):
        id: int
        where: Address
    @registry.action(f"action.{number}", tags=["x"])
    async def handler(payload: payload) -> Said:
        '''Do something.'''
        if payload.id < 0:
            raise Problem(status=409, code="negative")
        return Said(id=payload.id, where=payload.where)

for number in range(500):
    declare(number)
settings = Settings(registry=registry, authenticate=lambda info: 1)
begin = time.perf_counter()
document = build_document(settings)
print(time.perf_counter() - begin)
begin = time.perf_counter()
text = document_json(document)
print(time.perf_counter() - begin)
begin = time.perf_counter()
to_yaml(document)
print(time.perf_counter() - begin)
print(len(text))
"""


def best_of(program: str) -> list[float]:
    """Return the least of each number that a program prints."""
    rounds = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        rounds.append([float(line) for line in done.stdout.split()])
    return [min(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    (imported,) = best_of(IMPORT)
    built, as_json, as_yaml, size = best_of(DOCUMENT)
    print(f"import fastapi              {imported * 1000:8.0f} ms")
    print(f"document of 500 actions     {built * 1000:8.0f} ms")
    print(f"  as JSON, {size / 1e6:4.1f} MB          {as_json * 1000:8.0f} ms")
    print(f"  as YAML                   {as_yaml * 1000:8.0f} ms")


if __name__ == "__main__":
    main()
