"""Who observed: this device (PS3.16 TID 1002, TID 1004). No person has looked."""

from __future__ import annotations

import highdicom as hd

from dicom_templates import codes
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity


def device_observer(identity: ResultIdentity) -> hd.sr.ObserverContext:
    """The node, with its UID, name, maker, model and version."""
    return hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept.from_code(codes.DEVICE),
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=identity.device_uid,
            name=identity.station,
            manufacturer_name=MANUFACTURER,
            model_name=f"{MODEL_NAME} {identity.software_version}",
            serial_number=identity.device_uid,
        ),
    )
