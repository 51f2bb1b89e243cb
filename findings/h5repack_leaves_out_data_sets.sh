#!/bin/bash
# HDF5 1.10.8 (Debian 12), h5repack, on files of h5py 3.16.0: a data set whose filter the tool lacks is left out of the copy, with what
# hangs on it, and the exit code is 0.
#
# Good guess: h5repack copies all objects or fails; a copy made with exit code 0 can take the place of the file.
# Seen, a file of /plain (100 bytes), /packed (compression='lzf', which h5py brings along and HDF5 has not), /alias (a hard link to
# /packed) and an attribute of /packed; data sets of the copy:
#   h5repack                 alias, plain    the data are copied, one of their two names is not; not a word
#   h5repack -f NONE         plain           one line of warning on standard error
#   h5repack -f GZIP=4       plain           the same
#   h5repack -l CONTI        plain           the same
#   h5repack -f plain:GZIP=4 plain           the same, though only the other data set was to change
# With gzip in place of lzf all three names are in each copy. Compare the names of both files before one is deleted.
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

with h5py.File("made.h5", "w") as file:
    file["plain"] = np.arange(100, dtype=np.uint8)
    packed = file.create_dataset("packed", data=np.arange(1000) // 100, chunks=(100,), compression="lzf")
    packed.attrs["unit"] = "mm"
    file["alias"] = packed
END_PYTHON

for options in "" "-f NONE" "-f GZIP=4" "-l CONTI" "-f plain:GZIP=4"; do
    # shellcheck disable=SC2086 # several words
    hdf5/usr/bin/h5repack $options made.h5 copy.h5 >errors 2>&1 && code=0 || code=$?
    echo "h5repack $options: exit $code, holds$(venv/bin/python -c '
import h5py
with h5py.File("copy.h5") as file:
    print("", *sorted(file))'), $(grep -c "cannot be read, user defined filter" errors) warnings"
    rm copy.h5
done | tee seen
diff seen - <<'END_SEEN'
h5repack : exit 0, holds alias plain, 0 warnings
h5repack -f NONE: exit 0, holds plain, 1 warnings
h5repack -f GZIP=4: exit 0, holds plain, 1 warnings
h5repack -l CONTI: exit 0, holds plain, 1 warnings
h5repack -f plain:GZIP=4: exit 0, holds plain, 1 warnings
END_SEEN
echo "as recorded"
