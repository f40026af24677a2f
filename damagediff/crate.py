"""``ro-crate-metadata.json``: the run described for archives in RO-Crate 1.1 [1]_, from the manifest alone.

References
----------
.. [1] Soiland-Reyes et al., "Packaging research artefacts with RO-Crate", Data Science 5(2), 2022.
       :DOI:`10.3233/DS-210053`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from . import folders, json_text

FILE = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/crate/1.1"
TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".gif": "image/gif",
    ".html": "text/html",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def text(manifest: Mapping[str, Any]) -> str:
    """The crate of a run, as JSON text: the same manifest, the same bytes.

    Inputs are named and hashed and are no part of the crate: their files stay where they are.
    """
    listed = [item["name"] for item in manifest["outputs"]] + [folders.MANIFEST]
    inputs = [f"#input-{number}" for number, _ in enumerate(manifest["inputs"], start=1)]
    title = str(manifest.get("case", {}).get("title") or "") or "Comparison of two images of one place"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": "Change between two images of one place, found automatically and not verified on the "
        f"ground. Evidence id {manifest['evidence_id']}.",
        "identifier": manifest["evidence_id"],
        "datePublished": manifest["created"],
        "license": {"@id": "#licence"},
        "hasPart": [{"@id": name} for name in listed],
        "mentions": [{"@id": "#run"}],
    }
    version = str(manifest["versions"].get("damagediff", ""))
    tool = {"@id": "#damagediff", "@type": "SoftwareApplication", "name": "damagediff", "version": version}
    run = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "damagediff compare",
        "endTime": manifest["created"],
        "instrument": {"@id": "#damagediff"},
        "object": [{"@id": name} for name in inputs],
        "result": [{"@id": name} for name in listed],
    }
    licence = {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "Not stated",
        "description": "The rights to the images are their providers'; see the credits in the report.",
    }
    about = {
        "@id": FILE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": PROFILE},
    }
    parts = [*map(_file, manifest["outputs"]), _plain(folders.MANIFEST)]
    given = [_input(name, item) for name, item in zip(inputs, manifest["inputs"], strict=True)]
    graph = [about, root, run, tool, licence, *parts, *given]
    return json_text.to_json({"@context": CONTEXT, "@graph": graph})


def _plain(name: str) -> dict[str, Any]:
    kind = TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
    return {"@id": name, "@type": "File", "name": name, "encodingFormat": kind}


def _file(item: Mapping[str, Any]) -> dict[str, Any]:
    size = {"contentSize": str(item["bytes"]), "sha256": item["sha256"]}
    return _plain(item["name"]) | size


def _input(identifier: str, item: Mapping[str, Any]) -> dict[str, Any]:
    told = {"@id": identifier, "@type": "CreativeWork", "name": item["name"]}
    remote = item.get("remote")
    told |= {"sha256": item["sha256"]} if remote is None else {"url": remote["address"]}
    return told | {"description": f"Input: {item.get('role', '')}. Not part of this crate."}
