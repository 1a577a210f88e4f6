"""A live dashboard: one topic for each figure, and slow readers get the newest of each."""

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.middleware.base import RequestResponseEndpoint

from examples.dashboard.gauges import Late, gauges_of
from wsproto_core import ActionContext, Event, Limits, Topic, action
from wsproto_fastapi import configure_websocket, handle_websocket

INTERVAL = float(os.environ.get("INTERVAL", "0.25"))  # seconds between two values
KEPT = 240  # values of each figure, for whoever comes


class About(BaseModel):
    name: str
    title: str
    unit: str


class Metrics(Event, name="metrics"):
    metrics: list[About]


class Measured(Event, name="metric.measured"):
    name: str
    at: float  # seconds since 1970
    value: float


class History(Event, name="metric.history"):
    name: str
    interval: float
    values: list[float]


class Metric(Topic, pattern="metric/{name}"):
    name: str

    def authorize(self, context: ActionContext) -> bool:
        return self.name in gauges

    async def on_subscribe(self, context: ActionContext) -> History:
        return History(name=self.name, interval=INTERVAL, values=[*history[self.name]])


@action("metric.list", summary="Which figures there are")
async def list_metrics() -> Metrics:
    about = [About(name=gauge.name, title=gauge.title, unit=gauge.unit) for gauge in gauges.values()]
    return Metrics(metrics=about)


async def measure() -> None:
    """Tell the newest figures, as long as the application runs."""
    while True:
        due = time.monotonic() + INTERVAL
        await asyncio.sleep(INTERVAL)
        late.value = max(0.0, time.monotonic() - due)  # clocks differ a little
        for gauge in gauges.values():
            value = round(gauge.read(), 2)
            history[gauge.name].append(value)
            measured = Measured(name=gauge.name, at=time.time(), value=value)
            # The key says what a newer value takes the place of, for readers who are slower than we are.
            await hub.emit(measured.to(Metric(name=gauge.name), key=f"metric/{gauge.name}"))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    measuring = asyncio.create_task(measure())
    yield
    measuring.cancel()


HERE = Path(__file__).parent
app = FastAPI(title="Dashboard", lifespan=lifespan)
# Few messages wait for a slow reader: what waits is what it gets before the newest.
hub = configure_websocket(app, limits=Limits(slow_consumer="conflate", outbox_messages=16))
late = Late()
gauges = gauges_of(hub, late)
history: dict[str, deque[float]] = {name: deque(maxlen=KEPT) for name in gauges}


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id=None)


@app.middleware("http")
async def content_security_policy(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


@app.get("/wsproto.js")
async def client_module() -> FileResponse:
    return FileResponse(HERE.parents[1] / "clients/typescript/wsproto.js", media_type="text/javascript")


app.mount("/", StaticFiles(directory=HERE / "static", html=True))
