"""Runs where the wheel and one extra are installed: python -I smoke_adapters.py EXTRA…

The adapters that are named here load, with all of their modules; what else is in the wheel loads too, or says in one
sentence which extra is missing.
"""

import importlib
import importlib.util
import pkgutil
import re
import sys
from importlib.metadata import packages_distributions

here = set(sys.argv[1:])
# What only works together with a second framework, which the extra does not bring.
NEEDS_MORE = {"wsproto_proxy.over_flask": "flask"}


def load(name: str) -> None:
    """Load a package with all that is in it."""
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if module.name in NEEDS_MORE and importlib.util.find_spec(NEEDS_MORE[module.name]) is None:
            continue
        importlib.import_module(module.name)


if "channels" in here:
    import django
    from django.conf import settings

    applications = ["django.contrib.auth", "django.contrib.contenttypes", "channels", "wsproto_channels"]
    settings.configure(SECRET_KEY="s3cret", INSTALLED_APPS=applications, CHANNEL_LAYERS={})
    django.setup()

adapters = sorted(name for name in packages_distributions() if name.startswith("wsproto_") and name != "wsproto_core")
missing = []
for adapter in adapters:
    extra = adapter.removeprefix("wsproto_")
    if extra in here:
        load(adapter)
        continue
    try:
        importlib.import_module(adapter)
    except ModuleNotFoundError as error:
        sentence = rf"{adapter} needs .+, which (is|are) not installed: pip install 'wsproto-core\[{extra}\]'\."
        if not re.fullmatch(sentence, str(error)):
            raise AssertionError(f"{adapter} does not name its extra: {error}") from error
        missing.append(extra)
assert here <= {adapter.removeprefix("wsproto_") for adapter in adapters}, here
print("loads:", ", ".join(sorted(set(adapters) - {f"wsproto_{extra}" for extra in missing})) or "nothing")
print("names its extra:", ", ".join(missing) or "nothing")
if not here:
    assert len(missing) == len(adapters) - 1, (
        "an adapter loads without what it is for; only that for ASGI needs nothing"
    )
