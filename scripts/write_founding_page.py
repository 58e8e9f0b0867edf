"""Puts the results of the founding systems' runs into docs/founding_*.md.

The pages are prose with blocks between comments. What stands in a block is written by this script,
from the folders that the runs left; everything else is written by hand and stays as it is:

    <!-- begin run NAME; pictures: curve.png; samples: first, last; figures: loss, digits -->
    <!-- begin compare NAME, NAME; figures: digits, strings -->
    <!-- begin section TITLE -->
    <!-- end -->

`run` shows a run: command, data, machine, date, how far it came, constants, figures, pictures and
samples (`first`, `last`, or how a sample's title starts). Without `pictures` it shows all of them,
without `samples` the last, without `figures` all; `none` leaves them out. `by` is the command that
makes a run which is no founding system. `compare` has a row for each run, `section` copies one of
benchmarks/RESULTS.md. What is missing is said to be missing.
"""

import dataclasses
import importlib
import inspect
import json
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli.running import errors_in_a_sentence, run

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- begin (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SAMPLE = re.compile(
    r"^--- ([^\n]+) ---\n(.*?)(?=\n\n--- [^\n]+ ---\n|\Z)", re.DOTALL | re.MULTILINE
)
STOPPED = {None: "the whole run", "budget": "stopped by its budget", "interrupt": "by hand"}
LARGEST_PICTURE = 500_000  # bytes


# --- Runs --------------------------------------------------------------------------------------


def read_run(folder):
    """What is known of a run, or `None` where there is none; also of a zoo model's training."""
    for filename, read in (("summary.json", _of_summary), ("metrics.json", _of_metrics)):
        if (folder / filename).is_file():
            record = json.loads((folder / filename).read_text(encoding="utf-8"))
            return {**record, **read(record)}
    return None


def _of_summary(record):
    training = record["training"]
    words = ["python", "scripts/run_founding_system.py", record["system"], "--seed", record["seed"]]
    if training["max_minutes"]:
        words += ["--max-minutes", f"{training['max_minutes']:g}"]
    defaults = default_constants(record["system"])
    for name, value in record["constants"].items():
        if name not in defaults or defaults[name] != value:
            words += ["--set", f"{name}={value}"]
    return {
        "command": shlex.join(map(str, words)),
        "far": f"{training['steps']:,} of {training['steps_planned']:,} steps "
        f"({100 * training['share']:.3g} %, {counted(training['epochs'], 'epoch')}) in "
        f"{training['minutes']:.1f} minutes: "
        + STOPPED.get(training["stopped_by"], training["stopped_by"]),
    }


def _of_metrics(record):
    training = record["training"]
    reason = STOPPED.get(training["stopped_by"], training["stopped_by"])
    command = re.sub(r" --(out|data-dir)[ =](\S+)", "", training["command"])
    return {
        "seed": training["seed"],
        "command": command,
        "data": record["corpus"],
        "constants": {**record["model"]["arguments"], "parameters": record["model"]["parameters"]},
        "far": f"{training['steps']:,} steps ({counted(training['epochs'], 'epoch')}) in "
        f"{training['minutes']:.1f} minutes: {reason}; the best weights are those of step "
        f"{training['best_step']:,}",
    }


def default_constants(system):
    """The constants that a system has when nothing is changed, as JSON has them."""
    from rnnzoo import founding
    from rnnzoo.errors import unknown_name

    if system not in founding.SYSTEMS:
        raise unknown_name("founding system", system, founding.SYSTEMS)
    module, function, _ = founding.SYSTEMS[system]
    function = getattr(importlib.import_module(f"rnnzoo.founding.{module}"), function)
    constants = inspect.signature(function).parameters["constants"].default
    return json.loads(json.dumps(dataclasses.asdict(constants)))


def missing(name, command=None):
    """What stands in the place of a run that was not made."""
    command = command or f"python scripts/run_founding_system.py {name}"
    return f"**Missing**: this run has not been made yet; `{command}` makes it."


# --- Blocks ------------------------------------------------------------------------------------


def rewrite(text, page, runs, results):
    """Fills the blocks of a page.

    Args:
        text: The page as it is.
        page: Its path; pictures go into the folder beside it that bears a part of its name.
        runs: The folder of the runs' folders.
        results: The path of benchmarks/RESULTS.md.

    Returns:
        The page as it should be, and how many runs are missing.

    Raises:
        InputError: If a block is wrong, or asks for what a run has not.
    """
    from rnnzoo.errors import InputError

    absent = set()

    def fill(match):
        head, settings, before, tail = match.groups()
        if "<!-- begin" in before:
            raise InputError(f"The block {settings!r} of {page} has no '<!-- end -->'; add one.")
        kind, _, rest = settings.partition(" ")
        subject, *options = [part.strip() for part in rest.split(";")]
        if not all(":" in option for option in options):
            raise InputError(f"The block {settings!r} of {page} needs options as `name: values`.")
        options = dict(re.split(r":\s*", option, maxsplit=1) for option in options)
        if kind == "run":
            content = _run_block(subject, options, page, runs=runs, absent=absent)
        elif kind == "compare":
            content = _compare_block(subject, options, runs, absent=absent)
        elif kind == "section":
            content = _section_block(subject, results)
        else:
            raise InputError(
                f"The block {settings!r} of {page} is none that is known; write run, compare or "
                "section."
            )
        return f"{head}\n{content}\n\n{tail}"

    written = BLOCK.sub(fill, text)
    if written.count("<!-- begin") != written.count("<!-- end -->"):
        raise InputError(f"{page} has a '<!-- begin' or an '<!-- end -->' alone; add the other.")
    return written, sorted(absent)


def _run_block(name, options, page, runs, absent):
    run = read_run(runs / name)
    if run is None:
        absent.add(name)
        return missing(name, options.get("by"))
    machine, versions = run["machine"], run["versions"]
    place = ", ".join([machine["cpu"], counted(machine["cores"], "core"), *machine["gpus"]])
    made = [
        f"`{run['command']}`",
        f"- Came as far as {run['far']}.",
        f"- Seed {run['seed']}; data `{run['data']['name']}`, SHA-256 `{run['data']['sha256']}`.",
        f"- {place}; Keras {versions['keras']} on {keras_backend(versions)}; {run['date']}.",
        f"- Constants: {', '.join(f'`{name}` {cell(value)}' for name, value in constants(run))}.",
    ]
    parts = ["\n".join([made[0], "", *made[1:]]), _figures(run["figures"], options.get("figures"))]
    parts += _pictures(runs / name, options.get("pictures"), page)
    parts += _samples(runs / name, options.get("samples", "last"))
    return "\n\n".join(part for part in parts if part)


def keras_backend(versions):
    """The package that Keras ran on, and its version."""
    package = next(name for name in ("tensorflow", "jax", "torch") if name in versions)
    return f"{package} {versions[package]}"


def constants(run):
    """The constants of a run as pairs; those of a part are named with it."""
    for name, value in run["constants"].items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", held) for inner, held in value.items())
        else:
            yield name, value


def _figures(figures, wanted):
    """Tables: of the plain figures, of those that are dictionaries, of each group of such."""
    if wanted == "none":
        return ""
    names = (
        re.split(r",\s*", wanted) if wanted else [name for name in figures if _shown(figures, name)]
    )
    chosen = {name: figures.get(name) for name in names}
    plain = {name: value for name, value in chosen.items() if not isinstance(value, dict)}
    groups = {name: value for name, value in chosen.items() if _is_group(value)}
    rows = {name: value for name, value in chosen.items() if name not in plain | groups}
    parts = []
    if plain:
        body = [[words(name), cell(value, name)] for name, value in plain.items()]
        parts.append(table(["figure", ""], body))
    if rows:
        parts.append(_rows_table("", rows))
    parts += [_rows_table(name, value) for name, value in groups.items()]
    return "\n\n".join(parts)


def _is_group(value):
    """Whether a figure is a dictionary of dictionaries, such as the samples by temperature."""
    return isinstance(value, dict) and all(isinstance(row, dict) for row in value.values())


def _rows_table(title, rows):
    """A table of dictionaries, one a row, whose keys are the columns."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    body = [
        [words(name), *(cell(row.get(column), column) for column in columns)]
        for name, row in rows.items()
    ]
    return table([words(title), *map(words, columns)], body)


def _shown(figures, name):
    """Whether a figure stands in the table when none is named: not what only a picture can show."""
    value = figures[name]
    curve = isinstance(value, list) and value and isinstance(value[0], dict)
    return not curve and not re.fullmatch(r"position_\d+", name)


def _pictures(folder, wanted, page):
    from rnnzoo.errors import InputError
    from rnnzoo.files import atomic_path

    if wanted == "none":
        return []
    there = sorted(path.name for path in folder.glob("*.png"))
    shown = re.split(r",\s*", wanted) if wanted else there
    target, links = page.parent / "founding", []
    for name in shown:
        if name not in there:
            raise InputError(f"{folder} has no picture {name!r}; it has {', '.join(there)}.")
        content = (folder / name).read_bytes()
        if len(content) > LARGEST_PICTURE:
            raise InputError(f"{folder / name} has {len(content):,} bytes; make it smaller.")
        target.mkdir(exist_ok=True)
        copy = target / f"{folder.name}_{name}"
        with atomic_path(copy) as path:
            path.write_bytes(content)
        links.append(f"![{folder.name}: {words(Path(name).stem)}](founding/{copy.name})")
    return ["\n".join(links)] if links else []


def _samples(folder, wanted):
    from rnnzoo.errors import InputError

    path = folder / "samples.txt"
    if wanted == "none" or not path.is_file():
        return []
    samples, parts = SAMPLE.findall(path.read_text(encoding="utf-8")), []
    for name in re.split(r",\s*", wanted):
        if name in ("first", "last"):
            found = samples[:1] if name == "first" else samples[-1:]
        else:
            found = [one for one in samples if one[0].startswith(name)][:1]
        if not found:
            titles = ", ".join(repr(title) for title, _ in samples[:20])
            raise InputError(f"{path} has no sample called {name!r}; it has {titles}.")
        title, text = found[0]
        parts.append(f"Sample, {title}:\n\n~~~~text\n{text.strip(chr(10))}\n~~~~")
    return parts


def _compare_block(names, options, runs, absent):
    figures, rows = re.split(r",\s*", options["figures"]), []
    for name in re.split(r",\s*", names):
        run = read_run(runs / name)
        if run is None:
            absent.add(name)
            rows.append([f"`{name}`", "**missing**", *["-"] * len(figures)])
        else:
            minutes = f"{run['training']['minutes']:.1f}"
            found = [cell(run["figures"].get(figure), figure) for figure in figures]
            rows.append([f"`{name}`", minutes, *found])
    return table(["run", "minutes", *map(words, figures)], rows)


def _section_block(title, results):
    sections = results.read_text(encoding="utf-8").split("\n## ") if results.is_file() else []
    for section in sections[1:]:
        head, _, body = section.partition("\n")
        if head.strip() == title:
            return body.strip()
    return f"**Missing**: benchmarks/RESULTS.md has no section {title!r} yet."


# --- Words and tables --------------------------------------------------------------------------


def words(name):
    """The name of a figure, in words."""
    return name.replace("_", " ")


def counted(number, noun):
    """A number of things: 1 core, 2 cores."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def cell(value, name=""):
    """A value as it stands in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{words(key)} {cell(inner, key)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(cell(inner, name) for inner in value)
    if isinstance(value, int | float) and "bytes" in name:
        return f"{value / 2**20:,.1f} MiB"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    text = str(value).replace("\n", "⏎").replace("|", "\\|")
    return text.replace(" ", "␠") if text.isspace() else text


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main(
    runs: Annotated[Path, typer.Option(help="Folder that has a folder for each run.")] = Path(
        "trained"
    ),
    docs: Annotated[Path, typer.Option(help="Folder of the pages to rewrite.")] = ROOT / "docs",
):
    """Put the results of the founding systems' runs into docs/founding_*.md.

    Only what stands between '<!-- begin ... -->' and '<!-- end -->' is rewritten; pictures are
    copied to docs/founding/. A run that is missing is said to be missing.

    Examples:
      python scripts/write_founding_page.py

      python scripts/write_founding_page.py --runs trained
    """
    with errors_in_a_sentence():
        from rnnzoo.errors import InputError
        from rnnzoo.files import write_atomically

        pages = sorted(docs.glob("founding_*.md"))
        if not pages:
            raise InputError(f"There are no pages founding_*.md in {docs}; give another --docs.")
        results = ROOT / "benchmarks" / "RESULTS.md"
        for page in pages:
            text, absent = rewrite(page.read_text(encoding="utf-8"), page, runs, results=results)
            write_atomically(page, text)
            print(f"Written: {page}." + (f" Missing runs: {', '.join(absent)}." if absent else ""))


if __name__ == "__main__":
    run(main)
