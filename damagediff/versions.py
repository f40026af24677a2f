"""Which versions of everything that touches pixels or the report took part in a run."""

from __future__ import annotations

import platform
from importlib import metadata

from . import __version__

DISTRIBUTIONS = (
    "affine",
    "ephem",
    "jinja2",
    "matplotlib",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "pyproj",
    "rasterio",
    "reportlab",
    "scikit-image",
    "scipy",
    "shapely",
)


def versions() -> dict[str, str]:
    """Name to version: damagediff, Python, the libraries, and the GDAL, GEOS and PROJ that they bring.

    Depends on the installation only, so two runs of one installation agree byte for byte.
    """
    import pyproj
    import rasterio
    import shapely

    found = {"damagediff": __version__, "python": platform.python_version()}
    found |= {name: _installed(name) for name in DISTRIBUTIONS}
    found["GDAL"] = str(rasterio.__gdal_version__)
    found["GEOS"] = str(shapely.geos_version_string)
    found["PROJ"] = str(pyproj.__proj_version__)
    return found


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # installed under another name, such as opencv-python
        return "not known"
