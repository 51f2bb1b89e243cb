#!/bin/bash
# h5py 3.16.0 (HDF5 2.0.0): the selection that a virtual data set names of its source has not the shape of the source. Reading
# the source by it gives other elements without an error where the source is contiguous, the right ones where it is chunked.
#
# Good guess: virtual_sources()[k].src_space is a selection of the source, so that reading the source by it gives that part of
# the virtual data set; HDF5 refuses a selection whose shape is not that of the data set.
# Seen, a window [:, 2:6, 3:7] of a source of 6 x 10 x 10, written, closed and opened again:
#   src_space.shape        (6, 6, 7): the bounding box of the selection, not (6, 10, 10)
#   source.id.read(.., src_space)   contiguous: 0 of 96 elements right, no error;  chunked: all right
#   the virtual data set itself     all right
# Whoever copies or checks a virtual data set part by part copies the selection onto the space of the source first.
#
# Exits 0 when h5py still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install h5py==3.16.0 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
cd "$folder"
venv/bin/python - <<'END_PYTHON'
import h5py
import numpy as np

whole = np.arange(6 * 10 * 10, dtype=np.int32).reshape(6, 10, 10)
part = whole[:, 2:6, 3:7]
layout = h5py.VirtualLayout(part.shape, whole.dtype)
layout[...] = h5py.VirtualSource("source.h5", "d", whole.shape)[:, 2:6, 3:7]
with h5py.File("virtual.h5", "w") as f:
    f.create_virtual_dataset("v", layout)

for name, chunks, right in (("contiguous", None, False), ("chunked", (1, 10, 10), True)):
    with h5py.File("source.h5", "w") as f:
        f.create_dataset("d", data=whole, chunks=chunks)
    with h5py.File("virtual.h5") as f, h5py.File("source.h5") as s:
        space = f["v"].virtual_sources()[0].src_space
        read = np.empty(part.shape, np.int32)
        s["d"].id.read(h5py.h5s.create_simple(part.shape), space, read)
        print(f"{name}: space {space.shape} of a source {s['d'].shape}, {int((read == part).sum())} of {part.size} elements "
              f"right; by the virtual data set all right: {np.array_equal(f['v'][...], part)}")
        assert space.shape == (6, 6, 7) and np.array_equal(f["v"][...], part)
        assert np.array_equal(read, part) == right
END_PYTHON
echo ok
