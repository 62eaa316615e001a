"""The backup on the page of the settings: when the last one was made, one button, progress, cancel, what came of it."""

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import platformdirs
import streamlit as st

from skinlens.clock import local_minute, today
from skinlens.errors import InvalidEntry
from skinlens.formatting import counted, megabytes, rounded_percent
from skinlens.records import Progress
from skinlens.settings import BACKUP_DAYS
from skinlens.store import Backup, CaseQuery, CaseStore
from skinlens.store.backup import backup_folder
from skinlens.store.encryption import LEAST_SIGNS, must_be_passphrase
from skinlens.ui.components import allowed, confirmation
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache
from skinlens.ui.state.jobs import Job

SECTION = "backup"
DOWNLOAD_BYTES = 200_000_000
"""A larger one is not handed to the browser: it would be held in memory as a whole."""
POLL_S = 0.5
_FOLDER = "settings_backup_folder"
_SECRET, _AGAIN, _CLEAR = "settings_backup_passphrase", "settings_backup_again", "settings_backup_clear"
_DAYS = "settings_backup_days"


@dataclass
class Running:
    """The backup that this server makes, or made last; all windows see the same one."""

    job: Job
    made: list[Backup] = field(default_factory=list)
    told: bool = False
    """Whether a page has said what came of it."""


@st.cache_resource(show_spinner=False)
def _running() -> dict[Path, Running]:
    return {}


def section(store: CaseStore) -> None:
    """One button, and everything about it beside it."""
    st.header("Backup")
    last = store.last_backup()
    _age(store, last)
    if not allowed.or_why("back up"):  # nor is the folder theirs to know
        return
    with st.container(border=True):
        running = _running().get(store.home)
        active = running is not None and running.job.active
        st.session_state.setdefault(_FOLDER, str(Path(last.path).parent) if last else str(suggested()))
        typed = st.text_input(
            "Folder on this computer",
            key=_FOLDER,
            persist_state="session",
            disabled=active,  # drawn all the time: a field that comes back can come back empty
            autocomplete="off",
            help="Best on another disk, or on a USB stick. The folder is made if it is new.",
        )
        if running is not None and active:
            st.fragment(_progress, run_every=POLL_S)(running)
            return
        secret = _passphrase()
        if st.button("Back up now", type="primary", key="backup_now"):
            _start(store, typed, *secret)
        confirmation.show(SECTION)
        if running is not None:
            _outcome(running)
    st.caption(
        "All cases, photos, maps and settings, and the photos that wait on the worklist, as one ZIP, read again and "
        "verified. Without a passphrase it is not encrypted: keep it as safe as the patients' records. What you erase "
        "here later stays in it: delete the backup too. Copying the case folder while SkinLens is running is not a "
        "backup."
    )
    _reminder(store)
    with st.expander("How to restore a backup"):
        st.markdown(
            "1. Stop SkinLens.\n"
            "2. Type `python -m skinlens restore FILE.zip` in the folder of SkinLens. The backup is verified first; "
            "the passphrase of an encrypted one is asked for.\n"
            "3. Where there are cases already, nothing happens unless you add `--replace`; then they are set aside in "
            "a folder of their own, not deleted.\n"
            "4. Start SkinLens again."
        )


def suggested() -> Path:
    """Folder of a first backup unless another is typed."""
    documents = platformdirs.user_documents_path()
    return (documents if documents.is_dir() else Path.home()) / "SkinLens backups"


def _passphrase() -> tuple[str, str]:
    """As it was typed twice; it is asked for once more for each backup."""
    if st.session_state.pop(_CLEAR, False):
        st.session_state[_SECRET] = st.session_state[_AGAIN] = ""
    left, right = st.columns(2)
    typed = left.text_input(
        "Passphrase (optional)",
        key=_SECRET,
        type="password",
        autocomplete="new-password",
        help=f"Encrypts the backup; at least {LEAST_SIGNS} characters. Note it: nobody can restore without it.",
    )
    return typed, right.text_input(
        "The same passphrase again", key=_AGAIN, type="password", autocomplete="new-password"
    )


def _age(store: CaseStore, last: Backup | None) -> None:
    if last is None:
        st.warning("**Never backed up.** If this disk breaks, all cases are lost.")
        return
    encrypted = ", encrypted" if last.encrypted else ""
    words = f"Last backup: **{local_minute(last.made_at)}**, {plain(_contents(last))}{encrypted}"
    if (days := _days_since(last)) > store.settings().backup_days:
        st.warning(f"{words}. That is {days} days ago.")
    else:
        st.markdown(f"{words}.")


def _days_since(last: Backup) -> int:
    return (today() - datetime.fromisoformat(last.made_at).astimezone().date()).days


def overdue(store: CaseStore) -> str:
    """One line for another page where a backup is due; empty where none is, and while there is no case."""
    last = store.last_backup()
    if last is None:
        return "Never backed up. Back up under Settings." if store.search(CaseQuery(limit=1)).total else ""
    days = _days_since(last)
    return f"Last backup {days} days ago. Back up under Settings." if days > store.settings().backup_days else ""


def _reminder(store: CaseStore) -> None:
    """After how many days a backup is asked for; kept as soon as it is chosen."""

    def keep() -> None:
        now = store.settings()
        store.keep_settings(replace(now, backup_days=st.session_state[_DAYS]), read=now)

    st.session_state[_DAYS] = store.settings().backup_days  # another window may have chosen
    st.selectbox("Remind of a backup after", BACKUP_DAYS, key=_DAYS, format_func=_days, on_change=keep)


def _days(number: int) -> str:
    return counted(number, "day")


def _contents(made: Backup) -> str:
    waits = f", {counted(made.waiting, 'photo')} that wait on the worklist" if made.waiting else ""
    return f"{counted(made.cases, 'case')}{waits}, {megabytes(made.size_bytes)}"


def _start(store: CaseStore, typed: str, secret: str, again: str) -> None:
    try:
        folder = backup_folder(typed, store.home)
        passphrase = must_be_passphrase(secret, again) if secret or again else None
    except InvalidEntry as error:
        confirmation.problem(SECTION, InvalidEntry(f"No backup was made. {error}"))
        st.rerun()
    st.session_state[_CLEAR] = True
    made: list[Backup] = []

    def write(progress: Progress) -> Backup:
        return store.back_up(folder, progress=progress, passphrase=passphrase)

    job = Job((SECTION, ""), write, made.append)
    _running()[store.home] = Running(job, made)
    threading.Thread(target=job.run, name=SECTION, daemon=True).start()
    st.rerun()


def _progress(running: Running) -> None:
    job = running.job
    if not job.active:
        st.rerun()  # of the whole page: it says what came of it
    words = "Stopping …" if job.stop.is_set() else f"Backing up … {rounded_percent(job.fraction)}"
    st.progress(min(1.0, job.fraction), text=plain(words))
    st.caption("You can go on working meanwhile, also on other pages.")
    if st.button("Cancel the backup", key="backup_cancel"):
        job.cancel()


def begin(store: CaseStore) -> None:
    """The page is opened: what was told of an earlier backup is not told again."""
    running = _running().get(store.home)
    if running is not None and running.told:
        del _running()[store.home]


def _outcome(running: Running) -> None:
    job = running.job
    running.told = True
    if job.state == "cancelled":
        st.info("The backup was cancelled. Nothing of it is left.")
    elif job.state == "failed":
        st.error(plain(job.problem))
    for made in running.made:
        how = "Backed up, encrypted and verified" if made.encrypted else "Backed up and verified"
        st.success(f"{how}: {plain(made.path)} ({plain(_contents(made))})", icon=":material/check:")
        if made.missing:
            st.warning(plain(f"{len(made.missing)} photos or maps could not be read, and are not in it. "
                             f"{' '.join(made.missing[:3])}"))  # fmt: skip
        path = Path(made.path)
        if made.size_bytes <= DOWNLOAD_BYTES and path.is_file():
            st.download_button(
                "Download a copy",
                partial(_handed_out, path, made.cases),
                file_name=path.name,
                mime="application/zip",
                on_click="ignore",
            )


def _handed_out(path: Path, cases: int) -> bytes:
    """Noted when it is taken. Where that cannot be, the backup was noted when it was made."""
    cache.store().note_backup_export(cases)
    return path.read_bytes()
