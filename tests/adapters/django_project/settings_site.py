"""The project without `AUTHENTICATE`: whoever is not logged in is refused. The rest is said by the environment."""

import json
import os

from tests.adapters.django_project.settings import *  # noqa: F403
from tests.adapters.django_project.settings import CHANNEL_LAYERS, WSPROTO

del WSPROTO["AUTHENTICATE"]
if port := os.environ.get("TEST_LAYER_PORT"):
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "tests.adapters.django_project.layer.TcpChannelLayer",
        "CONFIG": {"port": int(port)},
    }
globals().update(json.loads(os.environ.get("TEST_SETTINGS", "{}")))
