"""Fields that several pages share: sites, field of view, numbers, patient and lesion, signature, conflicts, filters."""
