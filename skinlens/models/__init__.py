"""The student, the teacher, and the int8 engine that serves."""
