"""The small real model on which explanations and checks are tried."""

from tests.tiny_student import *  # noqa: F403  (its fixtures)
