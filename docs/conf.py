"""How Sphinx builds these pages: `sphinx-build -n -W docs OUTPUT`, without any network."""

import tomllib
from pathlib import Path

# Read from the source, so that the pages can be built without installing the package.
_project = tomllib.loads(
    (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"),
)["project"]

project = "aiocredits"
author = "The aiocredits contributors"
copyright = "The aiocredits contributors"
version = release = _project["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]

# Directives whose content is Markdown again, such as notes and warnings.
myst_enable_extensions = ["colon_fence"]
# Links to headings, as in `[burn order](grants.md#burn-order)`, for the three upper levels.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"aiocredits {release}"
# A page is a page: no copies of its source beside it.
html_copy_source = False
