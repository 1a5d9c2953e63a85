"""A host: an ``apmatrix run`` whose command is our agent, which runs what it is asked to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Mapping, Sequence

_AGENT = Path(__file__).with_name("_agent.py")


class Lacking(Exception):
    """The environment lacks what ``apmatrix run`` needs; the text says what, and what to do."""


def _command() -> str:
    """The ``apmatrix`` of this installation, else the one on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "apmatrix"
    found = str(beside) if beside.exists() else shutil.which("apmatrix")
    if found is None:
        raise Lacking("the command `apmatrix` is not installed: pip install apmatrix")
    return found


class Host:
    """A machine with AP adapters whose ``/sys`` the commands of :meth:`run` see."""

    def __init__(self, machine: str | os.PathLike[str] = "default") -> None:
        self._apmatrix = _command()
        arguments = [self._apmatrix, "run", "--machine", os.fspath(machine), "--"]
        # Two pipes of our own: what the agent's commands print is theirs.
        ours, theirs = os.pipe(), os.pipe()
        try:
            self._process = subprocess.Popen(
                [*arguments, sys.executable, "-I", str(_AGENT), str(ours[0]), str(theirs[1])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(ours[0], theirs[1]),
            )
        finally:
            os.close(ours[0])
            os.close(theirs[1])
        self._ask = os.fdopen(ours[1], "w", encoding="utf-8")
        self._answer = os.fdopen(theirs[0], "r", encoding="utf-8")
        if self._answer.readline() != "ready\n":
            said = self._process.stderr.read().decode(errors="replace").strip()
            status = self._process.wait()
            self.close()
            if status == 3:
                raise Lacking(said)
            raise RuntimeError(f"`apmatrix run` ended with {status}: {said}")

    def run(
        self,
        command: str | Sequence[str | os.PathLike[str]],
        *,
        check: bool = True,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | None = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command (a list, or a text for ``sh -eu -c``) on this host."""
        if isinstance(command, str):
            arguments = ["sh", "-eu", "-c", command]
        else:
            arguments = [os.fspath(argument) for argument in command]
        request = {
            "arguments": arguments,
            "input": input,
            "env": dict(env) if env is not None else dict(os.environ),
            "cwd": os.fspath(cwd) if cwd is not None else os.getcwd(),
            "timeout": timeout,
        }
        try:
            self._ask.write(json.dumps(request) + "\n")
            self._ask.flush()
            line = self._answer.readline()
        except (OSError, ValueError):
            line = ""
        if not line:
            raise RuntimeError("the host has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise FileNotFoundError(answer["error"])
        out, err = answer["stdout"], answer["stderr"]
        if answer["status"] is None:
            raise subprocess.TimeoutExpired(arguments, timeout, out, err)
        done = subprocess.CompletedProcess(arguments, answer["status"], out, err)
        if check:
            done.check_returncode()
        return done

    def hw(self, *arguments: str) -> str:
        """What the machine's operator does: ``host.hw("unplug", "10")``."""
        return self.run([self._apmatrix, "hw", *arguments]).stdout

    def guest(self, *arguments: str) -> str:
        """Guests: ``host.guest("start", "one", uuid)``."""
        return self.run([self._apmatrix, "guest", *arguments]).stdout

    def read(self, path: str | os.PathLike[str]) -> str:
        """A file's text, without the last line's end."""
        return self.run(["cat", path]).stdout.removesuffix("\n")

    def write(self, path: str | os.PathLike[str], text: str) -> None:
        """Writes a text to a file in one piece."""
        self.run(["sh", "-c", 'cat > "$1"', "sh", path], input=text)

    def exists(self, path: str | os.PathLike[str]) -> bool:
        """Whether there is something at the path."""
        return self.run(["test", "-e", path], check=False).returncode == 0

    def close(self) -> None:
        """Ends the host: its tree and everything that runs on it."""
        for pipe in (self._ask, self._answer, self._process.stderr):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
