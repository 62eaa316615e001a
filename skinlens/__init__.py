"""SkinLens: a dermoscopic photo's journey from bytes to a report.

::

    bytes ─ intake ─ Photo ─ quality ─ QualityReport
                       └─── preprocess ─ models.engine (int8) ─ predict ─ Prediction
                                             └─ explain ─ Explanation × 3
    pipeline ties them; store keeps the case; report prints it; ui and pages show it.
    distill trains the student, evaluate measures it; the app imports neither.

Research and education software. Not a medical device. Not for diagnosis or treatment decisions.
"""

__version__ = "0.3.0"
