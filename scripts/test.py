"""Make the environment if needed, then run every check of the project; arguments go to pytest."""

from __future__ import annotations

import subprocess
import sys
import time

from environment import ROOT, run_inside

CHECKS = (
    ("style", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("tests", ["pytest"]),
)


def main() -> int:
    """Run the checks one after the other; return 0 if all passed, else 1."""
    verdicts = []
    for name, command in CHECKS:
        print(f"\n== {name}: {' '.join(command)}", flush=True)
        started = time.monotonic()
        further = sys.argv[1:] if command == ["pytest"] else []
        code = subprocess.call([sys.executable, "-m", *command, *further], cwd=ROOT)
        verdicts.append((name, code, time.monotonic() - started))
    print()
    for name, code, seconds in verdicts:
        print(f"{name}: {'passed' if code == 0 else 'FAILED'} in {seconds:.0f} s")
    return int(any(code for _, code, _ in verdicts))


if __name__ == "__main__":
    run_inside()
    sys.exit(main())
