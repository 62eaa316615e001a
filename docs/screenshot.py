"""The picture of the README (``make screenshot``): the drawn example under “Why?”, never a patient's photo."""

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import LIMIT_S, launched, program, serving
from tests.browser.test_journey import begin, made, part, show_reading

PICTURE = Path(__file__).with_name("screenshot.png")
SIZE = {"width": 1440, "height": 900}


def main() -> None:
    path = program()
    if path is None:
        raise SystemExit("Chromium is not installed. Install Debian's chromium-headless-shell.")
    expect.set_options(timeout=LIMIT_S * 1000)
    port = free_port("127.0.0.1", 8901)
    with tempfile.TemporaryDirectory() as folder, launched(path) as browser:
        home = Path(folder) / "home"
        CaseStore(home).acknowledge_disclaimer()
        with serving(["-m", "skinlens", "serve", "--no-token", "--port", str(port)], port, home) as address:
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.set_default_timeout(LIMIT_S * 1000)
            begin(page, address)
            page.get_by_role("button", name="Try the example").first.click()
            show_reading(page)
            part(page, "Why?")
            for title in ("Grad-CAM", "Score-CAM", "LIME"):
                made(page, title)
            part(page, "Result")
            part(page, "Why?")  # with the maps there, the checks begin
            for under_way in ("not checked yet", "computing …"):
                expect(page.get_by_text(under_way)).to_have_count(0)
            page.wait_for_timeout(2000)  # the pictures are drawn in full detail
            taken = page.screenshot()
    Image.open(BytesIO(taken)).convert("RGB").save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
