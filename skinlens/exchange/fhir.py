"""FHIR R4: one visit as a Bundle, with the model's result marked as asserted by artificial intelligence.

The Bundle is a collection of Patient, BodyStructure, Media, Device, seven Observations (one a class), DiagnosticReport
and Provenance. It names no patient but by the pseudonym, and holds the photo's hash, not the photo, unless that is
asked for. The same visit gives the same bytes each time: identities are derived from it, and its times are its own.

References: HL7 FHIR R4 (4.0.1); AI Transparency on FHIR (labels in ``meta.security``).
"""

import base64
import hashlib
import json
import uuid
from html import escape
from io import BytesIO
from typing import Any

from PIL import Image

from skinlens.case_record import CaseRecord
from skinlens.labels import BY_CODE, DIAGNOSES, DISCLAIMER, LABELS, MELANOMA, OTHER, Label
from skinlens.records import Patient, Status
from skinlens.wording.quality import UNRELIABLE
from skinlens.wording.verdict import side_of_cutoff, verdict

Resource = dict[str, Any]

_NAMESPACE = uuid.UUID("5f0c1f1e-6d0b-5a3c-9a55-0d6a3d0f7c11")
"""Of the identities of resources; chosen once."""
_STATUS: dict[Status, str] = {"draft": "preliminary", "signed": "final", "amended": "amended"}
_AI_ASSERTED = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "AIAST",
            "display": "Artificial Intelligence asserted",
        }
    ]
}
_UCUM, _ICD10CM, _SNOMED = "http://unitsofmeasure.org", "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"


def bundle(record: CaseRecord, *, with_photo: bool = False) -> Resource:
    """The Bundle of a visit, ready for JSON.

    Args:
        with_photo: Whether Media holds the photo as PNG; not where the stored photo is lost.
    """
    return _Writer(record).bundle(with_photo=with_photo)


def to_json(content: Resource) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


class _Writer:
    """The resources of one visit, which refer to each other."""

    def __init__(self, record: CaseRecord) -> None:
        self._record, self._visit, self._model = record, record.visit, record.visit.prediction.model
        self._reliable = self._visit.quality.reliable

    def bundle(self, *, with_photo: bool) -> Resource:
        patient = self._record.case.patient
        named: dict[str, Resource] = {}
        if patient is not None:
            named["patient"] = self._patient(patient)
            if self._record.case.lesion.body_site:
                named["body-structure"] = self._body_structure()
        named |= {"media": self._media(with_photo=with_photo), "device": self._device()}
        named |= {self._observation_name(label): self._observation(label) for label in LABELS}
        named |= {"report": self._report(), "provenance": self._provenance()}
        return {
            "resourceType": "Bundle",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": self._address("bundle")},
            "type": "collection",
            "timestamp": self._visit.updated_at,
            "entry": [{"fullUrl": self._address(name), "resource": resource} for name, resource in named.items()],
        }

    # ---------------------------------------------------------------------------------------------- the resources

    def _patient(self, patient: Patient) -> Resource:
        resource: Resource = {
            "resourceType": "Patient",
            "identifier": [{"type": {"text": "Pseudonym"}, "value": patient.pseudonym}],
            "gender": patient.sex,
        }
        if patient.birth_year is not None and not patient.birth_year_is_upper_bound:  # else only a bound of it is known
            resource["birthDate"] = str(patient.birth_year)
        return resource

    def _body_structure(self) -> Resource:
        lesion = self._record.case.lesion
        described = {"description": lesion.remark} if lesion.remark else {}
        return {
            "resourceType": "BodyStructure",
            "identifier": [{"type": {"text": "Lesion"}, "value": str(lesion.id)}],
            "location": {"text": lesion.body_site},
            "patient": self._reference("patient"),
            **described,
        }

    def _media(self, *, with_photo: bool) -> Resource:
        photo = self._record.photo
        attachment: Resource = {"contentType": "image/png", "title": f"Dermoscopic photo of case {self._visit.id}"}
        if with_photo and not photo.placeholder:
            picture = BytesIO()
            Image.fromarray(photo.pixels).save(picture, "PNG", compress_level=6)
            data = picture.getvalue()
            digest = hashlib.sha1(data, usedforsecurity=False).digest()  # which the standard asks for
            attachment |= {"data": _base64(data), "size": len(data), "hash": _base64(digest)}
        return {
            "resourceType": "Media",
            "identifier": [
                {
                    "type": {"text": "SHA-256 of width, height and pixels, as SkinLens computes it"},
                    "value": self._visit.photo_sha256,
                }
            ],
            "status": "completed",
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/media-type", "code": "image"}]},
            "modality": {"text": "Dermoscopy"},
            **self._of_patient(),
            "createdDateTime": self._visit.taken_on,
            **self._body_site(),
            "height": photo.height_px,
            "width": photo.width_px,
            "content": attachment,
        }

    def _device(self) -> Resource:
        return {
            "resourceType": "Device",
            "identifier": [{"type": {"text": "SHA-256 of the model's network file"}, "value": self._model.sha256}],
            "deviceName": [{"name": f"SkinLens, model {self._model.name}", "type": "model-name"}],
            "type": {"text": "Software with a neural network that classifies dermoscopic photos"},
            "version": [{"type": {"text": "Model"}, "value": self._model.version}],
            "note": [{"text": DISCLAIMER}],
        }

    def _observation(self, label: Label) -> Resource:
        prediction = self._visit.prediction
        resource: Resource = {
            "resourceType": "Observation",
            "meta": _AI_ASSERTED,
            "status": "preliminary" if self._visit.status == "draft" else "final",  # an amendment leaves it as it is
            "code": {"text": f"Probability of {label.name}, by the model", "coding": _codings(label)},
            **self._of_patient(),
            "effectiveDateTime": self._visit.taken_on,
            **self._body_site(),
            "method": {"text": "Neural network on one dermoscopic photo; calibrated over seven classes"},
            "device": self._reference("device"),
            "derivedFrom": [self._reference("media")],
            "note": [{"text": DISCLAIMER}],
        }
        if not resource["code"]["coding"]:
            del resource["code"]["coding"]
        if not self._reliable:
            resource["dataAbsentReason"] = {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}],
                "text": UNRELIABLE,
            }
            return resource
        resource["valueQuantity"] = {"value": prediction.prob(label.code), "system": _UCUM, "code": "1"}
        if label.code == MELANOMA:
            side = side_of_cutoff(above=prediction.above_melanoma_threshold)
            resource["interpretation"] = [{"text": side}]
            resource["referenceRange"] = [
                {
                    "high": {"value": prediction.melanoma_threshold.value, "system": _UCUM, "code": "1"},
                    "text": f"Melanoma cut-off: suspicious from there on; chosen on "
                    f"{prediction.melanoma_threshold.chosen_on}",
                }
            ]
        return resource

    def _report(self) -> Resource:
        visit = self._visit
        said = [DISCLAIMER, *verdict(visit.quality, visit.prediction)]
        narrative = "".join(f"<p>{escape(_one_line(sentence))}</p>" for sentence in said)
        resource: Resource = {
            "resourceType": "DiagnosticReport",
            "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{narrative}</div>'},
            "identifier": [{"type": {"text": "Case"}, "value": str(visit.id)}],
            "status": _STATUS[visit.status],
            "category": [{"text": "Dermatology"}],
            "code": {"text": "Dermoscopy of one lesion, with the result of an image classifier"},
            **self._of_patient(),
            "effectiveDateTime": visit.taken_on,
            "issued": visit.updated_at,
            "result": [self._reference(self._observation_name(label)) for label in LABELS],
            "media": [{"link": self._reference("media")}],
        }
        if visit.signed_by:
            resource["resultsInterpreter"] = [{"display": visit.signed_by}]
        named = DIAGNOSES[visit.clinician_label] if visit.clinician_label not in (None, OTHER) else ""
        if words := ": ".join(filter(None, (named, _one_line(visit.clinician_diagnosis)))):
            resource["conclusion"] = f"Clinician's diagnosis: {words}"
        if visit.clinician_label in BY_CODE and (codings := _codings(BY_CODE[visit.clinician_label])):
            resource["conclusionCode"] = [{"coding": codings, "text": BY_CODE[visit.clinician_label].name}]
        return resource

    def _provenance(self) -> Resource:
        return {
            "resourceType": "Provenance",
            "meta": _AI_ASSERTED,
            "target": [self._reference(self._observation_name(label)) for label in LABELS],
            "recorded": self._visit.created_at,
            "activity": {"text": "Classification of a photo by a neural network"},
            "agent": [
                {
                    "type": {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                                "code": "performer",
                            }
                        ],
                        "text": f"Model {self._model.name} {self._model.version}, SHA-256 {self._model.sha256}",
                    },
                    "who": self._reference("device"),
                }
            ],
            "entity": [{"role": "source", "what": self._reference("media")}],
        }

    # --------------------------------------------------------------------------------------- what they have in common

    def _address(self, name: str) -> str:
        visit = self._visit
        return uuid.uuid5(_NAMESPACE, f"{visit.id} {visit.created_at} {visit.photo_sha256} {name}").urn

    def _reference(self, name: str) -> Resource:
        return {"reference": self._address(name)}

    def _of_patient(self) -> Resource:
        return {} if self._record.case.patient is None else {"subject": self._reference("patient")}

    def _body_site(self) -> Resource:
        site = self._record.case.lesion.body_site
        return {"bodySite": {"text": site}} if site else {}

    @staticmethod
    def _observation_name(label: Label) -> str:
        return f"probability-{label.code}"


def _codings(label: Label) -> list[Resource]:
    """The class in the standards, as far as a code is verified."""
    known = ((_ICD10CM, label.icd10cm), (_SNOMED, label.snomed_ct))
    return [{"system": system, "code": code} for system, code in known if code]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _one_line(text: str) -> str:
    return " ".join(text.split())
