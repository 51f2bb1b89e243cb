"""Numbers as hiss draws them: Philox-4x32-10 keyed by the seed."""
import numpy as np
import torch

from .method import H, M, SEED


def philox(c, key):
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ key[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ key[1], a & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def stream(count, purpose, when, k, seed=SEED):
    """Words of Philox-4x32-10 keyed by the seed, counter (block, when, k, purpose)."""
    words = []
    for block in range((count + 3) // 4):
        words += philox([block, when, k, purpose << 16], [seed, 0])
    return np.array(words, dtype=np.float64)


def permuted(n, purpose, when, k, seed=SEED):
    """0 to n - 1, n above 16, by a Feistel network of 8 rounds, which walks on until it is below n."""
    a, b, *tweak = philox([0xFFFFFFFF, when, k, purpose << 16], [seed, 0])
    bits = next(h for h in range(1, 32) if 4 ** h >= n)

    def walk(value):
        left, right = value >> bits, value & (1 << bits) - 1
        for turn in range(8):
            left, right = right, left ^ philox([right, turn, *tweak], [a, b])[0] & (1 << bits) - 1
        return left << bits | right

    image = []
    for value in range(n):
        value = walk(value)
        while value >= n:
            value = walk(value)
        image.append(value ^ (tweak[0] & 1) if value < 2 else value)
    return image


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
