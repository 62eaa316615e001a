"""A filing that an end of the app cut short: what is noted of it says how far it came, and names nobody."""


def test_a_filing_that_was_not_finished_says_which_cases_it_made(store, save):
    earlier = save(1).visit.id
    store.note_filing("a", 12, [])
    first = save(2).visit.id
    store.note_filing("a", 12, [first])
    (found,) = store.unfinished_filings()
    assert (found.token, found.total, found.visit_ids) == ("a", 12, (first,))
    between = save(3).visit.id  # it was stored, and the app ended before that was noted
    assert store.unfinished_filings()[0].visit_ids == (first, between)
    assert earlier not in store.unfinished_filings()[0].visit_ids
    store.delete_visit(first)
    assert store.unfinished_filings()[0].visit_ids == (between,)


def test_a_filing_under_way_or_over_is_not_unfinished(store):
    store.note_filing("a", 2, [])
    store.note_filing("b", 3, [])
    assert [one.token for one in store.unfinished_filings({"a"})] == ["b"]
    store.filing_is_over("b")
    store.filing_is_over("b")
    assert [one.token for one in store.unfinished_filings()] == ["a"]
