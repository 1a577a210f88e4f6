"""What the protocol's own problems mean, and what to do about them, in English and in Polish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["LANGUAGES", "TEXTS", "WORDS", "Language"]

Language = Literal["en", "pl"]

LANGUAGES: Final[Mapping[Language, str]] = {"en": "English", "pl": "Polski"}

TEXTS: Final[Mapping[str, Mapping[Language, tuple[str, str, str]]]] = {
    "invalid_websocket_message": {
        "en": (
            "Invalid WebSocket message",
            "What was sent is not a JSON object, or not an action envelope.",
            "Send one JSON object with msg_id, req_id, action and payload. The member “errors” says where it went "
            "wrong. The connection stays open.",
        ),
        "pl": (
            "Nieprawidłowa wiadomość WebSocket",
            "To, co przyszło, nie jest obiektem JSON albo nie jest kopertą akcji.",
            "Wyślij jeden obiekt JSON z polami msg_id, req_id, action i payload. Pole „errors” mówi, gdzie jest błąd. "
            "Połączenie pozostaje otwarte.",
        ),
    },
    "unknown_websocket_action": {
        "en": (
            "Unknown WebSocket action",
            "The server has no action of this name.",
            "Check the name against the AsyncAPI document: it is case-sensitive. Perhaps the server is older or newer "
            "than the client.",
        ),
        "pl": (
            "Nieznana akcja WebSocket",
            "Serwer nie ma akcji o tej nazwie.",
            "Porównaj nazwę z dokumentem AsyncAPI: wielkość liter ma znaczenie. Być może serwer jest starszy albo "
            "nowszy od klienta.",
        ),
    },
    "invalid_payload": {
        "en": (
            "Invalid payload",
            "The action is known, but its payload is not what it takes.",
            "Correct the members that “errors” points to, and send the message again with a new msg_id.",
        ),
        "pl": (
            "Nieprawidłowy payload",
            "Akcja jest znana, ale jej payload nie jest tym, czego oczekuje.",
            "Popraw pola, na które wskazuje „errors”, i wyślij wiadomość ponownie z nowym msg_id.",
        ),
    },
    "unauthenticated": {
        "en": (
            "Not authenticated",
            "The action needs a user, and the credential is missing, wrong or has expired.",
            "Get a credential, then connect with it or send it with ws.authenticate.",
        ),
        "pl": (
            "Brak uwierzytelnienia",
            "Akcja wymaga użytkownika, a poświadczenia brakuje, jest błędne albo wygasło.",
            "Uzyskaj poświadczenie, a następnie połącz się z nim albo wyślij je przez ws.authenticate.",
        ),
    },
    "forbidden": {
        "en": (
            "Not allowed",
            "The server knows who you are, and says no.",
            "Sending it again does not help. Ask for the permission, or use an account that has it.",
        ),
        "pl": (
            "Brak uprawnień",
            "Serwer wie, kim jesteś, i odmawia.",
            "Ponowne wysłanie nie pomoże. Poproś o uprawnienie albo użyj konta, które je ma.",
        ),
    },
    "conflict": {
        "en": (
            "Conflict with another message",
            "A request with this req_id is still in flight, or a message with this msg_id had other content.",
            "Give each message and each request a new UUID.",
        ),
        "pl": (
            "Konflikt z inną wiadomością",
            "Żądanie o tym req_id jest jeszcze w toku albo wiadomość o tym msg_id miała inną treść.",
            "Nadawaj każdej wiadomości i każdemu żądaniu nowy UUID.",
        ),
    },
    "message_too_large": {
        "en": (
            "Message too large",
            "The message has more bytes than the server takes; the connection is closed with code 1009.",
            "Send less at once, or upload large data over HTTP. The event ws.ready says how many bytes are allowed.",
        ),
        "pl": (
            "Wiadomość jest za duża",
            "Wiadomość ma więcej bajtów, niż serwer przyjmuje; połączenie jest zamykane z kodem 1009.",
            "Wysyłaj mniej naraz albo prześlij duże dane przez HTTP. Zdarzenie ws.ready mówi, ile bajtów wolno wysłać.",
        ),
    },
    "rate_limited": {
        "en": (
            "Too many messages",
            "You have sent more than the server takes in this time.",
            "Wait for as many seconds as “retry_after” says, then send it again.",
        ),
        "pl": (
            "Za dużo wiadomości",
            "Wysłano więcej, niż serwer przyjmuje w tym czasie.",
            "Odczekaj tyle sekund, ile podaje „retry_after”, i wyślij ponownie.",
        ),
    },
    "cancelled": {
        "en": (
            "Cancelled by the client",
            "The client stopped this request with ws.cancel.",
            "Nothing needs to be done. What the action did before it was stopped is not undone.",
        ),
        "pl": (
            "Anulowane przez klienta",
            "Klient zatrzymał to żądanie akcją ws.cancel.",
            "Nie trzeba nic robić. To, co akcja wykonała przed zatrzymaniem, nie jest cofane.",
        ),
    },
    "internal_error": {
        "en": (
            "Internal error",
            "Something unforeseen happened on the server. The message that was sent is not to blame.",
            "Report it with the msg_id of the problem: the server's log has the same.",
        ),
        "pl": (
            "Błąd wewnętrzny",
            "Na serwerze stało się coś nieprzewidzianego. To nie wina wysłanej wiadomości.",
            "Zgłoś to, podając msg_id problemu: ten sam jest w dzienniku serwera.",
        ),
    },
    "unavailable": {
        "en": (
            "Temporarily unavailable",
            "The server is about to restart, has as many connections as it takes, or lacks something that it needs.",
            "Try again in a moment, each time after a longer and random pause.",
        ),
        "pl": (
            "Chwilowo niedostępne",
            "Serwer zaraz uruchomi się ponownie, ma komplet połączeń albo brakuje mu czegoś, czego potrzebuje.",
            "Spróbuj za chwilę, za każdym razem po dłuższej, losowej przerwie.",
        ),
    },
    "action_timeout": {
        "en": (
            "The action took too long",
            "The action did not end within its time limit and was stopped.",
            "Try again. That it took too long does not mean that nothing happened: look before you repeat it.",
        ),
        "pl": (
            "Akcja trwała zbyt długo",
            "Akcja nie zakończyła się w wyznaczonym czasie i została zatrzymana.",
            "Spróbuj ponownie. Przekroczenie czasu nie znaczy, że nic się nie stało: sprawdź, zanim powtórzysz.",
        ),
    },
}
"""Title, meaning and what to do, of each of the protocol's own problems by code and language."""

WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "all": {"en": "Problem types", "pl": "Typy problemów"},
    "code": {"en": "Code", "pl": "Kod"},
    "meaning": {"en": "What it means", "pl": "Co to znaczy"},
    "way_out": {"en": "What to do", "pl": "Co zrobić"},
    "retryable": {"en": "May the same request succeed later?", "pl": "Czy to samo żądanie może się później udać?"},
    "yes": {"en": "Yes", "pl": "Tak"},
    "no": {"en": "No", "pl": "Nie"},
    "own": {
        "en": "The application says this; the member “detail” of the problem says more.",
        "pl": "Mówi to aplikacja; więcej mówi pole „detail” problemu.",
    },
    "again": {
        "en": "The same request may succeed later: try again after a pause.",
        "pl": "To samo żądanie może się później udać: spróbuj ponownie po przerwie.",
    },
    "not_again": {
        "en": "The same request will not succeed: change it, or what it depends on, first.",
        "pl": "To samo żądanie się nie uda: najpierw zmień je albo to, od czego zależy.",
    },
}
"""The words of the pages by language."""
