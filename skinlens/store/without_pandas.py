"""sqlite-utils without pandas, which takes longer to load than all else that a command needs.

sqlite-utils loads it, where it is installed, only to know pandas' times as values of a column. The store keeps none.
"""

import sys

if "pandas" not in sys.modules:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # Python's sign for a package that cannot be imported
    try:
        import sqlite_utils.db  # noqa: F401
    finally:
        del sys.modules["pandas"]
