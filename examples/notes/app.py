"""Shared notes on Flask with SQLAlchemy: a database session for each message, and events from an ordinary view."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from flask import Flask, Response, request, send_file
from flask_sock import Sock
from flask_sqlalchemy import SQLAlchemy
from pydantic import BaseModel, StringConstraints, ValidationError
from simple_websocket import Server
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from wsproto_core import ActionContext, Event, Limits, Problem, Topic, action
from wsproto_flask import configure_websocket, handle_websocket

HERE = Path(__file__).parent
app = Flask(__name__, static_url_path="", instance_path=str(HERE / "instance"))
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///notes.db")  # in the folder instance


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(app, model_class=Base)
sock = Sock(app)
# One thread for each connection: some of the 100 that __main__.py gives gunicorn are left for pages.
hub = configure_websocket(app, limits=Limits(max_connections=80))

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Note(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    pinned: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class Saved(Event, name="note.saved"):
    id: int
    text: str
    pinned: bool
    at: datetime

    @classmethod
    def of(cls, note: Note) -> Self:
        # SQLite forgets zones; all of these are UTC.
        return cls(id=note.id, text=note.text, pinned=note.pinned, at=note.at.replace(tzinfo=UTC))


class Removed(Event, name="note.removed"):
    id: int


class Board(Topic, pattern="notes"):
    """Whoever looks at the notes. A subscription begins with those that there are."""

    def authorize(self, context: ActionContext) -> bool:
        return True

    def on_subscribe(self, context: ActionContext) -> Iterator[Saved]:
        for note in db.session.scalars(db.select(Note).order_by(Note.id)):
            yield Saved.of(note)


class NewNote(BaseModel):
    text: Text


class Pin(BaseModel):
    id: int
    pinned: bool


class Which(BaseModel):
    id: int


def add(text: str) -> Saved:
    note = Note(text=text)
    db.session.add(note)
    db.session.commit()
    return Saved.of(note).to(Board())


def note_of(pk: int) -> Note:
    note = db.session.get(Note, pk)
    if note is None:
        raise Problem(status=404, code="no_such_note", detail="Somebody has removed that note.")
    return note


@action("note.add", summary="Pin a new note to the board")
def add_note(payload: NewNote) -> Saved:
    return add(payload.text)


@action("note.pin", summary="Keep a note on top, or do not any more")
def pin_note(payload: Pin) -> Saved:
    note = note_of(payload.id)
    note.pinned = payload.pinned
    db.session.commit()
    return Saved.of(note).to(Board())


@action("note.remove", summary="Throw a note away")
def remove_note(payload: Which) -> Removed:
    db.session.delete(note_of(payload.id))
    db.session.commit()
    return Removed(id=payload.id).to(Board())


@app.post("/notes")
def post_note() -> tuple[str, int]:
    """Take a note from whoever has no socket: ``curl -d text=milk http://127.0.0.1:8000/notes``."""
    try:
        note = NewNote.model_validate(request.form.to_dict())
    except ValidationError as error:
        raise Problem(status=422, code="no_note", detail=f"text: {error.errors()[0]['msg']}.") from error
    saved = add(note.text)
    hub.emit_sync(saved)
    return f"{saved.id}\n", 201


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket, user_id=None)


@app.after_request
def content_security_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


@app.get("/wsproto.js")
def client_module() -> Response:
    return send_file(HERE.parents[1] / "clients/typescript/wsproto.js", mimetype="text/javascript")


@app.get("/")
def page() -> Response:
    return app.send_static_file("index.html")


with app.app_context():
    db.create_all()
