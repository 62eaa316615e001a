"""Headers of every answer: what a browser may do with it, and where it may be kept."""

from skinlens.ui.state import access

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",  # as Streamlit and Plotly are built
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_UNUSED = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone")
_HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # an address names the open case
    "permissions-policy": ", ".join(f"{name}=()" for name in (*_UNUSED, "midi", "payment", "serial", "usb")),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
A_YEAR_S = 31_536_000


def of_every_answer() -> dict[str, str]:
    """Headers of every answer; behind a proxy with TLS they also tell the browser never to come without."""
    if access.public() is None:
        return dict(_HEADERS)
    return _HEADERS | {"strict-transport-security": f"max-age={A_YEAR_S}"}


def of_own_page(style_sha256: str) -> dict[str, str]:
    """Headers of a page without scripts and pictures, whose one style has that hash (base64).

    Its referrer stays within SkinLens: with none at all, a browser would not name the page that a form is sent from.
    """
    policy = f"default-src 'none'; style-src 'sha256-{style_sha256}'; base-uri 'none'; form-action 'self'; "
    return of_every_answer() | {
        "content-security-policy": f"{policy}frame-ancestors 'none'",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
