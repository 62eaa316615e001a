"""The browser tabs that this server serves: run their pages again, and let go of the files held in memory for them.

Streamlit has no public call for this. Everything that reaches into its runtime stands here, and the browser tests of
the erasure fail when Streamlit changes it.
"""

from collections.abc import Collection

from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx


def here() -> str:
    """The tab whose page is being run; empty outside of one."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""


def rerun_others() -> None:
    """Run the page of each connected tab again, but for this one: what it shows may be gone."""
    runtime = _served()
    if runtime is None:
        return
    loop = runtime._get_async_objs().eventloop
    for info in runtime._session_mgr.list_active_sessions():
        tab = info.session
        if tab.id != here():
            loop.call_soon_threadsafe(tab.request_rerun, tab._client_state)


def forget(which: Collection[str]) -> None:
    """Remove pictures and downloads of these tabs from memory; end those that no browser is connected to any more.

    A connected tab is served its pictures again when its page is run.
    """
    runtime = _served()
    if runtime is None:
        return
    for tab in which:
        runtime.media_file_mgr.clear_session_refs(tab)
        if not runtime._session_mgr.is_active_session(tab):
            runtime.mark_session_nonresumable(tab)
            runtime._close_inactive_session_on_event_loop(tab)
    for _ in range(2):  # a download is only marked at the first call
        runtime.media_file_mgr.remove_orphaned_files()


def forget_upload(file_id: str) -> None:
    """Remove the bytes of a file that was uploaded in this tab: Streamlit keeps them until the tab is closed."""
    runtime = _served()
    manager = runtime.uploaded_file_mgr if runtime else None
    if isinstance(manager, MemoryUploadedFileManager):
        manager.remove_file(here(), file_id)


def _served() -> Runtime | None:
    """The runtime of a real server; None in Streamlit's own AppTest, which has an empty stand-in."""
    runtime = Runtime.instance() if Runtime.exists() else None
    return runtime if hasattr(runtime, "_session_mgr") else None
