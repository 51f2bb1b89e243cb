"""What all parts of tools/hdf5_peers use: pictures, runs of hiss, reports."""
import collections
import os
import subprocess
import sys

import h5py
import numpy as np
import pyfive

N, SIDE = 96, 12
CONFIG = """seed: 3
data: {file: plain.h5, mode: stream}
network:
  layers:
    - flatten
    - {linear: 16, name: fc1}
nat: {dim: 8}
optim: {lr: 0.1}
train: {epochs: 2, lanes: 2, lane_samples: 8}
"""
HISS = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/hiss")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = (np.arange(N * SIDE * SIDE) * 37 % 251).astype("u1").reshape(N, SIDE, SIDE)
LABELS = np.arange(N) * 7 % 10
wrong = 0


def report(fine, what, text):
    global wrong
    wrong += not fine
    print(f"{'ok  ' if fine else 'FAIL'}  {what}: {text}", flush=True)


def train(path, run, *keys, config="config.yaml", **environment):
    """Exit code, all output, and the hash of the parameters."""
    words = [word for key in ([f"data.file={path}"] if path else []) + list(keys) for word in ("--set", key)]
    done = subprocess.run([HISS, "train", config, "--run", run, *words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | environment)
    hashes = ""
    if done.returncode == 0:
        with open(f"{run}/summary.yaml") as summary:
            hashes = [line for line in summary if line.startswith("parameters_sha256:")][0]
    return done.returncode, done.stdout, hashes


def refused(code, output, what, *words):
    """Whether hiss has refused it with one line that has these words."""
    lines = [line for line in output.splitlines() if "hiss: error:" in line]
    report(code == 2 and len(lines) == 1 and all(word in lines[0] for word in words), what,
           f"refused: {lines[0]}" if lines else f"exit code {code}: {output[-400:]}")


def sets_of(file, path=""):
    for name in file:
        there = f"{path}/{name}"
        if hasattr(file[name], "keys"):
            yield from sets_of(file[name], there)
        else:
            yield there


def plain_text(value):
    return value.decode() if isinstance(value, bytes) else value.item() if getattr(value, "shape", None) == () else value


def alike(one, other):
    """Attributes, one by one."""
    return one.keys() == other.keys() and all(np.array_equal(plain_text(one[k]), plain_text(other[k])) for k in one)


def read_by_others(path):
    with h5py.File(path) as one, pyfive.File(path) as other:
        names = sorted(sets_of(one))
        same = names == sorted(sets_of(other)) and all(np.array_equal(one[k][()], other[k][()]) for k in names)
        said = all(alike(dict(one[k].attrs), dict(other[k].attrs)) for k in ["/", *names])
        report(bool(names) and same and said, path, f"{len(names)} data sets, {'equal' if same else 'NOT equal'} in h5py and "
               f"pyfive, attributes {'too' if said else 'NOT equal'}")
        return {k: one[k][()] for k in names} | {f"{k}@{a}": v for k in ["/", *names] for a, v in one[k].attrs.items()}


def prepare(output, *words):
    """Values of all data sets, and of attributes as NAME@ATTRIBUTE."""
    done = subprocess.run([HISS, "prepare", *words, "--output", output], text=True, capture_output=True)
    if done.returncode:
        report(False, output, f"hiss prepare {' '.join(words)}: {done.stderr[-400:]}")
        return collections.defaultdict(lambda: np.zeros(0))
    return read_by_others(output) if os.path.isfile(output) else {}


def pictures(values):
    images = values["/images"]
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
