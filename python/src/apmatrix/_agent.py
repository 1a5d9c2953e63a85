"""Runs inside ``apmatrix run``: a request per line, an answer per line, until the requests end."""

import json
import os
import subprocess
import sys


def main() -> None:
    asked = os.fdopen(int(sys.argv[1]), "r", encoding="utf-8")
    answered = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8")
    answered.write("ready\n")
    answered.flush()
    for line in asked:
        json.dump(answer(json.loads(line)), answered)
        answered.write("\n")
        answered.flush()


def environment(request: dict) -> dict:
    """The one that was asked for, or the run's own with what was changed outside."""
    if request["env"] is not None:
        return request["env"]
    own = {**os.environ, **request["set"]}
    return {name: value for name, value in own.items() if name not in request["unset"]}


def answer(request: dict) -> dict:
    try:
        given = request["input"]
        done = subprocess.run(
            request["arguments"],
            input=None if given is None else given.encode(),
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(request),
            cwd=request["cwd"],
            timeout=request["timeout"],
        )
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, out, err = None, late.stdout, late.stderr
    except OSError as error:
        return {"oserror": [error.errno, error.strerror, error.filename]}
    except Exception as error:
        # Whatever is wrong with one request, the host goes on.
        return {"error": f"{type(error).__name__}: {error}"}
    text = [(part or b"").decode(errors="replace") for part in (out, err)]
    return {"status": status, "stdout": text[0], "stderr": text[1]}


main()
