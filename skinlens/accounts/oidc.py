"""OpenID Connect: the authorization code flow with PKCE, from discovery to the person for whom the provider vouches."""

import base64
import hashlib
import http.client
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from skinlens.accounts import id_token
from skinlens.accounts.id_token import NotBelieved, UnknownKey
from skinlens.accounts.oidc_settings import ProviderSettings, is_reachable_safely
from skinlens.accounts.sessions import SignInRefused
from skinlens.accounts.signing_in import Person
from skinlens.roles import ROLES, Role

PATIENCE_S = 10.0
CACHED_S = 3600.0
"""Time after which the provider's metadata is fetched again."""
ASKED_AGAIN_S = 60.0
"""Shortest time between two fetches of the provider's keys for a token whose key is not among them."""
MOST_BYTES = 1_000_000
_DISCOVERY = "/.well-known/openid-configuration"
UNREACHABLE = "The place where you sign in cannot be reached now. Try again, or ask an admin."
NOT_IN_A_GROUP = "You are in none of the groups that may use SkinLens. Ask an admin."


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way: what has to come back, and what proves then that it was ours."""

    state: str
    nonce: str
    verifier: str
    """Code verifier of PKCE."""
    back: str
    """Address that the provider sends the browser to."""


class Provider:
    """One OpenID provider; any thread may use it. It is asked for nothing before somebody signs in."""

    def __init__(self, settings: ProviderSettings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._about: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def name(self) -> str:
        """Name of the provider on the button."""
        return self.settings.name or self.settings.issuer.partition("://")[2]

    def begin(self, back: str) -> tuple[str, Begun]:
        """The address where the person signs in, and what is to be kept until they come back to ``back``.

        Raises:
            SignInRefused: the provider cannot be reached.
        """
        begun = Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), back)
        challenge = hashlib.sha256(begun.verifier.encode("ascii")).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": self.settings.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return _with_query(self._endpoint("authorization_endpoint"), asked), begun

    def person(self, code: str, begun: Begun) -> Person:
        """The person for whom the provider vouches with that code.

        Raises:
            SignInRefused: the provider cannot be reached, or they are in none of the groups.
            NotBelieved: it does not vouch for anybody, or not for this sign-in.
        """
        token = self._exchanged(code, begun)
        wanted = {"issuer": self.settings.issuer, "client_id": self.settings.client_id, "nonce": begun.nonce}
        try:
            claims = id_token.claims(token, self._key_set(), **wanted, now=self._clock())
        except UnknownKey:
            claims = id_token.claims(token, self._key_set(anew=True), **wanted, now=self._clock())
        name = claims.get(self.settings.name_claim)
        return Person(self.settings.issuer, claims["sub"], name if isinstance(name, str) else "", self._role(claims))

    def leave(self, back: str) -> str:
        """The address where the person signs out at the provider as well; empty: it has none."""
        if not self._described().get("end_session_endpoint"):
            return ""
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return _with_query(self._endpoint("end_session_endpoint"), asked)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        if not self.settings.roles:
            return None
        groups = claims.get(self.settings.groups_claim, [])
        named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        roles = [
            self.settings.roles[group] for group in named if isinstance(group, str) and group in self.settings.roles
        ]
        if not roles and self.settings.others == "refused":
            raise SignInRefused(NOT_IN_A_GROUP)
        return max(roles, key=ROLES.index, default="viewer")

    def _exchanged(self, code: str, begun: Begun) -> str:
        secret, headers = self.settings.client_secret, {"Content-Type": "application/x-www-form-urlencoded"}
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.back,
            "code_verifier": begun.verifier,
            "client_id": self.settings.client_id,
        }
        ways = self._described().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in ways:
            pair = f"{quote(self.settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        elif secret:
            sent["client_secret"] = secret
        answer = _asked(self._endpoint("token_endpoint"), urlencode(sent).encode(), headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotBelieved("The provider sent no ID token.")
        return token

    def _described(self) -> Mapping[str, Any]:
        with self._lock:
            if self._about and self._clock() - self._about[0] < CACHED_S:
                return self._about[1]
        metadata = _asked(self.settings.issuer.rstrip("/") + _DISCOVERY)
        if metadata.get("issuer") != self.settings.issuer:
            raise NotBelieved("What answers at the issuer's address calls itself otherwise.")
        with self._lock:
            self._about = (self._clock(), metadata)
        return metadata

    def _endpoint(self, name: str) -> str:
        endpoint = self._described().get(name)
        if not isinstance(endpoint, str) or not is_reachable_safely(endpoint):
            raise NotBelieved(f"The provider's {name} is no address with https.")
        return endpoint

    def _key_set(self, *, anew: bool = False) -> KeySet:
        least = ASKED_AGAIN_S if anew else CACHED_S
        with self._lock:
            if self._keys and self._clock() - self._keys[0] < least:
                return self._keys[1]
        try:
            key_set = KeySet.import_key_set(_asked(self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise NotBelieved("The provider's keys cannot be read.") from error
        with self._lock:
            self._keys = (self._clock(), key_set)
        return key_set


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Nobody sends a code or a secret on to another address."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _asked(address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    accepted = {"Accept": "application/json", **(headers or {})}
    request = urllib.request.Request(address, body, accepted)  # noqa: S310  its scheme was checked with the settings
    try:
        with _OPENER.open(request, timeout=PATIENCE_S) as answer:
            content = json.loads(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            _refused(error.code)
    except (OSError, http.client.HTTPException) as error:
        raise SignInRefused(UNREACHABLE) from error
    except ValueError as error:
        raise NotBelieved("The provider's answer is no JSON.") from error
    if not isinstance(content, dict):
        raise NotBelieved("The provider's answer is no JSON object.")
    return content


def _refused(status: int) -> NoReturn:
    if status >= 500:
        raise SignInRefused(UNREACHABLE)
    raise NotBelieved(f"The provider refused, with status {status}.")


def _with_query(address: str, asked: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"
