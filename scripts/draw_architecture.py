"""Draws the floors of the package and which part imports which, out of the imports themselves.

    python scripts/draw_architecture.py

writes `docs/architecture.md`. The floors are those of ARCHITECTURE.md.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rnnzoo", "rnnzoo_cli")
PAGE = ROOT / "docs" / "architecture.md"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The files of all modules by their names."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that one imports, wherever in it the import stands."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, *filter(None, [source])])
            if source in known:
                inner = (f"{source}.{alias.name}" for alias in node.names)
                yield from (module if module in known else source for module in inner)


def arrows(root: Path = ROOT) -> dict[str, set[str]]:
    """For every module those of the package that it imports."""
    known = modules(root)
    return {name: {*imports(name, path, known)} - {name} for name, path in known.items()}


def floors(page: Path = ROOT / "ARCHITECTURE.md") -> list[list[str]]:
    """The floors of ARCHITECTURE.md from the ground up, each the parts that stand on it."""
    text = page.read_text(encoding="utf-8")
    block = re.search(r"^## Floors\n.*?^```\n(.*?)^```", text, re.M | re.S).group(1)
    return [re.findall(r"\w+", line) for line in block.splitlines() if line.strip()]


def part(module: str) -> str:
    """The part of the package that a module belongs to: a folder or file, or the package itself."""
    first, *rest = module.split(".")
    return rest[0] if first == "rnnzoo" and rest else first


def circles(found: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that import each other, by whatever way (Tarjan 1972)."""
    numbers, lowest, stack, result = {}, {}, [], []

    def visit(module):
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in sorted(found[module]):
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            place = stack.index(module)
            if len(stack) - place > 1:
                result.append(sorted(stack[place:]))
            del stack[place:]

    for module in found:
        if module not in numbers:
            visit(module)
    return result


def drawing(found: dict[str, set[str]], levels: list[list[str]]) -> str:
    """The floors as a Mermaid picture, the highest on top, with the arrows between parts."""
    pairs = {(part(one), part(other)) for one, others in found.items() for other in others}
    lines = ["```mermaid", "flowchart TD"]
    for number, level in reversed([*enumerate(levels)]):
        names = [name for name in level if name in {part(module) for module in found}]
        if names:
            lines += [f'  subgraph floor{number}[" "]', "    direction LR"]
            lines += [f"    {name}" for name in names]
            lines += ["  end"]
    lines += [f"  {one} --> {other}" for one, other in sorted(pairs) if one != other]
    return "\n".join([*lines, "```"])


def main() -> None:
    """Writes the page."""
    text = (
        "# The floors of rnnzoo\n\nMade by `python scripts/draw_architecture.py` from the imports; "
        "ARCHITECTURE.md says what each part is for.\n\n"
    )
    PAGE.write_text(text + drawing(arrows(), floors()) + "\n", encoding="utf-8")
    print(f"Written to {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
