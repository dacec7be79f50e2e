#!/usr/bin/env python3
"""Finds lines of the documentation, comments in the code included, that are too long to read: more than 120 characters.

Tables and code stand as they are; the width of code itself is rustfmt's business. `make sizes` runs this.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 120
# What a comment says, whatever kind of comment it is.
COMMENT = re.compile(r"\s*//[/!]? ?(.*)")


def long_lines(text: str) -> list[tuple[int, int]]:
    """Number and length of each line that is too long."""
    return too_long((number, len(line), line) for number, line in enumerate(text.splitlines(), 1))


def long_comments(text: str) -> list[tuple[int, int]]:
    """Number and length of each line of Rust that is nothing but a comment and too long."""
    comments = ((number, len(line), COMMENT.match(line)) for number, line in enumerate(text.splitlines(), 1))
    return too_long((number, length, comment[1]) for number, length, comment in comments if comment)


def too_long(lines: Iterable[tuple[int, int, str]]) -> list[tuple[int, int]]:
    """Of lines with number, length and what they say."""
    found, is_code = [], False
    for number, length, said in lines:
        if said.lstrip().startswith("```"):
            is_code = not is_code
        if length > LONGEST and not is_code and not said.startswith("|"):
            found.append((number, length))
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z", "*.md", "*.rs"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True)
    is_long = False
    for name in filter(None, listed.stdout.split("\0")):
        find = long_comments if name.endswith(".rs") else long_lines
        for number, length in find((ROOT / name).read_text(encoding="utf-8")):
            print(f"{name}:{number}: {length} characters, at most {LONGEST}")
            is_long = True
    return 1 if is_long else 0


if __name__ == "__main__":
    sys.exit(main())
