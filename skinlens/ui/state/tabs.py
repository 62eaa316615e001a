"""The browser tabs that this server serves: run their pages again, and let go of the files held in memory for them.

Streamlit has no public call for this. Everything that reaches into its runtime stands here, and the browser tests of
the erasure fail when Streamlit changes it.
"""

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Collection
from contextvars import ContextVar

from streamlit.runtime import Runtime
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

CLOSED_S = 30.0
"""After a tab was closed until its memory is given back. To reload a page is to close its tab and to open another."""
CUT_OFF_S = 3600.0
"""After a tab was cut off: a laptop that slept over lunch finds its open case again."""
CUT_OFF_BYTES = 400_000_000
"""What all tabs that are cut off may hold together; the one that was cut off first is let go of first."""
CLOSED: ContextVar[bool] = ContextVar("closed", default=False)
"""Whether the browser has said goodbye on the connection that this task serves; the guard hears it."""
_CUT_OFF: OrderedDict[str, int] = OrderedDict()
_ANSWERS = ("file_urls_response", "backend_operation_response")
"""What Streamlit answers a page that asks it for something, on its own, beside what a run of the page draws."""
_clear_queue = ForwardMsgQueue.clear


def keep_answers() -> None:
    """Have Streamlit keep its answers to a page when a run of the page begins before they are sent.

    It drops them with what is left of the run before. One of them is the address for a chosen file: without it the
    page never sends the file, and says nothing.
    """
    ForwardMsgQueue.clear = _clear_but_for_answers  # type: ignore[assignment, method-assign]


def _clear_but_for_answers(
    queue: ForwardMsgQueue, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None
) -> None:
    whole_run = retain_lifecycle_msgs and fragment_ids_this_run is None
    answers = [message for message in queue._queue if whole_run and message.WhichOneof("type") in _ANSWERS]
    _clear_queue(queue, retain_lifecycle_msgs, fragment_ids_this_run)
    queue._queue[:0] = answers


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


def left(tab: str, taken_bytes: int) -> bool:
    """A tab's connection has ended: see to it that its session ends when it should. Whether the tab was closed.

    Called on the server's event loop, when Streamlit lets go of what belongs to the connection.
    """
    closed = CLOSED.get()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no server: Streamlit's own AppTest
        return closed
    if closed:
        loop.call_later(CLOSED_S, _end, tab)
        return True
    loop.call_later(CUT_OFF_S, _end, tab)
    _CUT_OFF[tab] = taken_bytes
    _CUT_OFF.move_to_end(tab)
    while len(_CUT_OFF) > 1 and sum(_CUT_OFF.values()) > CUT_OFF_BYTES:
        _end(next(iter(_CUT_OFF)))
    return False


def _end(tab: str) -> None:
    """Let go of a session, unless its tab is there again."""
    _CUT_OFF.pop(tab, None)
    runtime = _served()
    if runtime is not None and not runtime._session_mgr.is_active_session(tab):
        runtime.close_session(tab)
        gc.collect()  # a session's objects name each other, and where no page is run nothing else looks for such


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
