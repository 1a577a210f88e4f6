"""A FastAPI route by hand: typed with pydantic, one pass in and one out."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.applications.typed import Connection

app = FastAPI()


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await websocket.accept()
    connection = Connection()
    try:
        while True:
            await websocket.send_text(connection.answer(await websocket.receive_text()))
    except WebSocketDisconnect:
        return
