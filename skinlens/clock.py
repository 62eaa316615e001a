"""Times as the clinic reads them: stored in UTC, shown in the local time of the computer that SkinLens runs on."""

from datetime import UTC, date, datetime

FIRST_YEAR = 1900
"""Of births and of photos: an earlier one is a slip of the keyboard."""
FIRST_BIRTH_YEAR = FIRST_YEAR - 20
"""Of a patient who can have been photographed then."""


def today() -> date:
    """Date of today by the clinic's own calendar."""
    return datetime.now().astimezone().date()


def utc_now() -> str:
    """The present moment in UTC, to the second, as ISO 8601: what is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def local_day(at: str) -> str:
    """The clinic's ISO date of a stored time; a date without a time stays what it is."""
    return at if len(at) <= len("2026-01-31") else _local(at).date().isoformat()


def day_of(seconds: float) -> str:
    """The clinic's ISO date of a moment in seconds since 1970."""
    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()


def local_minute(at: str) -> str:
    """The clinic's date and time to the minute, by its own clock: 2026-01-31 09:05."""
    return at if len(at) <= len("2026-01-31") else f"{_local(at):%Y-%m-%d %H:%M}"


def local_second(at: str) -> str:
    """The clinic's date and time to the second, by its own clock: 2026-01-31 09:05:07."""
    return at if len(at) <= len("2026-01-31") else f"{_local(at):%Y-%m-%d %H:%M:%S}"


def _local(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone()
