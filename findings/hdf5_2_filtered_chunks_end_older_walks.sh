#!/bin/bash
# A file of h5py 3.16.0 (HDF5 2.0.0, libver "v200" or "latest"), read by h5py 3.14.0 (HDF5 1.14.6) and the tools of HDF5 1.10.8 (Debian 12).
#
# Good guess: a file in a newer format is refused when it is opened, or read but for the objects in the new format.
# Seen, data sets a, b (chunks), m (chunks and gzip), z; only m is in the new format, version 5 of the layout message, which HDF5
# 2.0 writes for chunks with a filter:
#   open the file, list its root            works, all four names
#   a, b, z by name                         right
#   m by name                               "bad version number for layout message"
#   visit(), for names alone                ends with that error after a and b; z is never shown
#   h5ls -r                                 exit code 0, m has *ERROR* in place of its shape
#   h5dump -H, h5stat, h5repack             fail and name no data set
#   h5diff with a file whose m differs      exit code 2; no message, in m it saw nothing
# So a search for the pictures in a file may miss those behind the first compressed data set, and which it misses
# depends on their names. List groups level by level and open each object by itself; write with libver=("v114", "v114").
#
# Exits 0 when the three still behave so, 1 when not. Needs apt-get download.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for h5py in 3.16.0 3.14.0; do
    python3 -m venv "$folder/$h5py"
    "$folder/$h5py/bin/pip" -q --disable-pip-version-check install h5py==$h5py numpy==2.2.6 2>"$folder/pip.log" ||
        { cat "$folder/pip.log" && exit 1; }
done
cd "$folder"
apt-get -q download hdf5-tools=1.10.8+repack1-1 libhdf5-103-1=1.10.8+repack1-1 >apt.log 2>&1 || { cat apt.log && exit 1; }
for package in *.deb; do
    dpkg -x "$package" hdf5
done

3.16.0/bin/python - <<'END_PYTHON'
import h5py
import numpy as np

numbers = np.arange(1000.0)
for name, libver, scale in (("made", "v200", 1), ("other", "v200", 2), ("latest", "latest", 1), ("old", "v114", 1)):
    with h5py.File(name + ".h5", "w", libver=(libver, libver) if libver != "latest" else libver) as file:
        file["a"] = numbers
        file.create_dataset("b", data=numbers, chunks=(100,))
        file.create_dataset("m", data=numbers * scale, chunks=(100,), compression="gzip")
        file["z"] = numbers
END_PYTHON

3.14.0/bin/python - <<'END_PYTHON'
import h5py
import numpy as np

print("HDF5", h5py.version.hdf5_version)
for name in ("made", "latest", "old"):
    seen = []
    with h5py.File(name + ".h5") as file:
        assert list(file) == ["a", "b", "m", "z"]
        assert all(np.array_equal(file[key], np.arange(1000.0)) for key in "abz")
        try:
            file.visit(seen.append)
            error = "no error"
        except RuntimeError as stopped:
            error = str(stopped)
        print(f"{name}: visit saw {seen}, {error}")
        if name == "old":
            assert seen == ["a", "b", "m", "z"] and len(file["m"]) == 1000
            continue
        assert seen == ["a", "b"] and "bad version number for layout message" in error
        try:
            file["m"]
            raise SystemExit("m can be read")
        except KeyError as refused:
            assert "bad version number for layout message" in str(refused)
END_PYTHON

# tool NAME ARGUMENT...: its exit code, and what it says of m, if anything
tool() {
    local code=0
    LD_LIBRARY_PATH=hdf5/usr/lib/x86_64-linux-gnu hdf5/usr/bin/"$@" >out 2>&1 || code=$?
    echo "$1: exit code $code; $(grep -E '(^|[^a-z])m([^a-z.]|$)' out | tr -s ' ' | head -1)"
}
{
    tool h5ls -r made.h5
    tool h5dump -H made.h5
    tool h5stat made.h5
    tool h5repack made.h5 copy.h5
    tool h5diff made.h5 other.h5
} | tee seen
diff seen - <<'END_SEEN'
h5ls: exit code 0; /m Dataset *ERROR*
h5dump: exit code 1; 
h5stat: exit code 1; 
h5repack: exit code 1; 
h5diff: exit code 2; 
END_SEEN
echo "as recorded"
