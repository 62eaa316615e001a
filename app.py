"""The app's router. Streamlit's server imports it and finds the guarded app; for each session it is run as a script."""

import streamlit as st

from skinlens.ui.shell import guard

if __name__ == "__main__":
    from skinlens.ui.shell import frame

    guard.must_stand()
    st.set_page_config(page_title="SkinLens", page_icon=frame.MARK, layout="wide", menu_items=frame.MENU)
    pages = [
        st.Page("pages/worklist.py", title="Worklist", default=True),
        st.Page("pages/patients.py", title="Patients"),
        st.Page("pages/visit.py", title="Visit"),
        st.Page("pages/performance.py", title="Performance"),
        st.Page("pages/help.py", title="Help"),
        st.Page("pages/settings.py", title="Settings"),
    ]
    frame.run(st.navigation(pages, position="top"), pages)
else:
    app = st.App(__file__, middleware=guard.MIDDLEWARE, routes=guard.ROUTES, lifespan=guard.lifespan)
