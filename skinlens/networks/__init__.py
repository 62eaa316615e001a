"""Networks in torch: the student, the teacher, a plain baseline, and their initial weights."""
