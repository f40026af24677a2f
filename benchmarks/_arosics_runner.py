"""AROSICS on one pair of files, inside its own environment: what it cost, and where it puts every pixel.

python _arosics_runner.py JOB.json STARTED

JOB.json names the files, the variant and its options (`vs_arosics.plan` writes it); STARTED is the time at
which this process was started. The answer goes into ``out`` (JSON), the displacement on a lattice into
``displacement`` (npy). Nothing of damagediff is imported here; the lattice is (row, col) with the centre of
the first pixel at (0, 0), as everywhere in it. With ``write``, a path, the corrected image is
written there as GeoTIFF instead, as its users have it, and nothing is asked of the lattice.
"""

import contextlib
import json
import platform
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
from arosics import COREG, COREG_LOCAL, DESHIFTER, __version__
from geoarray import GeoArray
from osgeo import gdal

OUTSIDE = -9999.0
"""Written by the correction where the target has nothing."""


def main() -> int:
    """Match, stop the clock, then ask where the correction takes its pixels from."""
    start_s, begin, begin_cpu = time.time() - float(sys.argv[2]), time.perf_counter(), time.process_time()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    match = {"local": match_local, "global": match_global}[job["variant"]]
    with contextlib.redirect_stdout(sys.stderr):  # it prints even when told to be quiet
        info, counts, nodata = match(job)
        if "write" in job:
            return 0
        cost = {"start_s": start_s, **spent(begin, begin_cpu)}
        displaced = displacement(job, info) if info["success"] else np.load(job["lattice"]) * np.nan
    np.save(job["displacement"], displaced)
    answer = {**cost, **counts, "nodata": nodata, "versions": versions()}
    Path(job["out"]).write_text(json.dumps(answer, default=str), encoding="utf-8")
    return 0


def match_local(job: dict) -> tuple[dict, dict, list]:
    """Tie points on a grid, filtered as it does by default; its GCPs, but no pixel corrected yet."""
    found = COREG_LOCAL(
        job["before"],
        job["after"],
        grid_res=job["grid_res_px"],
        window_size=(job["window_px"], job["window_px"]),
        **common(job),
    )
    found.calculate_spatial_shifts()
    if "write" in job:
        found.correct_shifts()
    table, gcps = found.CoRegPoints_table, found.tiepoint_grid.GCPList
    counts = {
        "points_tried": len(table),
        "points_matched": int((table.ABS_SHIFT != found.outFillVal).sum()),
        "points_used": len(gcps),
    }
    return found.coreg_info, counts, [found.imref.nodata, found.im2shift.nodata]


def match_global(job: dict) -> tuple[dict, dict, list]:
    """One translation from one window in the middle of the overlap, its default."""
    found = COREG(job["before"], job["after"], ws=(job["window_px"],) * 2, ignore_errors=True, **common(job))
    found.calculate_spatial_shifts()
    if "write" in job:
        found.correct_shifts()
    matched = int(bool(found.success))
    counts = {"points_tried": 1, "points_matched": matched, "points_used": matched}
    return found.coreg_info, counts, [found.ref.nodata, found.shift.nodata]


def common(job: dict) -> dict:
    """Options that both modes share; everything else is its default."""
    band = job["band"]
    return {
        "path_out": job.get("write"),
        "fmt_out": "GTiff",
        "r_b4match": band,
        "s_b4match": band,
        "max_shift": job["max_shift_px"],
        "CPUs": job["workers"],
        "progress": False,
        "q": True,
    }


def displacement(job: dict, info: dict) -> np.ndarray:
    """(N, 2) what to add to a reference pixel to find its content in the target; NaN where it has nothing.

    AROSICS's own correction (its GCPs, its thin-plate spline, its grid) is run on a picture whose two
    bands hold the row and the column of each target pixel; bilinear, which is exact on such a picture.
    """
    target = GeoArray(job["after"], q=True)
    rows, cols = np.indices((target.rows, target.cols), dtype=np.float32)
    coordinates = GeoArray(np.dstack([rows, cols]), target.gt, target.prj, nodata=OUTSIDE, q=True)
    corrected = DESHIFTER(
        coordinates,
        info,
        align_grids=True,
        resamp_alg="bilinear",
        nodata=OUTSIDE,
        CPUs=job["workers"],
        progress=False,
        q=True,
    ).correct_shifts()
    at = np.load(job["lattice"])
    reference = GeoArray(job["before"], q=True)
    return sampled(corrected["arr_shifted"], corrected["updated geotransform"], reference.gt, at) - at


def sampled(picture: np.ndarray, its_gt: tuple, reference_gt: tuple, at: np.ndarray) -> np.ndarray:
    """Values of `picture` at whole pixels of the reference's grid, NaN outside it."""
    rows = at[:, 0] + round((reference_gt[3] - its_gt[3]) / reference_gt[5])
    cols = at[:, 1] + round((reference_gt[0] - its_gt[0]) / reference_gt[1])
    rows, cols = rows.astype(int), cols.astype(int)
    inside = (rows >= 0) & (rows < picture.shape[0]) & (cols >= 0) & (cols < picture.shape[1])
    values = np.full((len(at), 2), np.nan)
    values[inside] = picture[rows[inside], cols[inside]]
    values[(values == OUTSIDE).any(1)] = np.nan
    return values


def spent(begin: float, begin_cpu: float) -> dict:
    """Seconds since `begin`, those of the workers among the CPU's, and the memory of the largest process."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - begin_cpu + children.ru_utime + children.ru_stime,
        "peak_mib": max(own_kib, children.ru_maxrss) / 1024,
    }


def versions() -> dict:
    """What took part."""
    return {
        "arosics": __version__,
        "gdal": gdal.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
