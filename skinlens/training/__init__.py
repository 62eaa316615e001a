"""Training: recipes, data, losses, the visible loop, and export to the int8 engine. The app never imports it."""

import atexit
import os
import shutil
import tempfile

if "MPLCONFIGDIR" not in os.environ:
    # matplotlib keeps a list of fonts in the user's own folders. Here it goes with the process.
    os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="skinlens-")
    atexit.register(shutil.rmtree, os.environ["MPLCONFIGDIR"], ignore_errors=True)
