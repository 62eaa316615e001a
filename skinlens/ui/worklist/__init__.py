"""The worklist: photos that wait to be filed, and the stored visits."""
