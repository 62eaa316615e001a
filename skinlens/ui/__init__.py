"""What the pages are made of: the only package that imports streamlit.

``session`` holds the open case, ``jobs`` computes maps in the background, ``cache`` what sessions share; ``frame``,
``widgets``, ``viewer``, ``forms``, ``archive``, ``figures`` and ``preview`` draw.
"""
