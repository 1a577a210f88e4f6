"""A FastAPI route by hand: json.loads, a dict, json.dumps."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.applications.untyped import Connection

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
