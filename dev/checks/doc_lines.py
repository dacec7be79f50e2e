#!/usr/bin/env python3
"""Finds lines of the documentation that are too long to read: more than 120 characters.

Tables and code stand as they are. `make sizes` runs this.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 120


def long_lines(text: str) -> list[tuple[int, int]]:
    """Number and length of each line that is too long."""
    found, is_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        if len(line) > LONGEST and not is_code and not line.startswith("|"):
            found.append((number, len(line)))
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    is_long = False
    for name in filter(None, listed.stdout.split("\0")):
        for number, length in long_lines((ROOT / name).read_text(encoding="utf-8")):
            print(f"{name}:{number}: {length} characters, at most {LONGEST}")
            is_long = True
    return 1 if is_long else 0


if __name__ == "__main__":
    sys.exit(main())
