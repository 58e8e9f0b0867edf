"""Adds to pyproject.toml what it cannot say: the published models go into the wheel, no others."""

import json
import shutil
from pathlib import Path

from setuptools import find_packages, setup

ZOO = "saved_models"  # at the top of the repository; in the wheel rnnzoo/saved_models


def published_files():
    """The files of the zoo that the terms of their corpora let into the package."""
    files = ["index.json"]
    for name, model in json.loads(Path(ZOO, "index.json").read_text("utf-8"))["models"].items():
        for path in sorted(Path(ZOO, name).rglob("*")):
            if path.is_file() and model["in_wheel"]:
                files.append(path.relative_to(ZOO).as_posix())
    return files


# An earlier build may have left here what may no longer be shipped.
shutil.rmtree(Path("build", "lib", "rnnzoo", ZOO), ignore_errors=True)

setup(
    packages=[*find_packages(include=["rnnzoo", "rnnzoo.*", "rnnzoo_cli"]), f"rnnzoo.{ZOO}"],
    package_dir={f"rnnzoo.{ZOO}": ZOO},
    package_data={
        "rnnzoo": ["py.typed"],
        "rnnzoo.export": ["example/*.py"],  # which an export holds a copy of
        "rnnzoo.export.html": ["*.html", "*.css", "*.js"],  # what a page is made of
        "rnnzoo.inspection.page": ["*.html", "*.css", "*.js"],
        "rnnzoo.serve": ["page/*"],
        f"rnnzoo.{ZOO}": published_files(),
    },
)
