"""The settings of an OpenID provider: from a file that is its owner's alone, and nothing that cannot be meant."""

from pathlib import Path

import pytest

from skinlens.accounts import oidc_settings
from skinlens.errors import ServeError

FULL = """
issuer = "https://id.clinic.example/realms/clinic"
client_id = "skinlens"
client_secret = "very secret"
name = "Clinic"
groups_claim = "roles"
others = "refused"
[roles]
doctors = "reviewer"
"the it" = "admin"
"""
LEAST = 'issuer = "https://id.example"\nclient_id = "skinlens"\n'


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    file = path / "oidc.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_a_file_is_read_and_its_secret_is_never_printed(tmp_path: Path) -> None:
    found = oidc_settings.read(written(tmp_path, FULL))
    assert (found.name, found.scope, found.others) == ("Clinic", "openid profile", "refused")
    assert found.roles == {"doctors": "reviewer", "the it": "admin"}
    assert found.client_secret == "very secret"
    assert "very secret" not in repr(found)


def test_the_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKINLENS_OIDC_SECRET", "another")
    assert oidc_settings.read(written(tmp_path, FULL)).client_secret == "another"
    assert oidc_settings.read(written(tmp_path, LEAST)).client_secret == "another"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ServeError, match=r"Others can read or change .*chmod 600"):
        oidc_settings.read(written(tmp_path, FULL, mode))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('issuer = "https://id.example', "is no TOML"),
        ('client_id = "skinlens"', "a text is expected for issuer"),
        (LEAST + "client_secret = 7", "a text is expected for client_secret"),
        (LEAST + 'secret = "x"', "has secret. Expected: client_id"),
        (LEAST.replace("https", "http"), "Expected an address with https"),
        (LEAST.replace("https://id.example", "https://user@id.example"), "Expected an address with https"),
        (LEAST.replace("https://id.example", "https://id.example?x=1"), "Expected an address with https"),
        (LEAST.replace("https://id.example", "file:///etc"), "Expected an address with https"),
        (LEAST + '[roles]\ndoctors = "king"', "one of viewer, reader, reviewer, admin"),
        (LEAST + 'others = "admin"', "others is viewer or refused"),
        (LEAST + 'scope = "profile"', "scope has to hold openid"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ServeError, match=words):
        oidc_settings.read(written(tmp_path, text))


def test_what_is_no_toml_is_refused_without_a_piece_of_it(tmp_path: Path) -> None:
    with pytest.raises(ServeError) as caught:
        oidc_settings.read(written(tmp_path, LEAST + "client_secret = topsecret"))
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="cannot be read: No such file"):
        oidc_settings.read(tmp_path / "none.toml")
