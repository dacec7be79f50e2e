#!/usr/bin/env python3
"""Finds circles of files: a file that takes names from another one, which in the end takes names from the first.

A module and the modules below it may take names from each other; circles that leave the module, or that its parts form
without it, count. Code of tests counts like any other. `make deps` runs this on every crate of the workspace; it fails
when there is a circle.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import rust_modules

ROOT = Path(__file__).resolve().parents[2]

Arrows = dict[Path, dict[Path, set[str]]]


def knots(files: set[Path], arrows: Arrows) -> list[set[Path]]:
    """The largest sets of files in which each leads to each (Tarjan's algorithm)."""
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    found: list[set[Path]] = []

    def visit(file: Path) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in arrows.get(file, {}):
            if other not in files:
                continue
            if other not in index:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], index[other])
        if low[file] == index[file]:
            start = stack.index(file)
            found.append(set(stack[start:]))
            del stack[start:]

    for file in sorted(files):
        if file not in index:
            visit(file)
    return [knot for knot in found if len(knot) > 1]


def circles(root: rust_modules.Module) -> tuple[list[set[Path]], Arrows]:
    """The circles of a crate, without those that a module forms with what is below it."""
    arrows = rust_modules.arrows(root)
    below = {module.file: {part.file for part in module.all()} for module in root.all() if is_top_of_file(module)}
    found, left = [], [set(arrows)]
    while left:
        for knot in knots(left.pop(), arrows):
            top = next((file for file in knot if knot <= below[file]), None)
            if top is None:
                found.append(knot)
            else:
                left.append(knot - {top})
    return found, arrows


def is_top_of_file(module: rust_modules.Module) -> bool:
    return module.parent is None or module.parent.file != module.file


def describe(circle: set[Path], arrows: Arrows, base: Path) -> str:
    lines = [f"a circle of {len(circle)} files:"]
    for file in sorted(circle):
        for other in sorted(circle & set(arrows[file])):
            names = ", ".join(sorted(arrows[file][other]))
            lines.append(f"  {os.path.relpath(file, base)} takes from {os.path.relpath(other, base)}: {names}")
    return "\n".join(lines)


def crate_roots() -> list[Path]:
    """The root file of each library, program, test and bench of the workspace."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return [Path(target["src_path"]) for package in metadata["packages"] for target in package["targets"]]


def main() -> int:
    files = count = 0
    for path in crate_roots():
        found, arrows = circles(rust_modules.read_file(path))
        files, count = files + len(arrows), count + len(found)
        for circle in found:
            print(describe(circle, arrows, ROOT), file=sys.stderr)
    if count:
        print(f"{count} circles: give what both sides need a file of its own below them.", file=sys.stderr)
        return 1
    print(f"No circles among {files} files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
