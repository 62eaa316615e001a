"""ID token of an OpenID provider: its signature and every claim are checked before anybody is believed."""

import math
import secrets
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from skinlens.errors import SkinLensError

SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key that the provider alone has: never “none”, and never one by a secret that both know."""
CLOCKS_APART_S = 60
_MOST_LETTERS = 255


class NotBelieved(SkinLensError):
    """An answer of the provider that does not hold; the sentence is for the log of the server, and names no value."""


class UnknownKey(NotBelieved):
    """Signature by a key that is not among the provider's: it may have changed its keys."""


def claims(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: float) -> Mapping[str, Any]:
    """The claims of a token that was made by that issuer, for this client, for this very sign-in, and still holds.

    Raises:
        NotBelieved: any of this is not so.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=list(SIGNED_BY))
    except (InvalidKeyIdError, BadSignatureError) as error:
        raise UnknownKey("The ID token is not signed by a key of the provider.") from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotBelieved("The ID token is none, or not signed as one is.") from error
    claim_set = decoded.claims
    audience = claim_set.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    problems = {
        "issuer": claim_set.get("iss") != issuer,
        "audience": client_id not in audiences,
        "authorized party": claim_set.get("azp", None if len(audiences) > 1 else client_id) != client_id,
        "end": _time(claim_set.get("exp"), missing=0) + CLOCKS_APART_S <= now,
        "beginning": _time(claim_set.get("iat"), missing=math.inf) - CLOCKS_APART_S > now,
        "not before": _time(claim_set.get("nbf"), missing=0) - CLOCKS_APART_S > now,
        "nonce": not _same(claim_set.get("nonce"), nonce),
        "subject": not _is_text(claim_set.get("sub")),
    }
    if wrong := [name for name, is_wrong in problems.items() if is_wrong]:
        raise NotBelieved(f"The ID token is not for this sign-in: {', '.join(wrong)}.")
    return claim_set


def _time(given: object, *, missing: float) -> float:
    is_one = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    return float(given) if is_one else missing  # type: ignore[arg-type]


def _is_text(given: object) -> bool:
    return isinstance(given, str) and 0 < len(given) <= _MOST_LETTERS


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and secrets.compare_digest(given.encode(), wanted.encode())
