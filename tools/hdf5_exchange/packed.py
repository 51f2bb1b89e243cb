"""Packed variables of netCDF-4."""
import h5py
import netCDF4
import numpy as np

from hdf5_exchange.common import N, SIDE, pictures, prepare, refused, report, train

PACKED = {  # type of the file, scale_factor, add_offset, options, options of the data set
    "int16": ("i2", 0.25, 100.0, {}, {}),
    "int16, big-endian, without end, zlib": (">i2", 0.1, -3.5, {}, dict(endian="big", compression="zlib",
                                                                              chunksizes=(7, SIDE, SIDE))),
    "uint16, no offset": ("u2", 1 / 3, None, {}, {}),
    "uint8, no scale": ("u1", None, -12.5, {}, {}),
    "int8": ("i1", 2.0, 7.0, {}, {}),
    "int32, large": ("i4", 1e-7, 2.0, {}, {}),
    "uint32, large": ("u4", 1e-7, 2.0, {}, {}),
    "int64, large": ("i8", 1e-15, 2.0, {}, {}),
    "float32": ("f4", 3.0, 0.5, {}, {}),
    "int16, _FillValue": ("i2", 0.25, 100.0, {"_FillValue": -32767}, {}),
    "int16, missing_value": ("i2", 0.25, 100.0, {"missing_value": -999}, {}),
    "int16, _FillValue and missing_value": ("i2", 0.25, 100.0, {"_FillValue": -32767, "missing_value": -999}, {}),
    "int32, large, _FillValue": ("i4", 1e-7, 2.0, {"_FillValue": -2147483647}, {}),
    "float32, _FillValue": ("f4", 3.0, 0.5, {"_FillValue": 9.96921e36}, {}),
    "not packed, int16, _FillValue": ("i2", None, None, {"_FillValue": -32767}, {}),
    "not packed, float64, _FillValue": ("f8", None, None, {"_FillValue": -1e300}, {}),
}


def write_packed(path, kind, scale, offset, missing, options):
    """The values that they mean, by the formula of the CF conventions; where there is none, NaN."""
    numbers = np.arange(N * SIDE * SIDE).reshape(N, SIDE, SIDE) * 37 % 251
    if np.dtype(kind).itemsize >= 4 and np.dtype(kind).kind in "iu":
        bits = 8 * np.dtype(kind).itemsize - 1
        numbers = numbers * (2 ** (bits - 8)) + numbers // 7 - (2 ** (bits - 1) if kind[0] == "i" else 0)
    numbers = (numbers - (128 if kind == "i1" else 0)).astype(kind)
    holes = np.zeros(numbers.shape, bool)
    for k, name in enumerate(missing):
        numbers[k::5, 3, k:9] = missing[name]
        holes[k::5, 3, k:9] = True
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        for name, size in (("n", None if options else N), ("y", SIDE), ("x", SIDE)):
            file.createDimension(name, size)
        variable = file.createVariable("images", kind, ("n", "y", "x"), fill_value=missing.get("_FillValue"), **options)
        attributes = {"scale_factor": scale, "add_offset": offset, "missing_value": missing.get("missing_value")}
        for name, value in attributes.items():
            if value is not None:
                variable.setncattr(name, np.dtype(kind).type(value) if name == "missing_value" else value)
        variable.set_auto_maskandscale(False)
        variable[:] = numbers
    values = numbers.astype("f8") * (1 if scale is None else scale) + (0 if offset is None else offset)
    return np.where(holes, np.nan, values).astype("f4")


def read_packed():
    for number, (name, what) in enumerate(PACKED.items()):
        path, name = f"packed{number}.nc", f"netCDF4, packed: {name}"
        values = write_packed(path, *what)
        with netCDF4.Dataset(path) as file, np.errstate(over="ignore"):
            file.set_auto_mask(bool(what[3]))  # numbers that netCDF4 takes for missing, as unwritten ones are, are none here
            theirs = np.ma.filled(file["images"][:].astype("f4"), np.nan)
        report(np.array_equal(values, theirs, equal_nan=True), name, "the values are those of netCDF4")
        low, high, hole = float(np.nanmin(values)), float(np.nanmax(values)), (np.nanmin(values) + 1).astype("f4")
        with h5py.File(f"float{number}.h5", "w") as file:
            file.create_dataset("images", data=np.where(np.isnan(values), hole, values))
        keys = [f"data.range=[{low!r},{high!r}]", 'data.labels=""']
        code, output, hashes = train(path, f"packed{number}", *keys, *([f"data.missing={hole!s}"] if what[3] else []))
        _, _, wanted = train(f"float{number}.h5", f"float{number}", *keys)
        report(bool(wanted) and hashes == wanted, name, output[-400:] if code else "the bits of the float32 file"
               if hashes == wanted else "read, but with other values than the float32 file")
        if what[3]:
            code, output, _ = train(path, f"holes{number}", *keys)
            refused(code, output, name + ", without data.missing", path, "/images", "data.missing")
            continue
        written = prepare(f"unpacked{number}.h5", "hdf5", path, "--labels", "none", "--no-shuffle")
        kind = "f4" if what[1] or what[2] or what[0] == "f8" else what[0]
        report(written["/images"].dtype == kind and np.array_equal(pictures(written), values), name, "prepared, the values")
