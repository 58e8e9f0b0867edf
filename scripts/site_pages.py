"""The pages of the site that are made of other files: mkdocs calls these functions (mkdocs.yml).

Lessons are the notebooks, and pages of the zoo are the models' cards. ARCHITECTURE.md, CHANGELOG.md
and benchmarks/RESULTS.md are pages too, so that nothing is written twice.
"""

import re
from pathlib import Path

import jupytext
from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "saved_models").glob("*/card.md"))
LESSONS = sorted((ROOT / "lessons").glob("*.py"))
PAGES = {
    "design.md": ROOT / "ARCHITECTURE.md",
    "changes.md": ROOT / "CHANGELOG.md",
    "results.md": ROOT / "benchmarks" / "RESULTS.md",
}
BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\(.*\)\n", re.MULTILINE)  # for the notebook alone
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
# Where a link that is right in the repository leads on the site.
LINKS = {
    "../benchmarks/RESULTS.md": "results.md",
    "../saved_models": "zoo/index.md",
    "../ARCHITECTURE.md": "design.md",
    "ARCHITECTURE.md": "design.md",
    "CHANGELOG.md": "changes.md",
}


def on_config(config):
    """Puts the lessons and the pages of the zoo into the menu."""
    lessons = ["lessons/index.md", *(f"lessons/{lesson.stem}.md" for lesson in LESSONS)]
    zoo = [{"All models": "zoo/index.md"}]
    zoo += [{card.parent.name: f"zoo/{card.parent.name}.md"} for card in CARDS]
    for entry in config.nav:
        if "Lessons" in entry:
            entry["Lessons"] = lessons
        if "The zoo" in entry:
            entry["The zoo"] = zoo
    return config


def on_files(files, config):
    """Adds the pages that are made of other files."""
    for name, path in PAGES.items():
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    for picture in (ROOT / "benchmarks").glob("*.png"):  # of RESULTS.md
        files.append(File.generated(config, picture.name, abs_src_path=str(picture)))
    index = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8").replace(".ipynb)", ".md)")
    files.append(File.generated(config, "lessons/index.md", content=index))
    for lesson in LESSONS:
        files.append(File.generated(config, f"lessons/{lesson.stem}.md", content=_lesson(lesson)))
    files.append(File.generated(config, "zoo/index.md", content=_zoo()))
    for card in CARDS:
        name = card.parent.name
        text = card.read_text(encoding="utf-8").replace("](curve.png)", f"]({name}_curve.png)")
        files.append(File.generated(config, f"zoo/{name}.md", content=text))
        curve = card.with_name("curve.png")
        if curve.is_file():
            files.append(File.generated(config, f"zoo/{name}_curve.png", abs_src_path=str(curve)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Leads links to files of the repository to their pages."""
    up = "../" * page.file.src_uri.count("/")

    def lead(match):
        target, _, part = match[1].partition("#")
        if target in LINKS:
            return f"]({up}{LINKS[target]}{'#' + part if part else ''})"
        return match[0].replace("](docs/", f"]({up}")

    return re.sub(r"\]\(([^)\s]+)\)", lead, markdown)


def _lesson(path):
    """A lesson as a page: the words, and the code in blocks."""
    parts = []
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "markdown":
            parts.append(FORMULA.sub(_formula, BADGE.sub("", cell.source)))
        else:
            parts.append(f"```python\n{cell.source}\n```")
    return "\n\n".join(parts).replace("<details>", '<details markdown="1">') + "\n"


def _formula(match):
    """TeX as MathML, which browsers draw themselves."""
    return convert(match[1] or match[2], display="block" if match[1] else "inline")


def _zoo():
    lines = ["# The zoo", "", "`rnnzoo.load(NAME)` loads one.", ""]
    lines += ["| model | what it is | figure |", "|---|---|---|"]
    for card in CARDS:
        name = card.parent.name
        _, what, figure, *_ = re.split(r"\n\s*\n", card.read_text(encoding="utf-8"))
        lines.append(f"| [{name}]({name}.md) | {what} | {figure.strip('*')} |")
    return "\n".join(lines) + "\n"
