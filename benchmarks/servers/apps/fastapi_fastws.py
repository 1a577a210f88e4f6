"""FastWS in a FastAPI route, as its documentation mounts it."""

from typing import Annotated

from fastapi import Depends, FastAPI
from fastws import Client

from benchmarks.applications.fastws import service

app = FastAPI()


@app.websocket("/ws/")
async def ws(client: Annotated[Client, Depends(service.manage)]) -> None:
    await service.serve(client)
