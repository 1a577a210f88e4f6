"""Settings of Sphinx, the same for both languages: ``-D language=`` says which one it is."""

import importlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # for `docs.site`

# The adapter for Channels is read from its docstrings; Django wants to be set up before its modules are imported.
import django  # noqa: E402
from django.conf import settings  # noqa: E402

if not settings.configured:
    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
    django.setup()

import wsproto_core  # noqa: E402
from docs.site.reference import PUBLIC  # noqa: E402

# autodoc sets TYPE_CHECKING while it imports, under which FastAPI cannot be imported: so all are imported before.
for each in map(importlib.import_module, PUBLIC):
    for name in each.__all__:
        getattr(each, name)

__all__: list[str] = []

LANGUAGE = os.environ["SITE_LANGUAGE"]
REPOSITORY = "https://github.com/beeflow/wsproto-core"

project = "wsproto-core"
author = "Beeflow Ltd and contributors"
release = version = wsproto_core.__version__
language = LANGUAGE
locale_dirs = [os.environ["SITE_LOCALES"]]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs.site.extension"]
templates_path = ["templates"]
default_role = "py:obj"
suppress_warnings = ["config.cache"]

# The same anchors as on GitHub, for all levels; headings in the tables of contents down to the names of the reference.
myst_heading_anchors = 6
myst_enable_extensions: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Class keywords", "params_style")]
python_use_unqualified_type_names = True
add_module_names = False
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "wsproto-core"
html_static_path = ["static"]
html_favicon = "static/favicon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": f"docs/{LANGUAGE}/",
    "top_of_page_buttons": ["view"],
    "light_css_variables": {"color-brand-primary": "#0b5e8a", "color-brand-content": "#0b5e8a"},
    "dark_css_variables": {"color-brand-primary": "#7cc4ee", "color-brand-content": "#7cc4ee"},
}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
