"""A host: an ``apmatrix run`` whose command is our agent, which runs what it is asked to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
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
        arguments = [self._apmatrix, "run", "--tell-waits", "1", "--machine", os.fspath(machine), "--"]
        # Commands get the run's environment; of ours, what is changed from here on.
        self._environment = dict(os.environ)
        # What the run itself says, such as who waits for whom.
        self._said = tempfile.TemporaryFile()
        self._seen = 0
        # Two pipes of our own: what the agent's commands print is theirs.
        ours, theirs = os.pipe(), os.pipe()
        try:
            self._process = subprocess.Popen(
                [*arguments, sys.executable, "-I", str(_AGENT), str(ours[0]), str(theirs[1])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                pass_fds=(ours[0], theirs[1]),
            )
        finally:
            os.close(ours[0])
            os.close(theirs[1])
        self._ask = os.fdopen(ours[1], "w", encoding="utf-8")
        self._answer = os.fdopen(theirs[0], "r", encoding="utf-8")
        if self._answer.readline() != "ready\n":
            status = self._process.wait()
            said = self._told()
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
        """Runs a command (a list, or a text for ``sh -eu -c``) on this host.

        Its environment is the run's, with what ``os.environ`` was changed by since the host was made; ``env`` is
        all of it instead. A command that can't be started is an ``OSError``, a request that is none a ``ValueError``.
        Whatever ends the waiting here (a timeout of the test, ^C) ends the host.
        """
        if isinstance(command, str):
            arguments = ["sh", "-eu", "-c", command]
        else:
            arguments = [os.fspath(argument) for argument in command]
        request = {
            "arguments": arguments,
            "input": input,
            "env": dict(env) if env is not None else None,
            "set": {name: value for name, value in os.environ.items() if self._environment.get(name) != value},
            "unset": [name for name in self._environment if name not in os.environ],
            "cwd": os.fspath(cwd) if cwd is not None else os.getcwd(),
            "timeout": timeout,
        }
        try:
            self._ask.write(json.dumps(request) + "\n")
            self._ask.flush()
            line = self._answer.readline()
        except (OSError, ValueError):
            line = ""
        except BaseException:
            # Its answer would be taken for that of the next command.
            self._end()
            raise
        if not line:
            raise RuntimeError(f"the host has ended: {self._told()}".removesuffix(": "))
        answer = json.loads(line)
        if "oserror" in answer:
            raise OSError(*answer["oserror"])
        if "error" in answer:
            raise ValueError(answer["error"])
        out, err = answer["stdout"], answer["stderr"]
        if answer["status"] is None:
            raise subprocess.TimeoutExpired(arguments, timeout, out, err + self._told())
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

    def _told(self) -> str:
        """What the run itself said since this was asked: that a write waits for a guest, for example."""
        if self._said.closed:
            return ""
        # The place in the file is the run's, which writes there.
        said = os.pread(self._said.fileno(), 1 << 20, self._seen)
        self._seen += len(said)
        return said.decode(errors="replace").strip()

    def _end(self) -> None:
        self._process.terminate()
        for pipe in (self._ask, self._answer):
            try:
                pipe.close()
            except OSError:
                pass

    def close(self) -> None:
        """Ends the host: its tree and everything that runs on it."""
        for pipe in (self._ask, self._answer):
            try:
                pipe.close()
            except OSError:
                pass
        self._said.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
