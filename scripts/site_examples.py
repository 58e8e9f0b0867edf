"""Reads the docstrings' `Example:` as mkdocstrings reads `Examples:`, as code (mkdocs.yml)."""

import re

import griffe


class Examples(griffe.Extension):
    """Renames the section, before the docstring is parsed."""

    def on_instance(self, *, obj, **kwargs):
        """Looks at every documented object."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
