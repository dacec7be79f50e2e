#!/usr/bin/env python3
"""Reports the largest files of code, and fails when one has more lines than a reader can hold: 500.

`make sizes` runs this. Above 300 lines a file is listed, so that a reviewer sees it grow.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = {".rs", ".py", ".sh", ".sql", ".js", ".sd"}
LARGEST, LONG, TOO_LONG = 10, 300, 500


def sizes(files: list[Path]) -> list[tuple[int, Path]]:
    """Lines and name of each file of code, the largest first."""
    counted = [(len(file.read_bytes().splitlines()), file) for file in files if file.suffix in CODE and file.is_file()]
    return sorted(counted, key=lambda size: (-size[0], size[1]))


def report(counted: list[tuple[int, Path]], base: Path) -> tuple[list[str], bool]:
    """The lines to print, and whether a file is too long."""
    long = sum(lines > LONG for lines, _ in counted)
    shown = [f"{len(counted)} files of code; {long} have more than {LONG} lines. The largest:"]
    for lines, file in counted[: max(LARGEST, long)]:
        mark = "  too long: split it" if lines > TOO_LONG else "  long" if lines > LONG else ""
        shown.append(f"{lines:6} {file.relative_to(base)}{mark}")
    return shown, any(lines > TOO_LONG for lines, _ in counted)


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    shown, is_too_long = report(sizes([ROOT / name for name in listed.split("\0") if name]), ROOT)
    print("\n".join(shown))
    return 1 if is_too_long else 0


if __name__ == "__main__":
    sys.exit(main())
