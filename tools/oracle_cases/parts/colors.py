"""Images in colours, and CIE Lab by its formulas in double precision."""
import numpy as np

from .method import H, LANES, M


def made_colors():
    """A blob of one colour for each sample on a ground of another, with noise; every fifth is grey."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:H, 0:H]
    count = LANES * M
    inside = np.array([np.exp(-((x - 6 - 4 * (k % 5)) ** 2 + (y - 8 - 10 * (k // 5 % 2)) ** 2) / 30) for k in range(count)])
    light, dark = rng.uniform(60, 220, (count, 1, 1, 3)), rng.uniform(20, 120, (count, 1, 1, 3))
    light[::5], dark[::5] = light[::5, ..., :1], dark[::5, ..., :1]
    images = dark + (light - dark) * inside[..., None] + rng.uniform(0, 25, (count, H, H, 1))
    return images.astype(np.uint8)


def lab(rgb):
    """Of bytes. The matrix is solved for from the chromaticities of sRGB and D65."""
    xy, white = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06]]), np.array([0.3127, 0.3290])
    primaries = np.array([[x / y, 1, (1 - x - y) / y] for x, y in xy]).T
    whole = np.array([white[0] / white[1], 1, (1 - white.sum()) / white[1]])
    matrix = primaries * np.linalg.solve(primaries, whole)
    u = np.asarray(rgb) / 255
    t = np.where(u > 0.04045, ((u + 0.055) / 1.055) ** 2.4, u / 12.92) @ matrix.T / whole
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
