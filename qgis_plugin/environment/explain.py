"""What the installers' output means for the user: what was found, and what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple


class Explanation(NamedTuple):
    """Why an installer failed.

    Args:
        kind: One word for it, for the code that decides how to go on.
        finding: A sentence without its full stop.
        cure: A sentence without its full stop.
    """

    kind: str
    finding: str
    cure: str


_NETWORK_CURE = ("Check the connection and try again; what was downloaded is kept. Behind a proxy, "
                 "set it in QGIS (Settings > Options > Network)")
_ELSEWHERE = "choose another folder for the engine"

_MEANINGS = (
    ("disk", r"No space left on device|os error 28\b|Errno 28\b|not enough space on the disk|"
     r"(os error |WinError )112\b|Disk quota exceeded|(os error |Errno )122\b",
     "The disk is full", f"Free some space and try again, or {_ELSEWHERE}"),
    ("hash", r"Hash mismatch|DO NOT MATCH THE HASHES",
     "{package} is not the file that geoseg was tested with",
     "Try again; if it happens again, something between here and the package index changes files: "
     "ask your administrator"),
    ("login", r"407 Proxy|proxy authorization required|\b407\b.*[Pp]roxy",
     "The proxy wants a user name and a password",
     "Enter them in QGIS (Settings > Options > Network) and try again"),
    ("proxy", r"tunnel error|Cannot connect to proxy|ProxyError",
     "The proxy cannot be reached or refuses",
     "Check its address in QGIS (Settings > Options > Network) or in the variable HTTPS_PROXY"),
    ("certificate", r"invalid peer certificate|CERTIFICATE_VERIFY_FAILED|certificate verify failed|"
     r"SSLCertVerificationError|UnknownIssuer",
     "The certificate of {host} is not trusted, as behind a company's firewall",
     "Ask your administrator to install the company's certificate in the system, or name its file "
     "in the variable SSL_CERT_FILE"),
    ("refused", r"\b(401|403) (Unauthorized|Forbidden|Client Error)|HTTP error 40[13]\b",
     "{host} refuses access", "Ask your administrator, or check the address of the package index"),
    ("network", r"dns error|NewConnectionError|Name or service not known|getaddrinfo failed|"
     r"Temporary failure in name resolution|nodename nor servname|error sending request|"
     r"[Rr]ead timed out|operation timed out|Connection (refused|reset|aborted)|"
     r"network was disabled|Network is unreachable|ConnectTimeoutError",
     "{host} cannot be reached", _NETWORK_CURE),
    ("path", r"(os error |WinError )206\b|[Ff]ile ?name or extension is too long|"
     r"Long Path support|File name too long",
     "A path is too long for this system", f"Allow long paths in Windows, or {_ELSEWHERE} with a "
     "short path, such as C:\\geoseg"),
    ("virus", r"(os error |WinError )22[56]\b|contains a virus",
     "The virus scanner has removed a file of the engine",
     "Make an exception for the folder {folder} and try again"),
    ("denied", r"(os error |WinError |Errno )(5|13|1|30|32)\b|Access is denied|Permission denied|"
     r"Operation not permitted|Read-only file system|being used by another process",
     "A file could not be written or is in use",
     "Close other QGIS windows, check that you may write to {folder} and that no virus scanner "
     f"holds it, and try again; or {_ELSEWHERE}"),
    ("pip", r"No module named (ensurepip|pip|venv)\b|ensurepip is not",
     "{python} cannot make environments",
     "On Debian and Ubuntu install python3-venv (sudo apt install python3-venv) and try again; or "
     "choose another interpreter"),
    ("wheel", r"has no usable wheels|no wheels with a matching|No matching distribution found|"
     r"is not a supported wheel on this platform",
     "{package} is not available for this system and version of Python",
     "Choose another version of Python; Macs with an Intel processor are not supported, and other "
     "Macs need macOS 15, or macOS 14 with Python 3.11"),
)
"""(kind, pattern, finding, cure); a cause stands before what it leads to."""

_HOST = re.compile(r"(?:https?://(?:[^/@\s]*@)?|host=')([^/\s:')]+)")
_PACKAGE = re.compile(r"(?:Failed to download `|Because |distribution found for |^ {4})"
                      r"([A-Za-z0-9._-]+?)(?:\{[^}]*\})?(?:==\S+?)?(?:`|\s|$)", re.MULTILINE)


def explain(output: str, *, folder: str = "", python: str = "") -> Explanation | None:
    """Return what the output of a failed installer means, or None if that is not known.

    Args:
        output: What pip, uv or Python printed.
        folder: Where it was to write.
        python: The interpreter that it was started with.
    """
    for kind, pattern, finding, cure in _MEANINGS:
        found = re.search(pattern, output)
        if found:
            words = {"folder": folder, "python": python,
                     "host": _named(_HOST, output, found, "The package index"),
                     "package": _named(_PACKAGE, output, found, "A package")}
            return Explanation(kind, finding.format(**words), cure.format(**words))
    return None


def _named(pattern: re.Pattern[str], output: str, found: re.Match[str], otherwise: str) -> str:
    """Return what the text names nearest before the end of the line of a match, or after it."""
    end = output.find("\n", found.end())
    before = pattern.findall(output, 0, len(output) if end < 0 else end)
    return (before or pattern.findall(output) or [otherwise])[-1 if before else 0]
