"""A PKCS #11 token of SoftHSM2 for the length of a test, made by its own tools; without them the test says so."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest

LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
             "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")  # fmt: skip
PIN = "korte pin"


def token(folder: Path) -> Iterator[str]:
    """Make a token in `folder` and give its PKCS #11 URI; gone at the end."""
    library = next((name for name in LIBRARIES if Path(name).exists()), None)
    tool = shutil.which("softhsm2-util")
    if library is None or tool is None:
        pytest.skip("SoftHSM2 is not installed (apt-get install softhsm2)")
    (folder / "tokens").mkdir()
    settings, pin, before = folder / "softhsm2.conf", folder / "pin", os.environ.get("SOFTHSM2_CONF")
    settings.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    os.environ["SOFTHSM2_CONF"] = str(settings)
    told = ["--init-token", "--free", "--label", "kluis test", "--so-pin", "so-pin-1234", "--pin", PIN]
    subprocess.run([tool, *told], check=True, capture_output=True)
    loaded = pkcs11.lib(library)
    loaded.reinitialize()  # the library reads its settings once a process
    try:
        yield f"pkcs11:token=kluis%20test;object=kluis?module-path={library}&pin-source=file:{pin}"
    finally:
        loaded.finalize()
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before
