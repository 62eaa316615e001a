"""Follow-up: two visits of one lesion, registered and compared.

::

    Photo × 2, Outline × 2 ─ registration.register ─ Registration ─ registration.aligned_picture (for swipe and blink)
                                        └─ change.compare ─ Change ─ words.change_words
    Visit × n ─ trend.melanoma_trend ─ MelanomaTrend ─ words.trend_words
"""
