"""User interface in Streamlit: the only package that imports streamlit.

One folder a page: ``worklist``, ``patients``, ``visit``, ``compare``, ``performance``, ``settings``, ``help``. What
they share: ``shell`` (frame and guard), ``state`` (open case, jobs, caches, address), ``components``, ``forms``.
"""
