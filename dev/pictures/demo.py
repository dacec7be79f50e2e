#!/usr/bin/env python3
"""Runs the demo and makes docs/pictures/demo.svg of what it printed.

The picture needs no font but the viewer's own: every piece of text says how wide it is. Needs what
dev/requirements.txt names; `make picture` runs this.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs/pictures/demo.svg"
COLUMNS = 110
# The picture begins here: what comes before are preparations.
BEGINS = "Change every file"
# Parts of the receipt that are left out, from a line with the first word to the one before that with the second.
LEFT_OUT = [('"form"', '"targets"'), ('"removed_by_type"', '"rounds"')]

THEME = TerminalTheme(
    background=(21, 24, 29),
    foreground=(222, 226, 231),
    normal=[(21, 24, 29), (240, 113, 120), (126, 200, 127), (229, 192, 123), (110, 170, 240), (198, 150, 220),
            (102, 195, 204), (222, 226, 231)],
)
# As rich's own, but without its fonts, which would come from another server, and without a window's buttons.
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>The end of a run of make demo</title>
<style>
.{unique_id}-matrix {{
font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px;
line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect width="100%" height="100%" rx="10" fill="#15181d"/>
<g transform="translate(16, 18)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


def run() -> str:
    """What the demo prints on a terminal."""
    terminal, its_end = pty.openpty()
    # Steps of the start go to standard error; they are no part of the story.
    demo = subprocess.Popen([ROOT / "target/debug/local-stack", "demo"], cwd=ROOT, stdin=subprocess.DEVNULL,
                            stdout=its_end, stderr=subprocess.DEVNULL)
    os.close(its_end)
    printed = b""
    try:
        while some := os.read(terminal, 65536):
            sys.stdout.buffer.write(some)
            sys.stdout.flush()
            printed += some
    except OSError:
        pass  # What a terminal answers when nobody writes to it any more.
    if demo.wait() != 0:
        sys.exit("the demo failed, so there is no picture of it")
    return printed.decode().replace("\r\n", "\n")


def told(printed: str) -> str:
    """The part of the story that the picture shows."""
    lines = printed.rstrip().split("\n")
    first = next(number for number, line in enumerate(lines) if BEGINS in line)
    shown, until = ["$ make demo", "…", ""], None
    for line in lines[first:]:
        if until and until in line:
            until = None
        starts = next((end for begin, end in LEFT_OUT if begin in line), None)
        if starts and not until:
            until = starts
            shown.append(re.sub(r'".*', "…", line))
        elif not until:
            shown.append(line)
    return "\n".join(shown)


def render(printed: str) -> str:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS + 3, file=nowhere, force_terminal=True,
                          color_system="truecolor")
        console.print(Text.from_ansi(told(printed)), width=COLUMNS, no_wrap=True, overflow="ellipsis")
        return console.export_svg(theme=THEME, code_format=FORMAT, unique_id="demo")


if __name__ == "__main__":
    PICTURE.write_text(render(run()), encoding="utf-8")
    print(f"made {PICTURE.relative_to(ROOT)}")
