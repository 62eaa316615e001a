"""Tests of batches; those on a Ray cluster are left out where the extra ``ray`` is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["test_on_ray.py"]
