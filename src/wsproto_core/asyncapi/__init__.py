"""The contract documents itself: an AsyncAPI 3.1 document, a page that shows it, and pages of problems."""

from wsproto_core.asyncapi.contract import Contract
from wsproto_core.asyncapi.document import build_document
from wsproto_core.asyncapi.page import docs_page
from wsproto_core.asyncapi.serving import Answer, Site, document_json
from wsproto_core.asyncapi.sockets import HostFacts, Socket
from wsproto_core.asyncapi.yaml import to_yaml

__all__ = [
    "Answer",
    "Contract",
    "HostFacts",
    "Site",
    "Socket",
    "build_document",
    "docs_page",
    "document_json",
    "to_yaml",
]
