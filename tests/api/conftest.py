"""The API over the tiny release, asked without a socket; a token of each role."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from skinlens import pipeline
from skinlens.accounts import Tokens
from skinlens.api.server import application
from skinlens.api.service import Service
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier
from skinlens.roles import Role

ADDRESS = "http://127.0.0.1:8502"


@pytest.fixture(scope="session")
def tiny(release: Path) -> Classifier:
    return pipeline.load_classifier(release)


@pytest.fixture
def service(tiny: Classifier, skinlens_home: Path) -> Service:
    return Service(skinlens_home, tiny, bundled=False)


@pytest.fixture
def tokens(skinlens_home: Path) -> Tokens:
    """Without their entries in the audit log, for which the case file would have to be made."""
    return Tokens(skinlens_home, note=lambda *_: None)


def bearer(tokens: Tokens, role: Role = "reader") -> dict[str, str]:
    """The header that a new token is sent with."""
    return {"authorization": f"Bearer {tokens.add(f'a {role}', role)[1]}"}


@pytest.fixture
def api(service: Service, tokens: Tokens) -> Iterator[TestClient]:
    """Sends the token of a reader, unless told otherwise."""
    with TestClient(application(service), ADDRESS, headers=bearer(tokens), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def lesion() -> bytes:
    """A drawn lesion as JPEG."""
    file = io.BytesIO()
    Image.fromarray(draw_synthetic_lesion(3)).save(file, "JPEG", quality=92)
    return file.getvalue()
