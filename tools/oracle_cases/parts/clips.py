"""Clips of a bright square that moves over noise."""
import numpy as np

from .method import LANES, M

FRAMES, SIDE = 5, 16


def made_actions():
    """What is done between frames, float32 [n, T, 2]: nothing of the clips, so that it is seen where it goes."""
    return np.random.default_rng(6).normal(size=(LANES * M, FRAMES, 2)).astype(np.float32)


def made_clips():
    """uint8 [n, T, H, W, 1]"""
    rng = np.random.default_rng(5)
    clips = rng.integers(0, 60, (LANES * M, FRAMES, SIDE, SIDE, 1))
    for clip in clips:
        place, speed = rng.integers(0, SIDE - 5, 2), rng.integers(-2, 3, 2)
        for t in range(FRAMES):
            y, x = np.clip(place + t * speed, 0, SIDE - 5)
            clip[t, y:y + 5, x:x + 5] += 180
    return clips.astype(np.uint8)
