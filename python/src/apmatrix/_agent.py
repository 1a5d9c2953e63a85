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


def answer(request: dict) -> dict:
    given = request["input"]
    try:
        done = subprocess.run(
            request["arguments"],
            input=None if given is None else given.encode(),
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=request["env"],
            cwd=request["cwd"],
            timeout=request["timeout"],
        )
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, out, err = None, late.stdout, late.stderr
    except OSError as error:
        return {"error": str(error)}
    text = [(part or b"").decode(errors="replace") for part in (out, err)]
    return {"status": status, "stdout": text[0], "stderr": text[1]}


main()
