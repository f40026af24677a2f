"""What a result may depend on besides files, settings and versions: the kind of machine, not its name."""

from __future__ import annotations

import platform
from typing import Any


def describe() -> dict[str, Any]:
    """System, kind of machine, and the processor's features that numerical libraries choose their code by."""
    import cv2

    found = cv2.getCPUFeaturesLine().replace("*", "").split()
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu_features": sorted(name for name in found if not name.endswith("?")),
    }
