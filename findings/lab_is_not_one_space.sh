#!/bin/bash
# opencv-python-headless 5.0.0.93, Pillow 13.0.0, scikit-image 0.26.0: L*a*b* of the same sRGB bytes.
#
# Good guess: colour spaces have definitions, so packages agree but for rounding, and a conversion forth and back returns the
# bytes to within a level or two.
# Seen, of 200,000 colours, beside the formulas in float64 (with which scikit-image agrees to 1e-3):
#                          a off by up to   b off by up to   in another ab bin of width 10   bytes changed forth and back
#   OpenCV, bytes               2.3              1.3                  10 %                   47 %, by up to 24 levels
#   OpenCV, float32             0.45             0.32                 1.6 %                  0.6 %, by 1 level
#   Pillow (ImageCms)          12                4.6                  38 %                   -
# OpenCV rounds a and b of bytes to whole numbers and L to 1/2.55, and its float32 conversion reads tables. The profile that
# ImageCms.createProfile("LAB") makes has the white point D50, sRGB in most other packages D65; its a and b are signed bytes,
# OpenCV's are moved by 128. Nothing warns. Methods that learn classes of ab (colorization, split-brain auto-encoders) train on
# other classes when the reader of the pictures is exchanged, and a detour through bytes of Lab changes half of the colours.
#
# Exits 0 when it still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install opencv-python-headless==5.0.0.93 pillow==13.0.0 \
    scikit-image==0.26.0 numpy==2.4.6 scipy==1.17.1 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import cv2
import numpy as np
from PIL import Image, ImageCms
from skimage import color

white = np.array([0.95047, 1.0, 1.08883])
matrix = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])


def exact(rgb):
    x = rgb / 255.0
    x = np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92) @ matrix.T / white
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


rgb = np.random.default_rng(0).integers(0, 256, (1, 200000, 3), dtype=np.uint8)
right = exact(rgb)
assert np.abs(color.rgb2lab(rgb) - right).max() < 1e-3

as_bytes = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
as_floats = cv2.cvtColor((rgb / 255).astype(np.float32), cv2.COLOR_RGB2LAB)
pillow = np.asarray(ImageCms.profileToProfile(Image.fromarray(rgb), ImageCms.createProfile("sRGB"),
                                              ImageCms.createProfile("LAB"), outputMode="LAB"))
found = {
    "OpenCV, bytes": as_bytes[..., 1:] - 128.0,
    "OpenCV, float32": as_floats[..., 1:].astype(np.float64),
    "Pillow": pillow[..., 1:].astype(np.int8).astype(np.float64),
}
off, other = {}, {}
for name, ab in found.items():
    off[name] = np.abs(ab - right[..., 1:]).max(axis=(0, 1))
    other[name] = (np.rint(ab / 10) != np.rint(right[..., 1:] / 10)).any(axis=-1).mean()
    print(f"{name}: a off by up to {off[name][0]:.2f}, b by {off[name][1]:.2f}; {100 * other[name]:.1f} % in another bin")

back = cv2.cvtColor(as_bytes, cv2.COLOR_LAB2RGB).astype(int) - rgb
smooth = np.rint(255 * cv2.cvtColor(as_floats, cv2.COLOR_LAB2RGB)).astype(int) - rgb
print(f"OpenCV forth and back: {100 * (back != 0).mean():.0f} % of bytes change, by up to {np.abs(back).max()}; "
      f"through float32 {100 * (smooth != 0).mean():.1f} %, by up to {np.abs(smooth).max()}")
assert off["OpenCV, bytes"][0] > 2 and other["OpenCV, bytes"] > 0.08
assert 0.3 < off["OpenCV, float32"][0] < 1 and other["OpenCV, float32"] > 0.01
assert off["Pillow"][0] > 10 and other["Pillow"] > 0.3
assert (back != 0).mean() > 0.4 and np.abs(back).max() > 20 and 0 < np.abs(smooth).max() <= 2
END_PYTHON
echo "as recorded"
