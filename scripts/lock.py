"""Write `requirements.lock` anew from pyproject.toml: every package with its hashes, no address."""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, run_inside

if __name__ == "__main__":
    run_inside()
    sys.exit(subprocess.call(
        [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--group", "dev",
         "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
         "--no-header", "--no-annotate", "-o", "requirements.lock", *sys.argv[1:]], cwd=ROOT))
