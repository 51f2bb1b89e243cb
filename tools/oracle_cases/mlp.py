"""The MLP probe of hiss eval beside scikit-learn's MLPClassifier, on the same features.

Its own case: nothing of a training step is compared, but what probes are right on. It wants Fashion-MNIST as `make demo`
has it, and scikit-learn; where one is missing it is left out, and says so.
"""
import json
import os
import subprocess

import h5py

DATA, HIDDEN, POINTS, LAYER = "data/fashion-mnist", 256, 1.0, "conv2"
ROWS = {"train": 5000, "test": 5000}
CONFIG = """seed: 3
data: {file: train.h5}
augment: {mean: 0.286, std: 0.353}
network: {preset: lenet-bn, width: 8}
nat: {dim: 16}
optim: {lr: 0.05, momentum: 0.9}
train: {epochs: 2, lanes: 2, lane_samples: 32}
"""


def features(hiss, folder, part):
    subprocess.run([hiss, "features", "probed", "--layer", LAYER, "--data", f"{part}.h5", "--output", f"{part}-features.h5"],
                   check=True, cwd=folder, capture_output=True)
    with h5py.File(f"{folder}/{part}-features.h5") as f:
        return f[LAYER][()], f["labels"][()]


def check(hiss, folder):
    try:
        from sklearn.neural_network import MLPClassifier
    except ImportError:
        print("mlp                   left out: there is no scikit-learn")
        return True
    if not all(os.path.exists(f"{DATA}/{part}.h5") for part in ROWS):
        print(f"mlp                   left out: there is no {DATA}/train.h5 and test.h5; make demo prepares them")
        return True
    for part, rows in ROWS.items():
        with h5py.File(f"{DATA}/{part}.h5") as whole, h5py.File(f"{folder}/{part}.h5", "w") as some:
            some["images"], some["labels"] = whole["images"][:rows], whole["labels"][:rows]
    with open(f"{folder}/probed.yaml", "w") as f:
        f.write(CONFIG)
    off = [word for name in ("knn", "few_labels", "statistics", "neighbors", "filters", "random", "pixels")
           for word in ("--set", f"eval.{name}=false")]
    subprocess.run([hiss, "train", "probed.yaml", "--run", "probed", "--log", "error"], check=True, cwd=folder,
                   capture_output=True)
    subprocess.run([hiss, "eval", "probed", "--set", "eval.test=test.h5", "--set", f"eval.layers={LAYER}", "--set",
                    "eval.mlp=true", "--set", f"eval.mlp_hidden={HIDDEN}", *off], check=True, cwd=folder,
                   capture_output=True)
    with open(f"{folder}/probed/eval.json") as f:
        result = next(r for r in json.load(f)["results"] if r["name"] == f"trained/{LAYER}")
    (x, label), (asked, answer) = features(hiss, folder, "train"), features(hiss, folder, "test")
    mean, deviation = x.mean(0), x.std(0, ddof=1).clip(1e-5)
    batch = 200
    peer = MLPClassifier((HIDDEN,), alpha=result["mlp"]["lambda"] * batch, batch_size=batch, learning_rate_init=1e-4,
                         max_iter=400, random_state=1)  # alpha: it divides by the samples of a batch; a rate whose noise is small
    peer.fit((x - mean) / deviation, label)
    ours, theirs = result["mlp"]["percent"], 100 * peer.score((asked - mean) / deviation, answer)
    ok = abs(ours - theirs) <= POINTS and ours >= result["linear"]["percent"] and peer.n_iter_ < peer.max_iter
    print(f"mlp                   {LAYER} of {len(x)} images, {HIDDEN} units, lambda {result['mlp']['lambda']:.0e}: {ours:.2f} % of the "
          f"test images, scikit-learn {theirs:.2f} % after {peer.n_iter_} epochs, the linear probe "
          f"{result['linear']['percent']:.2f} %{'' if ok else '  TOO FAR'}")
    return ok


METHODS, CHECKS = [], [check]
