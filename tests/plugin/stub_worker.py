"""Stands in for the worker: speaks its protocol, and behaves as badly as a test asks.

Writes the number of its process group into the file named by STUB_GROUP.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def tell(event, **data):
    sys.stdout.write(json.dumps({"event": event, **data}) + "\n")
    sys.stdout.flush()


def start_children():
    """Start two processes that hold on to the streams, as data loaders do."""
    for _ in range(2):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def normal(params):
    for level in ("debug", "info", "warning"):
        tell("log", level=level, text=f"a {level}")
    for step in range(3):
        tell("progress", fraction=step / 2, text=f"step {step}")
    tell("beat")
    tell("result", data=params)


def native_prints(params):
    for step in range(500):
        os.write(1, b"library: \xff\xfe done\n")
        tell("progress", fraction=step / 499, text=None)
    tell("result", data={})


def junk(params):
    os.write(1, b"\xff\xfe\x00\n[1, 2]\n{\"event\": 5}\n{}\n\n" + b"x" * 300_000 + b"\n")
    os.write(1, b"[" * 100_000 + b"\n")
    tell("news", about="an event of the future")
    tell("progress")
    tell("progress", fraction=7, text="too far")
    tell("result", data={"whole": True})


def children(params):
    start_children()
    tell("result", data={})


def patient(params):
    tell("progress", fraction=0.1, text="waiting")
    if json.loads(sys.stdin.readline()) == {"cancel": True}:
        Path(params["stopped"]).touch()
        tell("cancelled")


def late(params):
    tell("progress", fraction=1.0, text="all but done")
    sys.stdin.readline()
    tell("result", data={})


def upset(params):
    tell("progress", fraction=0.1, text="waiting")
    sys.stdin.readline()
    tell("error", kind="bug", text="broke while stopping", traceback="...")


def deaf(params):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    start_children()
    while True:
        tell("progress", fraction=0.5, text="busy")
        time.sleep(0.05)


def segfault(params):
    start_children()
    sys.stderr.write("about to fall\n")
    tell("progress", fraction=0.5, text=None)
    ctypes.string_at(0)


def killed(params):
    start_children()
    os.kill(os.getpid(), signal.SIGKILL)


def exits(params):
    for number in range(300):
        sys.stderr.write(f"line {number}\n")
    sys.exit(7)


def closes(params):
    os.close(1)
    time.sleep(60)


def user_error(params):
    tell("error", kind="user", text="image.tif: is blue. Paint it.")


def bug(params):
    tell("error", kind="bug", text="Oh no.", traceback="Traceback: here")


def stopped(params):
    tell("cancelled")


def silent(params):
    start_children()
    time.sleep(60)


def environment(params):
    tell("result", data=dict(os.environ))


def hello(**changes):
    tell("hello", **{"protocol": 1, "version": "1.2", "python": "3", "pid": os.getpid(), **changes})


def main():
    Path(os.environ["STUB_GROUP"]).write_text(str(os.getpgrp()))
    beginning = os.environ.get("STUB_BEGIN")
    if beginning == "dies":
        sys.exit("no such module")
    if beginning == "mute":
        time.sleep(60)
    if beginning == "rude":
        tell("progress", fraction=0)
    hello(**({"protocol": 2} if beginning == "protocol" else {}))
    request = json.loads(sys.stdin.readline())
    assert request["protocol"] == 1
    globals()[request["task"]](request["params"])


if __name__ == "__main__":
    main()
