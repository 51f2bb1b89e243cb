#!/bin/bash
# h5py 3.16.0 (HDF5 2.0.0) and hdf5plugin 7.1.0: filters that keep values to 0.001 return finite numbers for NaN, zeros beside a
# fill value, and something else altogether for big-endian data.
#
# Good guess: Zfp(accuracy=0.001), SZ3(absolute=0.001) and scaleoffset=3 (three decimals) keep every value of a data set to 0.001
# or refuse the data set; a NaN stays a NaN; HDF5 hands a filter what it can read, for the file says which byte order it has.
# Seen, a ramp from 16 to 31.75 of 64 x 64 values, one chunk; how many of its finite values are off by more than 0.001:
#   float32                        all three         none
#   float32, one value is NaN      scaleoffset       none, but the NaN reads as 16, the smallest value of the chunk
#                                  Zfp               none, but the NaN reads as -64
#   float32, one is 9.96921e36     Zfp               15: the rest of its block of 4 x 4 reads as 0 (it is the fill value of netCDF)
#   int32, a thousand times that   Zfp               3072 of 4096, by up to 2
#   big-endian float32, float64    scaleoffset       none
#                                  Zfp, SZ3          all 4096: they read as 0
# No error, no warning. scaleoffset swaps bytes, the other two read the bytes as if the machine had written them. A test for NaN
# behind such a file finds none. What works: write little-endian float32 without NaN, and compare once with what was written.
#
# Exits 0 when the filters still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install h5py==3.16.0 hdf5plugin==7.1.0 numpy==2.4.6 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
cd "$folder"
venv/bin/python - <<'END_PYTHON'
import h5py
import hdf5plugin
import numpy as np

filters = {"Zfp": hdf5plugin.Zfp(accuracy=1e-3), "SZ3": hdf5plugin.SZ3(absolute=1e-3), "scaleoffset": {"scaleoffset": 3}}
ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.float32) / 8 + 16
spot = (30, 30)


def through(what, data, *names):
    seen = {}
    for name in names:
        with h5py.File("made.h5", "w") as file:
            file.create_dataset("x", data=data, chunks=data.shape, **filters[name])
        with h5py.File("made.h5") as file:
            back = file["x"][:]
        finite = np.isfinite(data)
        error = np.abs(back[finite].astype(float) - data[finite].astype(float))
        seen[name] = int((~(error <= 1e-3)).sum()), float(back[spot]), int((back[finite] == 0).sum()), float(error.max())
        print(f"{what:20} {name:12}" + "%5d off, %s reads as %s, %d zeros, largest error %g" % (seen[name][:1] + (data[spot],) + seen[name][1:]))
    return seen


assert all(seen[0] == 0 for seen in through("float32", ramp, *filters).values())
data = ramp.copy()
data[spot] = np.nan
seen = through("NaN", data, "Zfp", "scaleoffset")
assert seen["scaleoffset"][:2] == (0, 16) and seen["Zfp"][0] == 0 and np.isfinite(seen["Zfp"][1])
data[spot] = 9.96921e36
assert through("9.96921e36", data, "Zfp")["Zfp"][::2] == (15, 15)
seen = through("int32", (ramp * 1000).astype(np.int32), "Zfp")["Zfp"]
assert seen[0] == 3072 and seen[3] == 2
for kind in (">f4", ">f8"):
    seen = through(kind, ramp.astype(kind), *filters)
    assert seen["scaleoffset"][0] == 0 and all(seen[name][0] == 4096 and seen[name][2] == 4096 for name in ("Zfp", "SZ3"))
print("as recorded")
END_PYTHON
