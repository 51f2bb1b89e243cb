"""Files of others, of one data set each, which hiss reads or refuses."""
import h5py
import hdf5plugin
import netCDF4
import tables

from hdf5_exchange.common import IMAGES, LABELS, N, SIDE, report, train


def with_h5py(libver, **options):
    def write(path):
        with h5py.File(path, "w", libver=libver) as file:
            file.create_dataset("images", data=IMAGES, **options)
            file.create_dataset("labels", data=LABELS)
    return write


def with_tables(kind, **filters):
    def write(path):
        with tables.open_file(path, "w") as file:
            packing = tables.Filters(**filters) if filters else None
            if kind == "array":
                file.create_array("/", "images", IMAGES)
            elif kind == "carray":
                file.create_carray("/", "images", obj=IMAGES, filters=packing)
            else:
                rows = file.create_earray("/", "images", tables.UInt8Atom(), (0, SIDE, SIDE), filters=packing)
                for k in range(0, N, 5):
                    rows.append(IMAGES[k:k + 5])
            file.create_array("/", "labels", LABELS)
    return write


def with_netcdf(rows, **options):
    def write(path):
        with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
            for name, size in (("n", rows), ("y", SIDE), ("x", SIDE)):
                file.createDimension(name, size)
            file.createVariable("images", "u1", ("n", "y", "x"), **options)[:] = IMAGES
            file.createVariable("labels", "i8", ("n",))[:] = LABELS
    return write


def writers():
    """Name, function, and whether hiss must read it whatever its HDF5 is (1.10 at least)."""
    bounds_there = [v for v in h5py._hl.files.libver_dict if v.startswith("v1") and v != "v108" or v.startswith("v2")]
    layouts = {"contiguous": {}, "gzip, shuffle": dict(chunks=True, compression="gzip", shuffle=True),
               "one chunk": dict(chunks=IMAGES.shape, compression="gzip"), "lzf": dict(compression="lzf"),
               "Fletcher32": dict(chunks=(8, SIDE, SIDE), fletcher32=True), "resizable": dict(maxshape=(None, SIDE, SIDE)),
               "ScaleOffset": dict(scaleoffset=8), "two axes without end": dict(maxshape=(None, None, SIDE), compression="gzip")}
    for libver in ["earliest", *bounds_there, "latest"]:
        for name, options in layouts.items():
            bounds = libver if libver in ("earliest", "latest") else (libver, libver)
            yield (f"h5py, {libver}: {name}", with_h5py(bounds, **options),
                   libver in ("earliest", "v110") and name != "lzf")
    for name in ("Bitshuffle", "Blosc", "Blosc2", "BZip2", "LZ4", "Zstd"):  # the others are for floats
        packing = getattr(hdf5plugin, name)()
        yield f"hdf5plugin: {name}", with_h5py("earliest", chunks=(8, SIDE, SIDE), compression=packing), False
    for kind in ("array", "carray", "earray"):
        yield f"PyTables: {kind}", with_tables(kind), True
    for library in ("zlib", "bzip2", "lzo", "blosc", "blosc2", "blosc:zstd"):
        if tables.which_lib_version(library.split(":")[0]):
            yield f"PyTables: carray, {library}", with_tables("carray", complevel=5, complib=library), library == "zlib"
    yield "netCDF4: plain", with_netcdf(N), True
    yield "netCDF4: without end", with_netcdf(None), True
    yield "netCDF4: zlib, Fletcher32", with_netcdf(N, compression="zlib", shuffle=True, fletcher32=True), True
    yield "netCDF4: zstd", with_netcdf(N, compression="zstd"), False


def say_why(output):
    lines = [line for line in output.splitlines() if "hiss: error:" in line]
    true = len(lines) == 1 and "data set /images" in lines[0] and ("newer than this HDF5" in lines[0] or
                                                                   "need filter" in lines[0] and
                                                                   ("HDF5_PLUGIN_PATH" in lines[0] or "h5py" in lines[0]))
    return true, lines[0] if lines else output[-400:]


def read_others():
    code, output, plain = train("plain.h5", "plain")
    report(code == 0, "h5py: the plain file", output[-400:] if code else "read")
    for number, (name, write, must) in enumerate(writers()):
        path = f"file{number}.h5"
        try:
            write(path)
        except (OSError, ValueError, RuntimeError) as why:
            print(f"--    {name}: cannot be written here: {str(why).splitlines()[0]}")
            continue
        code, output, hashes = train(path, f"run{number}")
        if code == 0:
            report(hashes == plain, name, "read" if hashes == plain else "read, but with other values")
            continue
        true, line = say_why(output)
        report(code == 2 and true and not must, name, f"refused: {line}")
        if "need filter" in line:
            code, output, hashes = train(path, f"again{number}", HDF5_PLUGIN_PATH=hdf5plugin.PLUGIN_PATH)
            text = "read" if code == 0 else "refused: " + say_why(output)[1]
            report(hashes == plain if code == 0 else code == 2 and say_why(output)[0], f"{name}, with hdf5plugin", text)
    return plain
