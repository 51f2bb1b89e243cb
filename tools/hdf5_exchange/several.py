"""Data in other files, by links and virtual data sets, and in several."""
import os

import h5py
import numpy as np

from hdf5_exchange.common import IMAGES, LABELS, N, SIDE, pictures, prepare, refused, report, train
from hdf5_exchange.others import with_h5py


def write_parts(libver, **options):
    """Three files, cut at 40 and 70."""
    for k, (first, last) in enumerate(((0, 40), (40, 70), (70, N))):
        with h5py.File(f"part-{k}.h5", "w", libver=libver) as file:
            file.create_dataset("images", data=IMAGES[first:last], **options)
            file.create_dataset("labels", data=LABELS[first:last])
            file.create_dataset("rows of others", data=IMAGES[first:last, ::-1])
            file["soft"] = h5py.SoftLink("/images")


def one_behind_the_other(file):
    for name, values, inside in (("images", IMAGES, "soft"), ("labels", LABELS, "labels")):
        whole = h5py.VirtualLayout(values.shape, values.dtype)
        for k, (first, last) in enumerate(((0, 40), (40, 70), (70, N))):
            whole[first:last] = h5py.VirtualSource(f"part-{k}.h5", inside, (last - first, *values.shape[1:]))
        file.create_virtual_dataset(name, whole)


def mixed(file):
    """Odd rows and even ones, half of each picture, and one part in the file itself."""
    whole = h5py.VirtualLayout(IMAGES.shape, "u1", maxshape=IMAGES.shape)
    file["own"] = IMAGES[:, SIDE // 2:]
    whole[:, SIDE // 2:] = h5py.VirtualSource(file["own"])
    with h5py.File("odd.h5", "w") as odd:
        odd["group/odd"], odd["even"] = IMAGES[1::2].transpose(1, 0, 2), IMAGES[::2]
    for k in range(N // 2):
        whole[2 * k, :SIDE // 2] = h5py.VirtualSource("odd.h5", "even", (N // 2, SIDE, SIDE))[k, :SIDE // 2]
        whole[2 * k + 1, :SIDE // 2] = h5py.VirtualSource("odd.h5", "group/odd", (SIDE, N // 2, SIDE))[:SIDE // 2, k]
    file.create_virtual_dataset("images", whole)
    file["labels"] = LABELS


def with_fill(file):
    """Pixels that no source has are the fill value."""
    whole = h5py.VirtualLayout(IMAGES.shape, "u1")
    whole[:90] = h5py.VirtualSource("plain.h5", "images", IMAGES.shape)[:90]
    file.create_virtual_dataset("images", whole, fillvalue=17)
    file["labels"] = LABELS


def linked(file):
    file["images"], file["labels"] = h5py.ExternalLink("plain.h5", "/images"), h5py.ExternalLink("./plain.h5", "/labels")


def linked_group(file):
    file["all"] = h5py.ExternalLink("plain.h5", "/")
    file["images"], file["labels"] = h5py.SoftLink("/all/images"), h5py.SoftLink("all/labels")


def linked_twice(file):
    with h5py.File("between.h5", "w") as between:
        one_behind_the_other(between)
    file["images"] = h5py.ExternalLink("between.h5", "images")
    file["labels"] = h5py.ExternalLink("between.h5", "labels")


def follow_others(plain):
    filled = IMAGES.copy()
    filled[90:] = 17
    with h5py.File("filled.h5", "w") as file:
        file["images"], file["labels"] = filled, LABELS
    wanted = {with_fill: train("filled.h5", "filled")[2]}
    for libver in ("earliest", ("v110", "v110"), "latest"):
        word = libver if isinstance(libver, str) else libver[0]
        write_parts(libver, chunks=(8, SIDE, SIDE), compression="gzip")
        for make in (one_behind_the_other, mixed, with_fill, linked, linked_group, linked_twice):
            name, path = f"h5py, {word}: {make.__name__.replace('_', ' ')}", f"{make.__name__}-{word}.h5"
            with h5py.File(path, "w", libver=libver) as file:
                make(file)
            code, output, _ = train(path, f"shut-{make.__name__}-{word}")
            virtual = make in (one_behind_the_other, mixed, with_fill)
            newer = word == "latest" and "newer than this HDF5" in output
            refused(code, output, name + ", without data.follow", *([] if newer else ["/images", "data.follow: true"]))
            code, output, hashes = train(path, f"open-{make.__name__}-{word}", "data.follow=true")
            if code and word == "latest" and "newer than this HDF5" in output:
                refused(code, output, name, path if virtual else "", "newer than this HDF5")
                continue
            report(hashes == wanted.get(make, plain), name, output[-400:] if code else "the bits of the plain file"
                   if hashes == wanted.get(make, plain) else "read, but with other values")
            values = prepare(f"prepared-{path}", "hdf5", path, "--follow", "--no-shuffle")
            report(np.array_equal(pictures(values), filled if make is with_fill else IMAGES), name, "prepared with --follow")


def refuse_others():
    """What data.follow does not follow either."""
    def lost(file):
        file["images"] = h5py.ExternalLink("lost.h5", "/images")

    def outside(file):
        file["images"] = h5py.ExternalLink("../outside.h5", "/images")

    def circle(file):
        file["images"] = h5py.ExternalLink("refused-circle.h5", "/images")

    def short(file):
        whole = h5py.VirtualLayout((N + 1, SIDE, SIDE), "u1")
        whole[:] = h5py.VirtualSource("plain.h5", "images", (N + 1, SIDE, SIDE))
        file.create_virtual_dataset("images", whole)

    def growing(file):
        whole = h5py.VirtualLayout(IMAGES.shape, "u1", maxshape=(None, SIDE, SIDE))
        source = h5py.VirtualSource("growing.h5", "images", IMAGES.shape, maxshape=(None, SIDE, SIDE))
        whole[0:h5py.h5s.UNLIMITED] = source[0:h5py.h5s.UNLIMITED]
        file.create_virtual_dataset("images", whole)

    with_h5py("earliest", maxshape=(None, SIDE, SIDE))("growing.h5")
    words = {lost: "lost.h5", outside: "outside.h5", circle: "circle", short: "does not have the values",
             growing: "grows with its sources"}
    for make, word in words.items():
        path = f"refused-{make.__name__}.h5"
        with h5py.File(path, "w") as file:
            make(file)
        code, output, _ = train(path, path[:-3], "data.follow=true")
        refused(code, output, f"h5py: {make.__name__}, with data.follow", path, word)


def join_others(plain):
    for libver in ("earliest", ("v110", "v110"), "latest"):
        word = libver if isinstance(libver, str) else libver[0]
        for name, options in (("contiguous", {}), ("gzip", dict(chunks=(7, SIDE, SIDE), compression="gzip", shuffle=True))):
            write_parts(libver, **options)
            for files in ("[part-0.h5,part-1.h5,part-2.h5]", "part-*.h5", "[part-0.h5,'part-[12].h5']"):
                run = f"joined-{word}-{name}-{len(files)}"
                code, output, hashes = train(files, run)
                if code and word == "latest" and "newer than this HDF5" in output:
                    refused(code, output, f"h5py, {word}: {name}, {files}", "part-0.h5", "/images")
                    continue
                report(hashes == plain, f"h5py, {word}: {name}, {files}", output[-400:] if code else "the bits of one file"
                       if hashes == plain else "read, but with other values")
    write_parts("earliest")
    os.rename("part-1.h5", "part-10.h5")
    os.rename("part-2.h5", "part-2x.h5")
    values = prepare("joined.h5", "hdf5", "part-*.h5", "--no-shuffle")
    report(np.array_equal(pictures(values), IMAGES) and np.array_equal(values["/labels"], LABELS), "joined.h5",
           "the rows of all files, in their order")
