"""Tab without a browser: it asks the app's server for all that Streamlit's front end asks for, and draws nothing.

The messages are those of Streamlit's own protocol (``streamlit.proto``), and the rules those of its front end: values
of all fields on the page go with each request; large messages are kept and named by their hash; a part of the page that
is to be run again is asked for at the interval that the server gave, until the page is run anew; what a run of the page
did not draw is dropped. The program's own scripts and fonts are not fetched: a browser has them from its last visit.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

T = TypeVar("T")
XSRF = "_streamlit_xsrf"
TAG = re.compile(r"<[^>]*>")


class AppError(Exception):
    """The app showed an error, or did not answer."""


class Drawn(NamedTuple):
    """An element on the page, and the run of the page that drew it last."""

    delta: Delta
    run: str


class Tab:
    """A page that is open. Not thread-safe: all in one event loop."""

    def __init__(self, http: httpx.AsyncClient, stream: ClientConnection, url: str) -> None:
        self._http, self._stream, self._url = http, stream, url
        self.elements: dict[tuple[int, ...], Drawn] = {}
        self.running = True
        self.sent = self.received = self.received_bytes = 0
        """Messages to and from the server."""
        self._session = self._page = self._query = self._run = ""
        self._fragments: tuple[str, ...] = ()
        self._states: dict[str, WidgetState] = {}
        self._kept: dict[str, tuple[ForwardMsg, int]] = {}
        self._runs, self._oldest = 0, 2
        self._again: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._asked: str | None = None
        """The part of the page that was asked for and is not begun; empty: the page."""
        self._urls: Any = None
        self._changed = asyncio.Event()
        self._problem: BaseException | None = None
        self._listening = asyncio.create_task(self._listen())

    # ------------------------------------------------------------------------------------------------ what is shown

    def shown(self, kind: str) -> Iterator[tuple[Any, Delta]]:
        """Elements of this kind, as the field of ``Element`` is called, with the delta that each came in."""
        for drawn in list(self.elements.values()):
            if drawn.delta.WhichOneof("type") == "new_element" and drawn.delta.new_element.WhichOneof("type") == kind:
                yield getattr(drawn.delta.new_element, kind), drawn.delta

    def texts(self) -> Iterator[str]:
        """All text and markup of the page."""
        for kind in ("html", "markdown", "heading", "alert"):
            for element, _ in self.shown(kind):
                yield str(element.body)

    def says(self, pattern: str) -> re.Match[str] | None:
        """The first text that this is found in, without its markup."""
        return next((match for text in self.texts() if (match := re.search(pattern, TAG.sub("", text)))), None)

    def components(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Data of the app's own components of that name."""
        for element, _ in self.shown("bidi_component"):
            if element.component_name.rpartition(".")[2] == name:
                yield json.loads(element.mixed.json if element.WhichOneof("data") == "mixed" else element.json)

    def labeled(self, kind: str, label: str) -> tuple[Any, Delta] | None:
        """The field or button with this label."""
        return next(((element, delta) for element, delta in self.shown(kind) if element.label == label), None)

    async def until(self, look: Callable[[], T | None], what: str, limit_s: float) -> T:
        """Result of ``look``, once neither None nor False. Raises AppError: an error is shown, or time is up."""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    if self._problem is not None:
                        raise self._problem
                    if wrong := self._wrong():
                        raise AppError(f"{wrong} (waiting for {what})")
                    found = look()
                    if found is not None and found is not False:
                        return found
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AppError(f"{what}: not there after {limit_s:.0f} s") from None

    async def settled(self, limit_s: float) -> None:
        """Wait until no run of the page is under way."""
        await self.until(lambda: not self.running, "the end of the run", limit_s)

    def _wrong(self) -> str:
        for element, _ in self.shown("exception"):
            return f"{element.type}: {element.message}"
        for element, _ in self.shown("alert"):
            if element.format == element.ERROR:
                return str(element.body)
        return ""

    # ------------------------------------------------------------------------------------------------- what is done

    async def press(self, label: str) -> None:
        """Press the button with this label."""
        button, delta = self._there("button", label)
        await self.rerun(delta.fragment_id, WidgetState(id=button.id, trigger_value=True))

    async def fill(self, kind: str, label: str, text: str) -> None:
        """Put a text into a field, or choose it, and leave the field."""
        field, delta = self._there(kind, label)
        self._states[field.id] = WidgetState(id=field.id, string_value=text)
        await self.rerun(delta.fragment_id)

    async def turn_to(self, title: str) -> None:
        """Choose one of the page's tabs."""
        for drawn in self.elements.values():
            container = drawn.delta.add_block.tab_container
            if drawn.delta.WhichOneof("type") == "add_block" and container.id:
                self._states[container.id] = WidgetState(id=container.id, string_value=title)
                await self.rerun(drawn.delta.fragment_id)
                return
        raise AppError("no tabs on the page")

    async def upload(self, name: str, content: bytes, limit_s: float) -> None:
        """Choose a file for the page's upload field: its address is asked for, the file sent, the page run."""
        field, delta = next(self.shown("file_uploader"))
        asked = BackMsg()
        asked.file_urls_request.request_id = "1"
        asked.file_urls_request.file_names.append(name)
        asked.file_urls_request.session_id = self._session
        self._urls = None
        await self._send(asked)
        urls = await self.until(lambda: self._urls, "an address for the file", limit_s)
        answer = await self._http.put(
            urls.upload_url,
            files={"file": (name, content, "image/jpeg")},
            headers={"X-Xsrftoken": self._http.cookies.get(XSRF) or "", "Origin": _origin(self._url)},
        )
        if answer.status_code != 204:
            raise AppError(f"the upload was answered {answer.status_code}")
        state = WidgetState(id=field.id)
        info = state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(content), file_id=urls.file_id
        )
        info.file_urls.CopyFrom(urls)
        self._states[field.id] = state
        await self.rerun(delta.fragment_id)

    async def rerun(self, fragment: str = "", *pressed: WidgetState, automatic: bool = False) -> None:
        """Ask for a run of the page, or of a part of it."""
        asked = BackMsg()
        script = asked.rerun_script
        script.query_string, script.page_script_hash, script.fragment_id = self._query, self._page, fragment
        script.page_name = "" if self._page else urlsplit(self._url).path.strip("/")
        script.is_auto_rerun = automatic
        script.widget_states.widgets.extend([*self._states.values(), *pressed])
        script.cached_message_hashes.extend(self._kept)
        script.context_info.timezone, script.context_info.locale = "UTC", "en-US"
        script.context_info.url, script.context_info.color_scheme = self._url, "light"
        if not automatic:
            self.running, self._asked = True, fragment
        await self._send(asked)

    def _there(self, kind: str, label: str) -> tuple[Any, Delta]:
        there = self.labeled(kind, label)
        if there is None:
            raise AppError(f"there is no {kind} “{label}”")
        return there

    async def _send(self, message: BackMsg) -> None:
        self.sent += 1
        await self._stream.send(message.SerializeToString())

    # -------------------------------------------------------------------------------------------------- what is told

    async def _listen(self) -> None:
        try:
            async for received in self._stream:
                message = ForwardMsg()
                message.ParseFromString(received)
                self.received += 1
                self.received_bytes += len(received)
                await self._told(self._whole(message))
                self._changed.set()
            raise AppError("the server closed the connection")
        except Exception as problem:  # noqa: BLE001  told to who waits
            self._problem = problem
            self._changed.set()

    def _whole(self, message: ForwardMsg) -> ForwardMsg:
        """The message itself; of one that only names an earlier one, that one in this one's place."""
        if message.WhichOneof("type") == "ref_hash":
            if message.ref_hash not in self._kept:
                raise AppError("the server names a message that it has not sent")
            whole = ForwardMsg()
            whole.CopyFrom(self._kept[message.ref_hash][0])
            whole.metadata.CopyFrom(message.metadata)
            self._kept[message.ref_hash] = whole, self._runs
            return whole
        if message.metadata.cacheable:
            self._kept[message.hash] = message, self._runs
        return message

    async def _told(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._begun(message)
            case "delta":
                self._draw(tuple(message.metadata.delta_path), message.delta)
                await self._fetch(message.delta)
            case "navigation":
                self._page = message.navigation.page_script_hash
            case "script_finished":
                self._ended(message)
            case "session_status_changed" if self._asked is None:
                self.running = message.session_status_changed.script_is_running
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "file_urls_response":
                (self._urls,) = message.file_urls_response.file_urls
            case "auto_rerun":
                self._ask_again(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._stop(fragment)

    def _begun(self, message: ForwardMsg) -> None:
        run, begun = message.metadata.run, message.new_session
        self._run, self._fragments = run.script_run_id, tuple(run.fragment_ids)
        if self._asked is not None and (not self._fragments or self._asked in self._fragments):
            self._asked = None
        self._session, self._page = begun.initialize.session_id, begun.page_script_hash
        self._oldest = begun.config.max_cached_message_age or self._oldest
        if not self._fragments:
            for fragment in list(self._again):
                self._stop(fragment)

    def _draw(self, path: tuple[int, ...], delta: Delta) -> None:
        self.elements[path] = Drawn(delta, self._run)
        if delta.WhichOneof("type") == "new_element":
            kind = delta.new_element.WhichOneof("type")
            element = getattr(delta.new_element, str(kind))
            if str(kind) in VALUES and (element.set_value or element.id not in self._states):
                self._states[element.id] = VALUES[str(kind)](element)

    async def _fetch(self, delta: Delta) -> None:
        """Pictures by their address, as a browser shows them."""
        for picture in delta.new_element.imgs.imgs:
            if picture.url.startswith("/media/"):
                (await self._http.get(picture.url)).raise_for_status()

    def _ended(self, message: ForwardMsg) -> None:
        """Drop what the run did not draw again, in the page or in its part, unless another has begun meanwhile."""
        run = message.metadata.run
        early = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
        if early or (not run.fragment_ids and run.script_run_id != self._run):
            return
        for path, drawn in list(self.elements.items()):
            concerned = not run.fragment_ids or drawn.delta.fragment_id in run.fragment_ids
            if concerned and drawn.run != run.script_run_id:
                del self.elements[path]
        there = {getattr(one.delta.new_element, str(one.delta.new_element.WhichOneof("type"))).id
                 for one in self.elements.values()
                 if one.delta.new_element.WhichOneof("type") in {*VALUES, "file_uploader"}}  # fmt: skip
        there |= {one.delta.add_block.tab_container.id for one in self.elements.values()}
        self._states = {name: state for name, state in self._states.items() if name in there}
        self._runs += 1
        self._kept = {name: kept for name, kept in self._kept.items() if self._runs - kept[1] <= self._oldest}

    def _ask_again(self, fragment: str, interval_s: float) -> None:
        if fragment in self._again and self._again[fragment][0] == interval_s:
            return
        self._stop(fragment)

        async def again() -> None:
            while True:
                await asyncio.sleep(interval_s)
                await self.rerun(fragment, automatic=True)

        self._again[fragment] = interval_s, asyncio.create_task(again())

    def _stop(self, fragment: str) -> None:
        if fragment in self._again:
            self._again.pop(fragment)[1].cancel()

    async def close(self) -> None:
        """Say goodbye, as a browser does for a tab that is closed."""
        for fragment in list(self._again):
            self._stop(fragment)
        self._listening.cancel()
        await self._stream.close(1001)


def _text(field: Any) -> WidgetState:
    return WidgetState(id=field.id, string_value=field.value if field.set_value else field.default)


def _choice(field: Any) -> WidgetState:
    if field.set_value:
        return WidgetState(id=field.id, string_value=field.raw_value) if field.raw_value else WidgetState(id=field.id)
    if field.HasField("default"):
        return WidgetState(id=field.id, string_value=field.options[field.default])
    return WidgetState(id=field.id)


def _choices(field: Any) -> WidgetState:
    state = WidgetState(id=field.id)
    chosen = field.raw_values if field.set_value else [field.options[place].content for place in field.default]
    state.string_array_value.data.extend(chosen)
    return state


def _switch(field: Any) -> WidgetState:
    return WidgetState(id=field.id, bool_value=field.value if field.set_value else field.default)


def _slider(field: Any) -> WidgetState:
    state = WidgetState(id=field.id)
    state.double_array_value.data.extend(field.value if field.set_value else field.default)
    return state


def _date(field: Any) -> WidgetState:
    state = WidgetState(id=field.id)
    state.string_array_value.data.extend(field.value if field.set_value else field.default)
    return state


VALUES: Mapping[str, Callable[[Any], WidgetState]] = {
    "text_input": _text,
    "text_area": _text,
    "selectbox": _choice,
    "button_group": _choices,
    "checkbox": _switch,
    "slider": _slider,
    "date_input": _date,
}
"""What each kind of field holds when it is drawn first, or when the page sets it."""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@asynccontextmanager
async def opened(url: str, path: str, limit_s: float) -> AsyncIterator[Tab]:
    """A tab that nobody has used before, at ``path``; ``url``: as the app prints it, with its token if it has one."""
    origin = _origin(url)
    async with httpx.AsyncClient(base_url=origin, timeout=limit_s, follow_redirects=True, trust_env=False) as http:
        (await http.get(url)).raise_for_status()  # the token becomes a cookie
        for asked in (path, "/skinlens/connection.js", "/_stcore/health", "/_stcore/host-config"):
            (await http.get(asked)).raise_for_status()
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in http.cookies.jar)
        protocols = [Subprotocol(name) for name in ("streamlit", http.cookies.get(XSRF) or "none")]
        where = f"{origin.replace('http', 'ws', 1)}/_stcore/stream"
        stream = await connect(
            where,
            origin=Origin(origin),
            additional_headers={"Cookie": cookies},
            subprotocols=protocols,
            proxy=None,
            max_size=None,
            open_timeout=limit_s,
            ping_interval=None,
        )
        tab = Tab(http, stream, f"{origin}{path}")
        try:
            await tab.rerun()
            yield tab
        finally:
            await tab.close()
