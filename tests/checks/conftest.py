"""The small real model on which explanations are tried."""

from tests.tiny_student import (  # noqa: F401  (fixtures)
    classifier,
    float_path,
    int8_classifier,
    logits_model,
    mirror,
    photos,
    student,
)
