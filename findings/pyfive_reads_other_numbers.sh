#!/bin/bash
# pyfive 1.3.0, a reader of HDF5 in pure Python, against h5py 3.16.0 (HDF5 2.0.0): valid data sets from which it returns other numbers,
# without an error or a warning.
#
# Good guess: a second reader gives the same values or says that it cannot read a data set, as pyfive does for filters and
# layouts that it does not know.
# Seen:
#   external storage (the bytes lie in a file beside)      zeros, in the right shape
#   12 bits in the upper part of 16 (offset 4)             each value times 16
#   13 bits of a signed 32 at offset 3                     each value times 8; negative ones positive
#   virtual data set                                       a scalar: None
#   the same data in plain 16 bits                         right
# External storage is how detectors write frames, and 12 bits of 16 is what cameras give; both are named in the data set's own
# header, which pyfive reads past. Compare a sum with h5py before a large job, or copy with h5repack -l first.
#
# Exits 0 when pyfive still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install pyfive==1.3.0 h5py==3.16.0 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
cd "$folder"
venv/bin/python -W error - <<'END_PYTHON'
import h5py
import numpy as np
import pyfive


def integers(file, name, base, bits, offset, values):
    kind = base.copy()
    kind.set_precision(bits)
    kind.set_offset(offset)
    made = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(values.shape))
    h5py.Dataset(made)[...] = values


grey = np.arange(4000, 4096, dtype=np.uint16).reshape(8, 12)
signed = np.arange(-48, 48, dtype=np.int32).reshape(8, 12)
with h5py.File("made.h5", "w") as file:
    file["plain"] = grey
    file.create_dataset("external", data=grey, external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])
    integers(file, "12 of 16", h5py.h5t.STD_U16LE, 12, 4, grey)
    integers(file, "13 of 32", h5py.h5t.STD_I32LE, 13, 3, signed)
    layout = h5py.VirtualLayout(grey.shape, grey.dtype)
    layout[...] = h5py.VirtualSource(".", "plain", grey.shape)
    file.create_virtual_dataset("virtual", layout)

right, other = h5py.File("made.h5"), pyfive.File("made.h5")
read = {name: np.asarray(other[name][()]) for name in right}
for name in right:
    print(f"{name:9} h5py {right[name][0, :4]}  pyfive {read[name].ravel()[:4]}")
for name in ("plain", "external", "12 of 16", "virtual"):
    assert np.array_equal(right[name][()], grey)
assert np.array_equal(right["13 of 32"][()], signed)
assert np.array_equal(read["plain"], grey)
assert read["external"].shape == grey.shape and not read["external"].any()
assert np.array_equal(read["12 of 16"], grey * 16)
assert np.array_equal(read["13 of 32"], (signed & 0x1FFF) * 8)
assert read["virtual"].shape == () and read["virtual"][()] is None
print("as recorded")
END_PYTHON
