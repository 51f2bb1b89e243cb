#!/bin/bash
# netCDF4 1.7.5.1.post1 (Python): white pixels of a uint8 variable without _FillValue are masked on reading, although the variable
# says of itself that its default fill value is ignored.
#
# Good guess: bytes have no default fill value on reading (netCDF's own rule, as any byte may be meant), so that what was
# written comes back, and means over pixels are those of what was written.
# Seen, 0..255 written once each, without _FillValue, missing_value or valid_range:
#   uint8  print(variable): "default _FillValue of 255 ignored"    read: 1 of 256 masked, the 255; mean 127.0, not 127.5
#   int8   print(variable): "default _FillValue of -127 ignored"   read: 1 of 256 masked, the -127
#   both   set_auto_mask(False): all 256 as written
# A file in which bytes are pixels is therefore read as another picture by this library than by h5py, and by its own C library.
# Read pixels with set_auto_mask(False).
#
# Exits 0 when netCDF4 still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install netCDF4==1.7.5.1.post1 numpy==2.4.6 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" && exit 1; }
cd "$folder"
venv/bin/python - <<'END_PYTHON'
import netCDF4
import numpy as np

fill = {"u1": 255, "i1": -127}
values = {kind: np.arange(256, dtype=np.uint8).view(kind) for kind in fill}
with netCDF4.Dataset("bytes.nc", "w") as f:
    f.createDimension("n", 256)
    for kind in fill:
        f.createVariable(kind, kind, ("n",))[:] = values[kind]
with netCDF4.Dataset("bytes.nc") as f:
    for kind, lost in fill.items():
        variable = f[kind]
        assert not set(variable.ncattrs()) & {"_FillValue", "missing_value", "valid_range", "valid_min", "valid_max"}
        said = [line for line in str(variable).splitlines() if "default _FillValue" in line]
        assert said == [f"filling on, default _FillValue of {lost} ignored"], said
        read = variable[:]
        masked = values[kind][np.ma.getmaskarray(read)].tolist()
        print(f"{kind}: says '{said[0]}', and masks {masked}; mean {read.mean()} of {values[kind].mean()}")
        assert masked == [lost]
        variable.set_auto_mask(False)
        assert np.array_equal(variable[:], values[kind])
END_PYTHON
echo ok
