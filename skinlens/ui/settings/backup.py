"""The backup on the page of the settings: when the last one was made, one button, progress, cancel, what came of it."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import platformdirs
import streamlit as st

from skinlens.clock import local_minute, today
from skinlens.errors import InvalidEntry
from skinlens.store import Backup, CaseStore
from skinlens.store.backup import backup_folder
from skinlens.ui.components import allowed, confirmation
from skinlens.ui.components.words import plain
from skinlens.ui.state.jobs import Job

SECTION = "backup"
OLD_DAYS = 30
"""After so many days without a backup the page warns."""
DOWNLOAD_BYTES = 200_000_000
"""A larger one is not handed to the browser: it would be held in memory as a whole."""
POLL_S = 0.5
_FOLDER = "settings_backup_folder"


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
    _age(last)
    if not allowed.or_why("back up"):  # nor is the folder theirs to know
        return
    with st.container(border=True):
        running = _running().get(store.home)
        if running is not None and running.job.active:
            st.fragment(_progress, run_every=POLL_S)(running)
            return
        st.session_state.setdefault(_FOLDER, str(Path(last.path).parent) if last else str(suggested()))
        typed = st.text_input(
            "Folder on this computer",
            key=_FOLDER,
            autocomplete="off",
            help="Best on another disk, or on a stick. The folder is made if it is new.",
        )
        if st.button("Back up now", type="primary", key="backup_now"):
            _start(store, typed)
        confirmation.show(SECTION)
        if running is not None:
            _outcome(running)
    st.caption(
        "All cases, photos, maps and settings as one ZIP, read again and verified. It is not encrypted: keep it as "
        "safe as the patients' records. What you erase here later stays in it: delete the backup too."
    )
    with st.expander("How to restore a backup"):
        st.markdown(
            "1. Stop SkinLens.\n"
            "2. Type `python -m skinlens restore FILE.zip` in the folder of SkinLens. The backup is verified first.\n"
            "3. Where there are cases already, nothing happens unless you add `--replace`; then they are set aside in "
            "a folder of their own, not deleted.\n"
            "4. Start SkinLens again."
        )


def suggested() -> Path:
    """Where a first backup goes unless another folder is typed."""
    documents = platformdirs.user_documents_path()
    return (documents if documents.is_dir() else Path.home()) / "SkinLens backups"


def _age(last: Backup | None) -> None:
    if last is None:
        st.warning("**Never backed up.** If this disk breaks, all cases are lost.")
        return
    days = (today() - datetime.fromisoformat(last.made_at).astimezone().date()).days
    words = f"Last backup: **{local_minute(last.made_at)}**, {plain(_contents(last))}"
    if days > OLD_DAYS:
        st.warning(f"{words}. That is {days} days ago.")
    else:
        st.markdown(f"{words}.")


def _contents(made: Backup) -> str:
    cases = "1 case" if made.cases == 1 else f"{made.cases:,} cases"
    return f"{cases}, {made.size_bytes / 1e6:,.1f} MB"


def _start(store: CaseStore, typed: str) -> None:
    try:
        folder = backup_folder(typed, store.home)
    except InvalidEntry as error:
        confirmation.problem(SECTION, InvalidEntry(f"No backup was made. {error}"))
        st.rerun()
    made: list[Backup] = []
    job = Job((SECTION, ""), lambda progress: store.back_up(folder, progress=progress), made.append)
    _running()[store.home] = Running(job, made)
    threading.Thread(target=job.run, name=SECTION, daemon=True).start()
    st.rerun()


def _progress(running: Running) -> None:
    job = running.job
    if not job.active:
        st.rerun()  # of the whole page: it says what came of it
    words = "Stopping …" if job.stop.is_set() else f"Backing up … {100 * job.fraction:.0f} %"
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
        st.success(f"Backed up and verified: {plain(made.path)} ({plain(_contents(made))})", icon=":material/check:")
        if made.missing:
            st.warning(plain(f"{len(made.missing)} photos or maps could not be read, and are not in it. "
                             f"{' '.join(made.missing[:3])}"))  # fmt: skip
        path = Path(made.path)
        if made.size_bytes <= DOWNLOAD_BYTES and path.is_file():
            st.download_button(
                "Download a copy", path.read_bytes, file_name=path.name, mime="application/zip", on_click="ignore"
            )
