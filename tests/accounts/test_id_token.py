"""An ID token is believed if every part of it holds: each attack here changes one."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from skinlens.accounts import id_token
from skinlens.accounts.id_token import NotBelieved, UnknownKey

ISSUER, CLIENT, NONCE, NOW = "https://id.example", "skinlens", "a nonce of this sign-in", 1_800_000_000.0
GOOD: Mapping[str, Any] = {
    "iss": ISSUER, "aud": CLIENT, "sub": "7", "nonce": NONCE, "iat": int(NOW) - 5, "exp": int(NOW) + 300
}  # fmt: skip
KEY = RSAKey.generate_key(2048, {"kid": "rsa"})
CURVE = ECKey.generate_key("P-256", {"kid": "ec"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = KeySet.import_key_set({"keys": [KEY.as_dict(private=False), CURVE.as_dict(private=False)]})


def made(changes: Mapping[str, Any] | None = None, *, header: Mapping[str, Any] | None = None, key: Any = KEY) -> str:
    """A token with some claims changed; one that is None is left out."""
    content = {name: value for name, value in {**GOOD, **(changes or {})}.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "rsa", **(header or {})}, content, key)


def believed(token: str) -> Mapping[str, Any]:
    return id_token.claims(token, KEYS, issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW)


def part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("changes", "header", "key"),
    [
        ({}, {}, KEY),
        ({}, {"alg": "ES256", "kid": "ec"}, CURVE),
        ({"aud": [CLIENT]}, {}, KEY),
        ({"aud": ["another", CLIENT], "azp": CLIENT}, {}, KEY),
        ({"exp": int(NOW) - 30, "iat": int(NOW) + 30, "nbf": int(NOW) + 30}, {}, KEY),  # clocks that differ a little
    ],
)
def test_a_token_for_this_sign_in_is_believed(changes: Mapping[str, Any], header: Mapping[str, Any], key: Any) -> None:
    assert believed(made(changes, header=header, key=key))["sub"] == "7"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": f"{ISSUER}/"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": {CLIENT: 1}}, "audience"),
        ({"aud": ["another", CLIENT]}, "authorized party"),
        ({"aud": [CLIENT], "azp": "another"}, "authorized party"),
        ({"exp": int(NOW) - 60}, "end"),
        ({"exp": None}, "end"),
        ({"exp": "2100-01-01"}, "end"),
        ({"exp": True}, "end"),
        ({"iat": int(NOW) + 120}, "beginning"),
        ({"iat": None}, "beginning"),
        ({"nbf": int(NOW) + 120}, "not before"),
        ({"nonce": "of another sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "x" * 256}, "subject"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_not_believed(changes: Mapping[str, Any], named: str) -> None:
    with pytest.raises(NotBelieved, match=f"^The ID token is not for this sign-in: {named}.$"):
        believed(made(changes))


@pytest.mark.parametrize(
    "forge",
    [
        lambda: f"{part({'alg': 'none'})}.{part(GOOD)}.",
        lambda: f"{part({'alg': 'None', 'kid': 'rsa'})}.{part(GOOD)}.",
        lambda: f"{part({'kid': 'rsa'})}.{part(GOOD)}.",
        lambda: made(header={"alg": "HS256"}, key=OctKey.import_key("a secret that both of us know")),
        lambda: f"{part({'alg': 'ES256', 'kid': 'rsa'})}.{made().partition('.')[2]}",
        lambda: f"{part({'alg': 'RS256', 'kid': 'rsa', 'crit': ['b64'], 'b64': False})}.{made().partition('.')[2]}",
        lambda: "",
        lambda: "a.b.c",
        lambda: made().rpartition(".")[0],
    ],
    ids=["none", "None", "no-algorithm", "shared-secret", "another-kind", "critical", "empty", "garbage", "cut"],
)
def test_a_token_that_is_not_signed_by_the_provider_is_not_believed(forge: Callable[[], str]) -> None:
    with pytest.raises(NotBelieved):
        believed(forge())


def test_a_key_that_is_new_is_told_apart_so_that_the_keys_are_asked_for_again() -> None:
    head, _, sign = made().split(".")
    changed = f"{head}.{part({**GOOD, 'sub': '1'})}.{sign}"
    for token in (made(key=STRANGER), made(header={"kid": "new"}, key=KEY), changed):
        with pytest.raises(UnknownKey):
            believed(token)
