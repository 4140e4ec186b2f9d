"""Where to fetch to, and with which credentials: `spec.sources`, as the operator passes it on.

SPARSEDM_SOURCES is a JSON object: `cache` is a folder, `trustedCA` a file, and `credentials` a list of
{prefix, secret, folder}, each folder a mounted Secret with a file for every key. Values are read when they
are needed, because Secrets are renewed while pods run, and are nowhere else: not in the environment, not in a
log.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparsedm.errors import ConfigError, InputError

VARIABLE = "SPARSEDM_SOURCES"


@dataclass(frozen=True)
class Credentials:
    prefix: str
    secret: str
    """Name of the Secret, for messages."""
    folder: Path

    def fits(self, uri: str) -> bool:
        """s3://m is for s3://m/a, and not for s3://m-other/a; hf://o/r for hf://o/r@v2; and oci://h/r for
        oci://h/r:v2, but oci://h not for another port."""
        rest = uri.removeprefix(self.prefix)
        if rest == uri:
            return False
        ends = "/@:" if "/" in self.prefix.partition("://")[2] else "/"
        return not rest or self.prefix.endswith("/") or rest[0] in ends

    def value(self, *names: str) -> str | None:
        """Of the first key that the Secret has."""
        for name in names:
            try:
                return (self.folder / name).read_text(encoding="utf-8").strip()
            except FileNotFoundError:
                continue
        return None

    def values(self) -> dict[str, str]:
        """All that the Secret holds now, to see whether it was renewed."""
        if not self.folder.is_dir():
            return {}
        return {
            path.name: path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(self.folder.iterdir())
            if path.is_file()
        }


NONE = Credentials("", "", Path("/nonexistent"))
"""No Secret: what the environment has, or none."""


@dataclass(frozen=True)
class Settings:
    credentials: tuple[Credentials, ...] = ()
    cache: Path | None = None
    trusted_ca: Path | None = None

    @property
    def scratch(self) -> Path:
        """A folder of this pod alone."""
        return Path(tempfile.gettempdir()) / "sparsedm-sources"

    def credentials_of(self, uri: str) -> Credentials:
        """Those with the longest prefix."""
        fitting = [each for each in self.credentials if each.fits(uri)]
        return max(fitting, key=lambda each: len(each.prefix), default=NONE)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Raises ConfigError."""
        try:
            given = json.loads(env.get(VARIABLE) or "{}")
            return cls(
                tuple(
                    Credentials(each["prefix"], each["secret"], Path(each["folder"]))
                    for each in given.get("credentials", [])
                ),
                Path(given["cache"]) if given.get("cache") else None,
                Path(given["trustedCA"]) if given.get("trustedCA") else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError([f"{VARIABLE} can't be read ({type(error).__name__}): correct it."]) from error


BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Where the clients look for the authorities that they trust."""


def trust(settings: Settings) -> None:
    """Adds the authorities of `trustedCA` to the public ones, for all clients in this process. Raises
    InputError where the file holds none."""
    if settings.trusted_ca is None:
        return
    import certifi

    try:
        own = settings.trusted_ca.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "TrustedCaInvalid", f"sources.trustedCA can't be read as PEM ({type(error).__name__})."
        ) from error
    if "-----BEGIN CERTIFICATE-----" not in own:
        raise InputError(
            "TrustedCaInvalid",
            "sources.trustedCA holds no certificate: put PEM text into the key of the ConfigMap, from "
            "-----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.",
        )
    settings.scratch.mkdir(parents=True, exist_ok=True)
    bundle = settings.scratch / "authorities.pem"
    bundle.write_text(f"{Path(certifi.where()).read_text(encoding='utf-8')}\n{own}", encoding="utf-8")
    for name in BUNDLE_VARIABLES:
        os.environ[name] = str(bundle)
