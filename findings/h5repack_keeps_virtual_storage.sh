#!/bin/bash
# HDF5 1.10.8 (Debian 12), h5repack, on a file of h5py 3.16.0: the copy of a virtual data set is virtual, also with --merge, and reads as
# zeros elsewhere; with a filter it is real.
#
# Good guess: h5repack writes a file that stands by itself, or --merge does, which fetches what external links point to;
# what compression one asks for does not decide whether the data are in the file.
# Seen, file of a virtual data set (two times 100 bytes of another file), one with external storage and an external link; the
# copy is moved to a folder of its own and summed up there (9900, 1225, 4950 are right):
#   h5repack              virtual: 0, without an error    external storage: error    link: error
#   h5repack --merge      virtual: 0, without an error    external storage: error    link: 4950
#   h5repack -f GZIP=4    virtual: 9900                   external storage: 1225     link: error
#   h5repack -l CONTI     virtual: 9900                   external storage: 1225     link: error
#   -l CONTI --merge      all three
# Exit code 0 each time. h5dump -p -H of the copy says VIRTUAL or EXTERNAL. Say -l to h5repack when a file is to travel.
#
# Exits 0 when h5repack still behaves so, 1 when not. Needs apt-get download.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install h5py==3.16.0 numpy==2.4.6 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
cd "$folder"
apt-get -q download hdf5-tools=1.10.8+repack1-1 libhdf5-103-1=1.10.8+repack1-1 >apt.log 2>&1 || { cat apt.log && exit 1; }
for package in *.deb; do
    dpkg -x "$package" hdf5
done
export LD_LIBRARY_PATH=$folder/hdf5/usr/lib/x86_64-linux-gnu

venv/bin/python - <<'END_PYTHON'
import h5py
import numpy as np

with h5py.File("source.h5", "w") as file:
    file["x"] = np.arange(100, dtype=np.uint8)
with h5py.File("made.h5", "w") as file:
    layout = h5py.VirtualLayout((200,), np.uint8)
    layout[:100] = layout[100:] = h5py.VirtualSource("source.h5", "x", (100,))
    file.create_virtual_dataset("virtual", layout)
    file.create_dataset("external", data=np.arange(50, dtype=np.uint8), external=[("raw.bin", 0, 50)])
    file["link"] = h5py.ExternalLink("source.h5", "/x")
END_PYTHON

mkdir elsewhere
for options in "" "--merge" "-f GZIP=4" "-l CONTI" "-l CONTI --merge"; do
    # shellcheck disable=SC2086 # several words
    hdf5/usr/bin/h5repack $options made.h5 elsewhere/copy.h5
    echo "h5repack $options:" "$(cd elsewhere && ../venv/bin/python - <<'END_PYTHON'
import h5py

with h5py.File("copy.h5") as file:
    for name in ("virtual", "external", "link"):
        try:
            print(name, file[name][:].sum(dtype=int), end="  ")
        except (OSError, KeyError):
            print(name, "error", end="  ")
END_PYTHON
    )"
done | sed 's/ *$//' | tee seen
diff seen - <<'END_SEEN'
h5repack : virtual 0  external error  link error
h5repack --merge: virtual 0  external error  link 4950
h5repack -f GZIP=4: virtual 9900  external 1225  link error
h5repack -l CONTI: virtual 9900  external 1225  link error
h5repack -l CONTI --merge: virtual 9900  external 1225  link 4950
END_SEEN
echo "as recorded"
