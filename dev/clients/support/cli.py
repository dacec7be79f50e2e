"""The `airweave` command as programs and as people use it: behind pipes, and at a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import environment

_BINARY = Path(sys.executable).parent / "airweave"
_BOUND = 60.0
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """What a command that went well printed."""
        assert self.code == 0 and self.stderr == "", self
        return json.loads(self.stdout)

    def error(self) -> dict[str, str]:
        """The error of a command that failed: `message` and `code`."""
        assert self.code == 1 and self.stdout == "", self
        return json.loads(self.stderr)["error"]


class Cli:
    """The command with a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.variables = {
            "AIRWEAVE_BASE_URL": environment.url(),
            "AIRWEAVE_API_KEY": environment.api_key(),
        }

    @property
    def config(self) -> Path:
        """Where the command keeps what it was told at log-in."""
        return self.home / ".airweave" / "config.json"

    def run(self, *arguments: str) -> Outcome:
        """Runs the command behind pipes."""
        command = [_BINARY, *arguments]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_BOUND
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def at_terminal(self, *arguments: str, answers: Sequence[tuple[str, str]] = ()) -> Outcome:
        """Runs the command at a terminal, where both of its outputs are one; `answers` are prompts and what to type."""
        own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        process = subprocess.Popen(
            [_BINARY, *arguments], env=self._environment(), stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        try:
            text = _converse(own, list(answers))
            return Outcome(process.wait(_BOUND), text, "")
        finally:
            process.kill()
            process.wait()
            os.close(own)

    def _environment(self) -> dict[str, str]:
        terminal = {"TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "LANG": "C.UTF-8"}
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], **terminal, **self.variables}


def _converse(terminal: int, answers: list[tuple[str, str]]) -> str:
    """Reads until the other side has ended, typing each answer when its prompt is there."""
    deadline = time.monotonic() + _BOUND
    seen, pending = b"", 0
    while True:
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            pytest.fail(f"the command is still there, and said: {_plain(seen)}")
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:
            # What Linux says instead of an end.
            chunk = b""
        if not chunk:
            break
        seen += chunk
        if answers and answers[0][0] in _plain(seen[pending:]):
            os.write(terminal, answers.pop(0)[1].encode() + b"\r")
            pending = len(seen)
    assert not answers, f"never asked {answers[0][0]!r}: {_plain(seen)}"
    return _plain(seen)


def _plain(seen: bytes) -> str:
    return _ESCAPE.sub("", seen.decode(errors="replace"))
