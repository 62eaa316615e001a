"""The page of one visit: its photo and result, why the model says so, the comparison with other visits, the report."""
