"""Help: a tour of two minutes with the drawn lesion, what the terms mean, and the keys."""

from collections.abc import Mapping

import streamlit as st

from skinlens.labels import DISCLAIMER
from skinlens.ui.components import shortcuts, upload, widgets
from skinlens.ui.shell import frame
from skinlens.ui.shell.frame import CONDITIONS

TOUR = (
    "Press “Try the example”: a lesion drawn by the program is read, synthetic and no patient.",
    "Choose an impression and press “Show result”. The first line says whether melanoma is suspected, and at which "
    "cut-off; below it stand the most probable classes and what cannot be ruled out.",
    "Press 1, 2 and 3: the maps of Grad-CAM, Score-CAM and LIME lie over the photo; 0 takes them away.",
    "Turn to “Why?”: photo and maps side by side, and one line on whether they can be trusted.",
    "Back under “Result”, choose “No patient”, type a body site and press “Save case”.",
    "Choose your diagnosis and press “Save and sign”. “Report” has the PDF; “More” has the audit log, and erases.",
    "The Worklist holds the case. Drop many photos there at once to file them together.",
)
TERMS: Mapping[str, str] = {
    "Cut-off": "Probability from which melanoma is called suspicious. It was chosen on validation photos so that at "
    "least 9 of 10 melanomas lie above it; harmless lesions lie above it too.",
    "Cannot be ruled out": "The classes of which one is the true diagnosis in 9 of 10 comparable photos (conformal "
    "prediction). Many classes on the list: the model is unsure.",
    "Unfamiliar image": "The photo differs from all that the model was trained on. Its result then means nothing.",
    "Grad-CAM": "Map of the patterns inside the network that raised the score of a class.",
    "Score-CAM": "Map of what must stay visible for the score to stay high; found by covering the rest.",
    "LIME": "Map of the areas whose masking lowers the score most; found on many masked copies.",
    "Compare with": "The maps then show what speaks for one class and not for the other: what tells the two apart.",
    "Sensitivity, specificity": "Share of the melanomas above the cut-off; share of the other lesions below it.",
    "Predictive values": "Share of true melanomas among the flagged lesions, and of other lesions among the rest. They "
    "depend on how frequent melanomas are among your patients.",
    "Calibration": "Whether of photos read with 70 %, about 70 of 100 are right.",
    "ABCD rule, TDS": "Asymmetry, border, colors and structures counted by the clinician; from 4.75 suspicious, above "
    "5.45 highly suspicious of melanoma.",
    "7-point checklist": "Seven dermoscopic criteria with points; suspicious from 3 points (1998) or from 1 (2011).",
    "Field of view": "Width of the skin that the photo shows, from its left edge to its right one: as the maker of the "
    "dermatoscope gives it, or as a ruler in the photo shows. Enter it under “Size”, and lengths are in millimeters, "
    "or in inches where the settings say so.",
    "Draft, signed, amended": "A signed case is final: it has your diagnosis and is signed once. A later change is an "
    "amendment; the audit log has who made it and what was changed.",
}


CARE = (
    "**Settings** has your clinic, the names of who signs, what a visit shows at first, and how to switch to dark.",
    "**Back up** on the same page, best onto another disk: all cases, photos and settings as one verified ZIP.",
    "To **restore** a backup, stop SkinLens and type `python -m skinlens restore FILE.zip`.",
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
        st.caption("They do nothing while you type in a field, and can be turned off in the list behind “Keyboard”.")
        st.header("Settings and backup")
        st.markdown("\n".join(f"- {sentence}" for sentence in CARE))
        st.page_link("pages/settings.py", label="Settings")
    st.header("Terms")
    widgets.table(("Term", "Meaning"), TERMS.items())
