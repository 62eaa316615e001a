"""Installation check: a list of findings, each with what was examined, what was found, and what to do about it."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skinlens.accounts import Accounts, Tokens
from skinlens.errors import SkinLensError, StoreError
from skinlens.formatting import counted
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import to_batch
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.release import REFERENCE_SEED, load_engine, load_manifest
from skinlens.report import faces
from skinlens.roles import ROLES, described
from skinlens.segmentation.head import load_segmentation_head
from skinlens.store import CaseStore
from skinlens.store.blobs import QUARANTINE_DAYS

TOLERANCE = 0.05
"""Of a logit: what another processor's kernels may differ by. A wrong file or a broken kernel is off by far more."""
FREE_BYTES = 1_000_000_000
SHOWN = 5
"""Files of one kind that are named."""


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    what: str
    passed: bool
    message: str


def examine(weights: Path, home: Path | None = None) -> list[Finding]:
    """Every check, also after one has failed."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("model files", lambda: _files(weights)),
        ("engine reproduces its reference", lambda: _reference(weights)),
        ("outline of the lesion", lambda: _outline(weights)),
        ("case database", lambda: _database(home)),
        ("photos and maps of the cases", lambda: _files_of_cases(home)),
        ("files that no case needs", lambda: _unknown_files(home)),
        ("deleted data", lambda: _erasure(home)),
        ("closed to other accounts", lambda: _closed(home)),
        ("accounts and tokens", lambda: _roles(home)),
        ("free disk space", lambda: _disk(home)),
        ("fonts of the report", _fonts),
    )
    return [_finding(what, check) for what, check in checks]


def _finding(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, passed=True, message=check())
    except (SkinLensError, OSError) as problem:
        return Finding(what, passed=False, message=str(problem))


def _files(weights: Path) -> str:
    manifest = load_manifest(weights)
    for name in manifest.content["files"]:
        manifest.read(name)
    which = "the release that this version came with" if manifest.bundled else f"NOT the bundled release: {weights}"
    summary = f"{len(manifest.content['files'])} files, all hashes match; {which}"
    return f"{manifest.content['name']} {manifest.version}, {summary}"


def _reference(weights: Path) -> str:
    expected = np.asarray(load_manifest(weights).content["reference"]["logits"], dtype=np.float32)
    engine = load_engine(weights)
    photo = photo_from_pixels(draw_synthetic_lesion(REFERENCE_SEED), "drawn")
    distance = float(np.abs(engine.logits(to_batch([photo], engine.spec))[0] - expected).max())
    if distance > TOLERANCE:
        raise SkinLensError(
            f"the drawn example's logits differ by {distance:.3f} from those of the release (at most {TOLERANCE} "
            "expected). Reinstall the requirements; if it stays, this processor computes otherwise: do not use it."
        )
    return f"the drawn example's logits differ by {distance:.4f} (at most {TOLERANCE})"


def _outline(weights: Path) -> str:
    if "outline" not in load_manifest(weights).content:
        return "none: it can be drawn by hand only"
    return f"its head belongs to this model (SHA-256 {load_segmentation_head(weights).model_ref.sha256[:12]}…)"


def _database(home: Path | None) -> str:
    store = CaseStore(home)
    if problems := (*store.log_problem(), *store.damage()):
        raise StoreError(" ".join(problems))
    store.check_writable()
    return f"{store.home} is whole and writable, {store.search().total} cases"


def _files_of_cases(home: Path | None) -> str:
    store = CaseStore(home)
    if lost := (*store.lost_files(), *store.received_problems()):
        raise StoreError(f"{len(lost)} of them cannot be read. {' '.join(lost[:SHOWN])}")
    return "all are there, as they were saved"


def _unknown_files(home: Path | None) -> str:
    store = CaseStore(home)
    if unknown := store.unknown_files():
        raise StoreError(
            f"{len(unknown)} files: {', '.join(map(str, unknown[:SHOWN]))}{' …' if len(unknown) > SHOWN else ''}. The "
            "database may be an older copy: put back the last good copy of the whole folder. What an interrupted save "
            f"left is moved to {store.files.quarantine} at the next start of the app."
        )
    if aside := store.files.in_quarantine():
        return f"none; {len(aside)} were moved to {store.files.quarantine}, where they stay for {QUARANTINE_DAYS} days"
    return "none"


def _erasure(home: Path | None) -> str:
    if CaseStore(home).unfinished_erasure():
        raise StoreError(
            "something was deleted, and traces of it are left in the folder. Start the app: it removes them first."
        )
    return "no trace is left"


def _closed(home: Path | None) -> str:
    store = CaseStore(home)
    if problems := store.open_to_others():
        raise StoreError(" ".join(problems))
    return f"{store.home} can be read by this account alone"


def _roles(home: Path | None) -> str:
    accounts, tokens = Accounts(home).all(), Tokens(home)
    strange = [
        f"Account {account.number}, {account.name}: {described(account.role)} "
        "Set another: skinlens user role NAME ROLE."
        for account in accounts
        if account.role not in ROLES
    ]
    if problems := (*strange, *tokens.problems()):
        raise StoreError(" ".join(problems))
    good = sum(token.revoked_at is None and not token.problem(time.time()) for token in tokens.all())
    return f"{counted(len(accounts), 'account')}, {counted(good, 'token')} of the API; each has a role that it may"


def _disk(home: Path | None) -> str:
    free = shutil.disk_usage(CaseStore(home).home).free
    if free < FREE_BYTES:
        raise StoreError(
            f"{math.floor(free / 1e8) / 10:.1f} GB free, at least {FREE_BYTES / 1e9:.0f} GB expected. Free some space."
        )
    return f"{free / 1e9:.0f} GB free"


def _fonts() -> str:
    names = (*faces.SHIPPED, *faces.PACKAGED)
    for name in names:
        try:
            faces.characters(name)
        except OSError as problem:
            mend = "Reinstall the requirements" if name in faces.PACKAGED else f"Restore {faces.FONTS} from the release"
            raise SkinLensError(f"The font {name} cannot be read ({problem}). {mend}.") from problem
    return f"{len(names)} fonts can be read"
