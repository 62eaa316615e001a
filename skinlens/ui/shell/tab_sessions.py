"""Streamlit's sessions, one for each tab: who may go on with one, or give it a file, is who began it.

Streamlit lets a browser that lost its connection go on with the session whose id it names, and takes uploads by that
id. An id is no secret: it stands in the addresses of uploads. So each session is bound to the account's session for
which it was begun, by the header that the guard alone writes: for anybody else, and after a new sign-in, a new one
begins.
"""

from starlette.types import Scope
from streamlit import config
from streamlit.runtime import Runtime

from skinlens.ui.state import access

_UPLOADS = "/_stcore/upload_file/"
_OPTION = "server.trustedUserHeaders"
_KEY = "skinlens_session"


def bind() -> None:
    """Have Streamlit compare the account's session before it lets a connection go on with a session of its own."""
    config.set_option(_OPTION, {access.SESSION: _KEY})


def may_reach(scope: Scope) -> bool:
    """Whether the request is for no session of a tab, or for one of the same account's session."""
    path = scope["path"].removeprefix(access.base())
    if not path.startswith(_UPLOADS) or not Runtime.exists():
        return True
    client = Runtime.instance().get_client(path.removeprefix(_UPLOADS).partition("/")[0])
    if client is None:
        return True  # Streamlit refuses it: there is no such session, or nobody is connected to it
    begun = client.client_context
    begun_by = dict(begun.headers).get(access.SESSION, "") if begun else ""
    return str(scope.get("skinlens.session", "")) == begun_by
