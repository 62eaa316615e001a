"""Behind a real nginx with TLS, below a path, by the delivered example: sign in, 25 MB up, websocket, headers."""

import io
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from skinlens.accounts import Accounts
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import LIMIT_S, ROOT, serving
from tests.browser.signing_in import PASSWORDS, ROLES, UPGRADE, ask, cookie_header, origin, post_form, signed_in
from tests.browser.test_journey import chromium

EXAMPLE = ROOT / "deploy" / "nginx.conf"
NAME = "clinic.example"
MAIN = """
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/skinlens.conf;
}}
"""


@dataclass(frozen=True)
class Proxied:
    address: str
    home: Path
    folder: Path


@pytest.fixture(scope="module")
def proxied(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """The app behind nginx, which has the delivered example with ports and certificate of the test's own."""
    nginx, openssl = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("openssl")
    if not Path(nginx).is_file() or openssl is None:
        pytest.skip("nginx or openssl is not installed: this test needs a real proxy (Debian's nginx and openssl)")
    folder = tmp_path_factory.mktemp("proxied")
    home = folder / "home"
    CaseStore(home).acknowledge_disclaimer()
    for name, password in PASSWORDS.items():
        Accounts(home).add(name, ROLES[name], password)  # type: ignore[arg-type]
    first = int(os.environ.get("SKINLENS_TEST_PORT", "8601"))
    port = free_port("127.0.0.1", first)
    tls = free_port("127.0.0.1", port + 1)
    plain = free_port("127.0.0.1", tls + 1)
    certificate = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*certificate, *files], check=True, capture_output=True, timeout=60)
    text = EXAMPLE.read_text(encoding="utf-8")
    for before, after in {
        "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "/etc/ssl/certs/clinic.example.pem": str(folder / "cert.pem"),
        "/etc/ssl/private/clinic.example.key": str(folder / "key.pem"),
        "http://127.0.0.1:8501": f"http://127.0.0.1:{port}",
    }.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "skinlens.conf").write_text(text, encoding="utf-8")
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""), encoding="utf-8")
    address = f"https://{NAME}:{tls}/skinlens"
    arguments = ["-m", "skinlens", "app", "--port", str(port), "--behind-proxy", address]
    with serving(arguments, port, home, release), (folder / "log").open("wb") as log:
        proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", str(main)], stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_it_listens(tls, proxy)
            yield Proxied(address, home, folder)
        finally:
            proxy.terminate()
            proxy.wait(60)


def wait_until_it_listens(port: int, proxy: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert proxy.poll() is None, "nginx ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx did not answer")


@pytest.fixture(scope="module")
def page(proxied: Proxied) -> Iterator[Page]:
    with chromium(f"--host-resolver-rules=MAP {NAME} 127.0.0.1", "--ignore-certificate-errors") as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(LIMIT_S * 1000)
        yield page


def large_photo() -> bytes:
    """A drawn lesion as a PNG that is not compressed, of 24 to 25 MB."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(Image.fromarray(draw_synthetic_lesion(1)).resize((3240, 2540)))).save(
        file, "PNG", compress_level=0
    )
    assert 24_000_000 < len(file.getvalue()) < 25_000_000
    return file.getvalue()


def test_who_has_not_signed_in_gets_no_further(proxied: Proxied) -> None:
    answer = ask(proxied.address, "/visit?case=1", headers={"Accept": "text/html"})
    assert answer.status == 303
    assert answer.headers["Location"] == "/skinlens/skinlens/login?next=%2Fskinlens%2Fvisit%3Fcase%3D1"
    assert ask(proxied.address, "/_stcore/health").status == 401
    assert ask(proxied.address, "", headers={"Accept": "text/html"}).headers["Location"].endswith("/skinlens/")


def test_cookies_are_for_tls_and_the_path_alone(proxied: Proxied) -> None:
    answer = post_form(proxied.address, "Ada", PASSWORDS["Ada"], to="/skinlens/settings")
    assert (answer.status, answer.headers["Location"]) == (303, "/skinlens/settings")
    form = r"__Secure-skinlens=[\w-]{43}; Path=/skinlens; HttpOnly; SameSite=Strict; Secure"
    assert re.fullmatch(form, answer.cookie_lines[0])
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    cookie = {"Cookie": cookie_header(signed_in(proxied.address, "Ada"))}
    page = ask(proxied.address, "/", headers=cookie)
    assert page.status == 200
    assert all("; Secure" in line and "SameSite=Strict" in line for line in page.cookie_lines)


def test_it_leads_nowhere_beyond_its_path(proxied: Proxied) -> None:
    for to in ("/", "/visit", "https://evil.example", "/skinlens/../other", "//evil.example/skinlens/"):
        answer = post_form(proxied.address, "Rita", PASSWORDS["Rita"], to=to)
        assert (answer.status, answer.headers["Location"]) == (303, "/skinlens/")


def test_the_address_of_a_client_is_the_proxys_word_not_the_clients(proxied: Proxied) -> None:
    post_form(proxied.address, "Ada", PASSWORDS["Ada"], headers={"X-Forwarded-For": "203.0.113.9"})
    assert {device.address for device in Accounts(proxied.home).devices("Ada")} == {"127.0.0.1"}


@pytest.mark.parametrize("other", ["http://{host}", "https://evil.example", "null", "https://clinic.example"])
def test_a_websocket_is_for_the_public_address_alone(proxied: Proxied, other: str) -> None:
    host = origin(proxied.address).removeprefix("https://")
    headers = {**UPGRADE, "Cookie": cookie_header(signed_in(proxied.address, "Rita"))}
    refused = ask(proxied.address, "/_stcore/stream", headers={**headers, "Origin": other.format(host=host)})
    assert refused.status == 403
    assert ask(proxied.address, "/_stcore/stream", headers={**headers, "Origin": f"https://{host}"}).status == 101


def test_another_name_is_refused(proxied: Proxied) -> None:
    assert ask(proxied.address, "/", headers={"Host": "evil.example"}).status == 403


def test_a_photo_of_25_mb_goes_through_and_lies_on_no_disk_of_the_proxy(page: Page, proxied: Proxied) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Policy" in message.text else None)
    page.goto(f"{proxied.address}/visit")
    page.get_by_label("Name").fill("Rita")
    page.get_by_label("Password").fill(PASSWORDS["Rita"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Rita")).to_be_visible()
    photo = {"name": "photo.png", "mimeType": "image/png", "buffer": large_photo()}
    page.locator("input[type=file]").set_input_files(photo)  # type: ignore[arg-type]
    expect(page.get_by_role("button", name="Show result")).to_be_visible()
    assert page.url.startswith(f"{proxied.address}/visit?")
    assert [path for path in proxied.folder.glob("body/**/*") if path.is_file()] == []
    assert "buffered to a temporary file" not in (proxied.folder / "error.log").read_text()
    assert said == []
