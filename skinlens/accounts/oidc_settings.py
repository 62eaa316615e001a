"""Settings of an OpenID provider: one TOML file, which nobody but its owner may read."""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from skinlens.errors import ServeError
from skinlens.roles import ROLES, Role

SECRET = "SKINLENS_OIDC_SECRET"  # noqa: S105  the name of the variable
"""The client's secret, where it is not in the file."""
_NAMES = {
    *("issuer", "client_id", "client_secret", "name", "scope", "name_claim", "groups_claim", "roles", "others"),
}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class ProviderSettings:
    """Address of the provider, SkinLens's client there, and the role of each group."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty: a public client, which proves by PKCE alone that it is the one that asked."""
    name: str = ""
    """On the button."""
    scope: str = "openid profile"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Group → role. Empty: who comes first is a viewer, and an admin gives roles by command."""
    others: str = "viewer"
    """Who is in none of the groups: ``viewer``, or ``refused``."""


def read(path: Path) -> ProviderSettings:
    """The settings in that file. Raises ServeError: others may read it, it cannot be read, or says what cannot be."""
    try:
        if os.name != "nt":
            file_status = path.stat()
            if stat.S_IMODE(file_status.st_mode) & 0o077 or file_status.st_uid != os.geteuid():
                raise ServeError(
                    f"Others can read or change {path}, which holds the secret of SkinLens at the provider. Make it "
                    f"your own alone: chmod 600 {path}"
                )
        typed = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServeError(f"The settings of the provider, {path}, cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        where = getattr(error, "lineno", None)  # its own sentence may hold a piece of the secret
        raise ServeError(f"{path} is no TOML{f': see line {where}' if where else ''}.") from None
    return settings_of(typed, os.environ.get(SECRET, "").strip(), str(path))


def settings_of(typed: Mapping[str, Any], secret: str, where: str) -> ProviderSettings:
    """Settings as they were typed, checked. Raises ServeError."""
    if unknown := sorted(set(typed) - _NAMES):
        raise ServeError(f"{where} has {', '.join(unknown)}. Expected: {', '.join(sorted(_NAMES))}.")
    texts = {name: given for name, given in typed.items() if name != "roles"}
    wrong = sorted(name for name, given in texts.items() if not isinstance(given, str) or not given.strip())
    missing = [name for name in ("issuer", "client_id") if name not in typed]
    if wrong or missing:
        raise ServeError(f"{where}: a text is expected for {', '.join([*missing, *wrong])}.")
    issuer = str(typed["issuer"]).strip()
    if not is_reachable_safely(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise ServeError(
            f"{where}: issuer is {issuer!r}. Expected an address with https, as the provider names itself."
        )
    roles = typed.get("roles", {})
    if not isinstance(roles, dict) or any(role not in ROLES for role in roles.values()):
        raise ServeError(f"{where}: under roles each group has one of {', '.join(ROLES)}.")
    if texts.get("others", "viewer") not in {"viewer", "refused"}:
        raise ServeError(f"{where}: others is viewer or refused.")
    if "openid" not in str(texts.get("scope", "openid")).split():
        raise ServeError(f"{where}: scope has to hold openid.")
    if secret:
        texts = {**texts, "client_secret": secret}
    return ProviderSettings(**{**texts, "issuer": issuer, "roles": roles})


def is_reachable_safely(address: str) -> bool:
    """Whether an address has TLS, or leads nowhere but to this computer."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
