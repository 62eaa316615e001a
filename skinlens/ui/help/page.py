"""Help: a tour of two minutes with the drawn lesion, keys, roles, care of the data, and what the terms mean."""

from collections.abc import Mapping

import streamlit as st

from skinlens.labels import DISCLAIMER
from skinlens.roles import MEANING, ROLES
from skinlens.ui.components import shortcuts, upload, widgets
from skinlens.ui.shell import frame
from skinlens.ui.shell.frame import CONDITIONS
from skinlens.wording.naming import capital

TOUR = (
    "Press “Try the example”: it opens a drawn lesion, synthetic and not a patient.",
    "Choose an impression and press “Show result”. The first line says whether melanoma is suspected, and at which "
    "cut-off; below it stand the most probable classes and what cannot be ruled out.",
    "Press 1, 2 and 3 to lay the maps of Grad-CAM, Score-CAM and LIME over the photo; 0 removes them.",
    "Turn to “Why?”: photo and maps side by side, and one line on whether they can be trusted.",
    "Back under “Result”, choose “No patient” and a body site, and press “Save case”.",
    "Choose your diagnosis and press “Save and sign”. “Report” has the PDF; under “More” are the audit log of the "
    "case, moving and deleting it.",
    "The case is now on the Worklist. Add all photos of a visit there to file them together: each row shows its "
    "result after your impression, or after “Show result”.",
)
TERMS: Mapping[str, str] = {
    "Cut-off": "Probability from which a photo is called suspicious for melanoma. It was chosen on validation photos "
    "to catch at least 9 of 10 melanomas; some benign lesions are flagged too.",
    "Cannot be ruled out": "List of classes that contains the true diagnosis in 9 of 10 comparable photos (conformal "
    "prediction). A long list means that the model is unsure.",
    "Unfamiliar image": "The photo differs from those that the model was trained on. Its result then means nothing.",
    "Grad-CAM": "Map of the patterns inside the network that raised the score of a class.",
    "Score-CAM": "Map of what must stay visible for the score to stay high, found by masking the rest.",
    "LIME": "Map of the areas whose masking lowers the score most, found with many masked copies.",
    "Compare with": "The maps then show only what distinguishes the two classes.",
    "Sensitivity, specificity": "Share of the melanomas above the cut-off; share of the other lesions below it.",
    "Predictive values": "Share of true melanomas among the flagged lesions, and of other lesions among the rest. They "
    "depend on how frequent melanomas are among your patients.",
    "Calibration": "Whether about 70 of 100 photos that are given 70 % are right.",
    "ABCD rule, TDS": "Asymmetry, border, colors and structures counted by the clinician; from 4.75 suspicious, above "
    "5.45 highly suspicious of melanoma.",
    "7-point checklist": "Seven dermoscopic criteria with points; suspicious from 3 points (1998) or from 1 (2011).",
    "Field of view": "Width of the skin that the photo shows, from its left edge to its right one: as the maker of the "
    "dermatoscope gives it, or as a ruler in the photo shows. Enter it under “Size”, and lengths are in millimeters, "
    "or in inches where the settings say so.",
    "Draft, signed, amended": "A signed case is final: it has your diagnosis and is signed once. A later change is an "
    "amendment; the audit log has who made it and what was changed.",
}


ACCESS = (
    "On this computer alone, nobody signs in. On a network everybody signs in with a name and a password; an admin "
    "adds accounts on the computer that runs SkinLens: `skinlens user add NAME --role reviewer`.",
    "What your role does not allow is gray, and says whom to ask. Your name, your role and “Sign out” are at the top "
    "right; **Settings** lists the browsers in which you are signed in.",
    "After a time without use you are signed out. What you typed and did not save is held for an hour.",
)
CARE = (
    "**Settings** has your clinic, the names of who signs, what a visit shows at first, and how to switch to dark.",
    "**Back up** there, best onto another disk: all cases, photos and settings as one verified ZIP, encrypted if you "
    "give a passphrase. The worklist reminds you when a backup is due.",
    "To **restore** a backup, stop SkinLens and type `python -m skinlens restore FILE.zip`.",
    "The **audit log**, at the end of Settings, lists who opened, changed, signed, exported or deleted what, and when. "
    "“Verify the log” shows whether an entry was changed or removed. The log of one case is under “More”.",
    "A **batch** reads a whole folder or ZIP of photos into a table, without making cases: "
    "`skinlens batch FOLDER --out results.csv`.",
)


def page() -> None:
    frame.title("Help")
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.header("Two-minute tour")
        widgets.steps(TOUR)
        upload.example_button()
        st.header("What it is not")
        st.markdown("\n".join(f"- {sentence}" for sentence in (DISCLAIMER, *CONDITIONS)))
    with right:
        st.header("Keys")
        widgets.table(("Key", "What it does"), [(key, words) for key, _, words in shortcuts.KEYS])
        st.caption(
            "They do nothing while you type in a field or a menu is open, and can be turned off in the list behind "
            "“Keyboard”."
        )
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Signing in and roles")
        st.markdown("\n".join(f"- {sentence}" for sentence in ACCESS))
        widgets.table(("Role", "What it may do"), [(capital(role), MEANING[role]) for role in ROLES])
    with right:
        st.header("Settings, backup, audit log, batch")
        st.markdown("\n".join(f"- {sentence}" for sentence in CARE))
        st.page_link("pages/settings.py", label="Settings")
    st.header("Terms")
    widgets.table(("Term", "Meaning"), TERMS.items())
