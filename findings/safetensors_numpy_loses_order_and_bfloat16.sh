#!/bin/bash
# safetensors 0.8.0, numpy module: a transposed weight comes back as other numbers; version 0.7.0 wrote it as it is. And load() raises
# KeyError for the bfloat16 bytes of save(), which load_file() reads.
#
# Good guess: what save_file takes without a word load_file gives back, whatever the order of an array in memory. An export that
# turns linear layers from [in, out] to [out, in] with .T relies on it.
# Seen, float32, save_file and then load_file:
#   [2, 3] in C order       0.7.0 equal     0.8.0 equal
#   its .T                  0.7.0 equal     0.8.0 the right shape, values of the array before .T
#   every second column     0.7.0 equal     0.8.0 values that were left out
#   bfloat16 of ml_dtypes   0.8.0: load(save()) raises KeyError 'BF16', load_file of the same bytes is equal
# No .T need be in sight: components_ of scikit-learn 1.9.1's PCA is in C order with none of its solvers. Copy with
# numpy.ascontiguousarray before saving, and compare a sum after loading.
#
# Exits 0 when safetensors still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 0.7.0 0.8.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" -q --disable-pip-version-check install safetensors==$version numpy==2.4.6 ml_dtypes==0.6.0 2>"$folder/pip.log" ||
        { cat "$folder/pip.log" && exit 1; }
    (cd "$folder" && "$folder/$version/bin/python" - $version) <<'END_PYTHON'
import sys

import ml_dtypes
import numpy as np
from safetensors.numpy import load, load_file, save, save_file

old = sys.argv[1] == "0.7.0"
weight = np.arange(6, dtype=np.float32).reshape(2, 3)


def back(array):
    save_file({"weight": array}, "file.safetensors")
    loaded = load_file("file.safetensors")["weight"]
    assert loaded.shape == array.shape and loaded.dtype == array.dtype
    return loaded


for name, array in (("C order", weight), (".T", weight.T), ("asfortranarray", np.asfortranarray(weight)), ("[:, ::2]", weight[:, ::2])):
    loaded = back(array)
    print(f"safetensors {sys.argv[1]}, {name}: wanted {array.tolist()}, loaded {loaded.tolist()}")
    assert np.array_equal(loaded, array) == (old or array.flags["C_CONTIGUOUS"])
if not old:
    assert np.array_equal(back(weight.T).ravel(), weight.ravel())
    rounded = weight.astype(ml_dtypes.bfloat16)
    assert np.array_equal(back(rounded), rounded)
    try:
        load(save({"weight": rounded}))
        raise SystemExit("load() takes bfloat16")
    except KeyError as error:
        print("bfloat16: load_file is equal, load raises", repr(error))
END_PYTHON
done
echo "as recorded"
