"""The environment variables that the installers are started with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Mapping

from ..surroundings import CERTIFICATES, clean_environment, is_below

_KEPT = ("PIP_CACHE_DIR", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT",
         "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_INDEX", "PIP_PROXY",
         "PIP_RETRIES", "PIP_TRUSTED_HOST")
"""What administrators settle about network and disk; all else would change what is made."""

_MISLEADING = ("UV_BREAK_SYSTEM_PACKAGES", "UV_CONSTRAINT", "UV_EXCLUDE", "UV_EXCLUDE_NEWER",
               "UV_NO_BINARY", "UV_NO_VERIFY_HASHES", "UV_OVERRIDE", "UV_PREFIX", "UV_PRERELEASE",
               "UV_PYTHON", "UV_REQUIRE_HASHES", "UV_RESOLUTION", "UV_SYSTEM_PYTHON", "UV_TARGET",
               "UV_TORCH_BACKEND", "UV_NO_DEPS")
"""What would lead uv to another place or to other packages than those of the lock."""

_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                   "/etc/ssl/ca-bundle.pem")
"""Where Linux keeps the certificates that are trusted, companies' own among them."""


def installer_variables(cache: Path | None = None, temporary: Path | None = None,
                        proxy: str | None = None,
                        variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for pip and uv.

    Args:
        cache: Folder for what they download, unless the variables name another one; by default
            their own.
        temporary: Folder for files that are needed for a moment, by default the system's; pip
            needs gigabytes there, and the system's may lie in memory.
        proxy: Address of the proxy, for when the variables name none.
        variables: Those of this process by default.
    """
    given = dict(os.environ if variables is None else variables)
    clean = {name: value for name, value in clean_environment(given).items()
             if name.upper() not in _MISLEADING}
    clean.update((name, given[name]) for name in _KEPT if name in given)
    _leave_out_certificates_of_osgeo4w(clean, given.get("OSGEO4W_ROOT"))
    if proxy and not any(name.upper() in ("HTTPS_PROXY", "ALL_PROXY") for name in given):
        clean.update(HTTPS_PROXY=proxy, HTTP_PROXY=proxy)
    _name_certificates(clean)
    if cache:
        clean.setdefault("UV_CACHE_DIR", str(cache / "uv"))
        clean.setdefault("PIP_CACHE_DIR", str(cache / "pip"))
    if temporary:
        clean.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)))
    clean.update(UV_SYSTEM_CERTS="1", NO_COLOR="1", PIP_NO_INPUT="1", PIP_PROGRESS_BAR="off",
                 PIP_DISABLE_PIP_VERSION_CHECK="1")
    return clean


def _name_certificates(variables: dict[str, str]) -> None:
    """Name the certificates for pip, which knows those of the system only in newer versions."""
    named = variables.get("REQUESTS_CA_BUNDLE") or variables.get("SSL_CERT_FILE")
    if not named and sys.platform.startswith("linux"):
        named = next((path for path in _SYSTEM_BUNDLES if Path(path).exists()), None)
    if named:
        variables.setdefault("PIP_CERT", named)


def _leave_out_certificates_of_osgeo4w(variables: dict[str, str], root: str | None) -> None:
    """Leave out names of QGIS' own certificates: they would hide those of the system."""
    if not root:
        return
    for name in CERTIFICATES:
        if is_below(variables.get(name, ""), root):
            del variables[name]
