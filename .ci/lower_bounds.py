"""Prints the lower bounds of pyproject.toml as constraints: `keras>=3.15` as `keras==3.15`."""

import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
needed = {
    re.sub(r"\[.*\]", "", each): None
    for name in ("test", "serve", "translation", "corpora")
    for each in [*project["dependencies"], *extras[name]]
}
without = [each for each in needed if ">=" not in each]
if without:
    raise SystemExit(f"No lower bound: {', '.join(without)}.")
print("\n".join(each.replace(">=", "==") for each in needed))
