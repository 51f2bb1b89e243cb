"""Numbers as hiss draws them: Philox-4x32-10 keyed by the seed."""
import numpy as np
import torch

from .method import H, M, SEED


def stream(count, purpose, when, k, seed=SEED):
    """Words of Philox-4x32-10 keyed by the seed, counter (block, when, k, purpose)."""
    words = []
    for block in range((count + 3) // 4):
        c, key = [block, when, k, purpose << 16], [seed, 0]
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ key[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ key[1], a & 0xFFFFFFFF]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        words += c
    return np.array(words, dtype=np.float64)


def normals(count, *name):
    """Box-Muller."""
    w = stream(count, *name)
    radius = np.sqrt(-2 * np.log((w[0::2] + 1) / 2**32))
    angle = np.pi / 2 * ((w[1::2] // 2**30) + (w[1::2] % 2**30) / 2**30 - 0.5)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]


def uniforms(count, *name):
    """Of 0..1."""
    return stream(count, *name)[:count] // 256 / 2**24


def samples(l):
    """Of a lane: all of them are in each step."""
    return range(l * M, (l + 1) * M)


def binary(l, image, step, streams):
    """The pixels of a lane, as 0 or 1."""
    uniform = np.array([uniforms(H * H, 12, step, streams * k) for k in samples(l)])
    return (torch.tensor(uniform).view(image.shape) < image).double()
