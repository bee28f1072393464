"""What installers say when they fail, and what the user is told.

The texts are what pip 23.0 and 25.2 and uv 0.13.8 printed when these failures were brought about,
with other addresses; those of Windows are what the system says in such cases.
"""

from __future__ import annotations

import pytest

from qgis_plugin.environment.explain import explain

CASES = {
    "uv, disk": ("disk", "The disk is full", """\
Resolved 1 package in 178ms
Downloading numpy (16.1MiB)
 Downloaded numpy
Prepared 1 package in 858ms
error: Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (numpy==2.4.6)
  cause: failed to copy file from /c/numpy.libs/lib.so to /e/numpy.libs/.tmpN4n9dk: No space left \
on device (os error 28)
"""),
    "pip, disk": ("disk", "The disk is full", """\
Installing collected packages: numpy
ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device
"""),
    "venv, disk": ("disk", "The disk is full", "Error: [Errno 28] No space left on device\n"),
    "Windows, disk": ("disk", "The disk is full",
                      "  cause: There is not enough space on the disk. (os error 112)\n"),
    "uv, hash": ("hash", "affine is not the file", """\
Resolved 1 package in 147ms
error: Failed to download `affine==3.0.1`
  cause: Hash mismatch for `affine==3.0.1`

         Expected:
           sha256:dda3
         Computed:
           sha256:cda3
"""),
    "pip, hash": ("hash", "affine is not the file", """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the \
package versions, please update the hashes.
    affine==3.0.1 from https://files.example.org/affine-3.0.1-py3-none-any.whl (from -r x (line 1)):
        Expected sha256 11b3
"""),
    "uv, login": ("login", "user name and a password", """\
error: Request failed after 3 retries in 11.9s
  cause: Failed to fetch: https://index.example.org/simple/affine/
  cause: error sending request for url (https://index.example.org/simple/affine/)
  cause: client error (Connect)
  cause: tunnel error: proxy authorization required
"""),
    "pip, login": ("login", "user name and a password", """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: \
407 Proxy Authentication Required'))': /simple/affine/
ERROR: Could not find a version that satisfies the requirement affine==3.0.1 (from versions: none)
ERROR: No matching distribution found for affine==3.0.1
"""),
    "uv, proxy": ("proxy", "proxy cannot be reached", """\
error: Request failed after 3 retries in 8.2s
  cause: Failed to fetch: https://index.example.org/simple/affine/
  cause: tunnel error: failed to create underlying connection
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""),
    "pip, proxy": ("proxy", "proxy cannot be reached", """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'ProxyError('Cannot connect to proxy.', NewConnectionError('<pip._vendor.\
urllib3.connection.HTTPSConnection object at 0x7f3bb9184390>: Failed to establish a new \
connection: [Errno 111] Connection refused'))': /simple/affine/
ERROR: No matching distribution found for affine==3.0.1
"""),
    "uv, certificate": ("certificate", "certificate of index.example.org is not trusted", """\
error: Failed to fetch: https://index.example.org:8443/simple/affine/
  cause: error sending request for url (https://index.example.org:8443/simple/affine/)
  cause: client error (Connect)
  cause: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))
"""),
    "pip, certificate": ("certificate", "certificate of index.example.org is not trusted", """\
Could not fetch URL https://index.example.org:8443/simple/affine/: There was a problem confirming \
the ssl certificate: HTTPSConnectionPool(host='index.example.org', port=8443): Max retries \
exceeded with url: /simple/affine/ (Caused by SSLError(SSLCertVerificationError(1, '[SSL: \
CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:992)'))) - \
skipping
ERROR: No matching distribution found for affine==3.0.1
"""),
    "uv, network": ("network", "index.example.org cannot be reached", """\
error: Request failed after 3 retries in 8.4s
  cause: Failed to fetch: https://index.example.org/simple/affine/
  cause: error sending request for url (https://index.example.org/simple/affine/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""),
    "pip, network": ("network", "index.example.org cannot be reached", """\
Looking in indexes: https://user:secret@index.example.org/simple
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object \
at 0x7f32a78b6dd0>: Failed to establish a new connection: [Errno -2] Name or service not known')'
ERROR: Could not find a version that satisfies the requirement affine==3.0.1 (from versions: none)
ERROR: No matching distribution found for affine==3.0.1
"""),
    "uv, switched off": ("network", "The package index cannot be reached", """\
error: No solution found when resolving dependencies
  cause: Because affine was not found in the cache and you require affine==3.0.1, we can conclude \
that your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled.
"""),
    "uv, wheel": ("wheel", "pyproj is not available for this system", """\
error: No solution found when resolving dependencies
  cause: Because pyproj{python_full_version < '3.12'}==3.7.2 has no usable wheels and you require \
pyproj{python_full_version < '3.12'}==3.7.2, we can conclude that your requirements are \
unsatisfiable.
"""),
    "uv, platform": ("wheel", "torch is not available for this system", """\
error: No solution found when resolving dependencies
  cause: Because torch==2.15.0 has no wheels with a matching platform tag (e.g., \
`macosx_15_0_x86_64`) and you require torch==2.15.0, we can conclude that your requirements are \
unsatisfiable.
"""),
    "uv, permission": ("denied", "could not be written or is in use", """\
error: Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (numpy==2.4.6)
  cause: Failed to create directory `/e/lib/python3.11/site-packages/numpy.libs`
  cause: failed to create directory `/e/lib/numpy.libs`: Operation not permitted (os error 1)
"""),
    "pip, permission": ("denied", "could not be written or is in use",
                        "ERROR: Could not install packages due to an OSError: [Errno 1] Operation "
                        "not permitted: '/e/lib/python3.11/site-packages/numpy'\n"),
    "Windows, in use": ("denied", "could not be written or is in use",
                        "  cause: The process cannot access the file because it is being used by "
                        "another process. (os error 32)\n"),
    "Windows, virus": ("virus", "virus scanner", "OSError: [WinError 225] Operation did not "
                       "complete successfully because the file contains a virus or potentially "
                       "unwanted software\n"),
    "Windows, path": ("path", "path is too long",
                      "  cause: The filename or extension is too long. (os error 206)\n"),
    "pip, path": ("path", "path is too long", """\
ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: 'C:\\\\x'
HINT: This error might have occurred since this system does not have Windows Long Path support \
enabled.
"""),
    "no pip": ("pip", "/usr/bin/python3 cannot make environments",
               "/usr/bin/python3: No module named ensurepip\n"),
    "Debian": ("pip", "/usr/bin/python3 cannot make environments", """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.
"""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_found(case):
    kind, finding, output = CASES[case]
    found = explain(output, folder="/home/a/geoseg", python="/usr/bin/python3")
    assert found.kind == kind
    assert finding in found.finding
    for sentence in (found.finding, found.cure):
        assert "{" not in sentence
        assert "secret" not in sentence
        assert sentence[0].isupper() or sentence.startswith(("/", "affine", "index", "pyproj",
                                                             "torch"))
        assert not sentence.endswith(".")


def test_what_is_not_known_is_not_explained():
    assert explain("Installed 90 packages in 1.12s\n + affine==3.0.1\n") is None
    assert explain("") is None
