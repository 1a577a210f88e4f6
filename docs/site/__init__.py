"""How docs/en and docs/pl become the site: settings of Sphinx and what it is taught. `scripts.build_site` builds it."""
