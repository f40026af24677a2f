"""What one writes by hand with scikit-image: phase correlation, SSIM, Otsu.

python benchmarks/_skimage_runner.py BEFORE AFTER FOLDER

The whole after image is moved by one translation, to a twentieth of a pixel; SSIM with its defaults; what
lies above Otsu's threshold is change. Both in memory at once, as its documentation does it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.filters import threshold_otsu
from skimage.io import imread, imsave
from skimage.metrics import structural_similarity
from skimage.registration import phase_cross_correlation


def main() -> None:
    """Command line."""
    before, after = (rgb2gray(imread(path)) for path in sys.argv[1:3])
    folder = Path(sys.argv[3])
    shift, _, _ = phase_cross_correlation(before, after, upsample_factor=20)
    moved = ndimage.shift(after, shift, order=1, mode="nearest")
    _, similar = structural_similarity(before, moved, data_range=1.0, full=True)
    score = (1 - similar).astype(np.float32)
    mask = (score > threshold_otsu(score)).astype(np.uint8) * 255
    imsave(folder / "score.tif", score, check_contrast=False)
    imsave(folder / "mask.tif", mask, check_contrast=False)
    np.savetxt(folder / "displacement_rc.txt", -shift)


if __name__ == "__main__":
    main()
