"""Files that hiss makes, read by others."""
import collections
import glob
import os
import re
import subprocess
import wave

import h5py
import numpy as np

from hdf5_exchange.common import (CONFIG, IMAGES, LABELS, N, ROOT, SIDE, pictures, plain_text, prepare, read_by_others, report,
                                  train)


def rows_of(source, rows):
    """Where each row is in source, whose rows differ; None: one is not there."""
    place = {row.tobytes(): k for k, row in enumerate(source)}
    found = [place.get(row.tobytes()) for row in rows]
    return None if None in found or len(place) != len(source) else found


def shuffled(name, source, labels, *parts):
    """Whether the parts have each row of source once, with its label."""
    found = [rows_of(source, pictures(part)) for part in parts]
    fine = None not in found and sorted(sum(found, [])) == list(range(len(source))) and all(
        np.array_equal(part["/labels"], labels[rows]) and pictures(part).dtype == source.dtype
        for part, rows in zip(parts, found))
    report(fine and found[0] != sorted(found[0]), name, "each row of the source once, with its label and type")


def prepare_arrays():
    spread = IMAGES.astype("f8")
    kinds = {"uint8": (IMAGES, None), "int8": ((spread - 128).astype("i1"), None),
             "int16": ((spread * 80 - 9000).astype(">i2"), "i2"),
             "uint16": ((spread * 261).astype("u2"), None), "int32": ((spread * 8e6 - 1e9).astype("i4"), None),
             "uint32": ((spread * 16e6).astype("u4"), None), "int64": (IMAGES.astype("i8") * 2 ** 54 + 1, None),
             "uint64": (IMAGES.astype("u8") * 2 ** 56 + 3, None), "float16": ((spread / 7).astype(">f2"), "f2"),
             "float32": ((spread / 7).astype("f4"), None), "float64": (spread / 7, "f4"), "bool": (spread % 3 < 1, None)}
    for name, (values, kept) in kinds.items():
        with h5py.File(f"{name}.h5", "w") as file:
            file.create_dataset("images", data=values, chunks=(5, SIDE, SIDE), compression="gzip")
            file["labels"] = LABELS
        whole = prepare(f"prepared-{name}.h5", "hdf5", f"{name}.h5")
        shuffled(f"h5py: {name}", values.astype(kept or values.dtype), LABELS, whole)
        prepare(f"split-{name}", "hdf5", f"{name}.h5", "--split", "0.25")
        parts = [read_by_others(f"split-{name}/{part}.h5") for part in ("train", "test")]
        shuffled(f"h5py: {name}, --split", values.astype(kept or values.dtype), LABELS, *parts)
        report(len(parts[1]["/labels"]) == N // 4, f"h5py: {name}, --split", "a quarter of the rows")
        low, high = (0, 1) if name == "bool" else (float(values.min()) + 3, float(values.max()) * 0.9)
        scaled = prepare(f"scaled-{name}.h5", "hdf5", f"{name}.h5", f"--scale={low!r}:{high!r}", "--no-shuffle")
        wanted = np.floor(np.clip((values.astype("f4").astype("f8") - low) * (255 / (high - low)), 0, 255) + 0.5)
        report(scaled["/images"].dtype == "u1" and np.array_equal(pictures(scaled), wanted.clip(0, 255)),
               f"h5py: {name}, --scale", "the nearest values")
    colours = np.arange(N * 3 * SIDE * SIDE).reshape(N, 3, SIDE, SIDE) * 37 % 251
    names = np.array([f"kind {k % 4} ä" for k in range(N)], dtype=h5py.string_dtype())
    with h5py.File("nchw.h5", "w", libver=("v110", "v110")) as file:
        file["x/data"], file["x/kind"] = colours.astype("u1"), names
    values = prepare("nhwc.h5", "hdf5", "nchw.h5", "--images", "/x/data", "--labels", "/x/kind", "--layout", "NCHW",
                     "--no-shuffle", "--chunk", "7", "--deflate", "3")
    classes = str(plain_text(values["/@classes"])).split("\n")
    report(np.array_equal(values["/images"], colours.transpose(0, 2, 3, 1)), "nhwc.h5", "the axes in their order")
    report([classes[k] for k in values["/labels"]] == [f"kind {k % 4} ä" for k in range(N)], "nhwc.h5",
           "the names of the classes")


def write_wav(path, values, width=2):
    """values: [n, channels], of `width` bytes."""
    with wave.open(path, "wb") as file:
        file.setnchannels(values.shape[1])
        file.setsampwidth(width)
        file.setframerate(8000)
        offset = 128 if width == 1 else 0
        file.writeframes((values + offset).astype("<i4").reshape(-1, 1).view("u1")[:, :width].tobytes())


def cut(sounds, length, overlap, padding=None):
    """Rows, and the number of the file of each."""
    rows = []
    for number, sound in enumerate(sounds):
        begin = 0
        while begin + length <= len(sound) or padding is not None and (begin == 0 or begin + overlap < len(sound)):
            some = list(sound[begin:begin + length])
            rows.append((some + [padding] * (length - len(some)), number))
            begin += length - overlap
    return np.array([row for row, _ in rows]), np.array([number for _, number in rows])


def cut_as_it_should_be(name, values, field, rows, files):
    """In order, or shuffled."""
    found = sorted(map(bytes, np.column_stack((values["/file"], values[field])).astype("<i4")))
    wanted = sorted(map(bytes, np.column_stack((files, rows)).astype("<i4")))
    report(found == wanted and len(found) > 1, name, f"{len(wanted)} rows, cut as in Python")


def prepare_sounds():
    random = np.random.default_rng(3)
    top = {1: 2 ** 7, 2: 2 ** 15, 3: 2 ** 23, 4: 2 ** 31}
    for width in top:
        for channels in (1, 2, 3):
            folder, sounds = f"sounds-{width}-{channels}", []
            for number, count in enumerate((1000, 37, 64, 523)):
                os.makedirs(f"{folder}/kind{number % 2}", exist_ok=True)
                values = random.integers(-top[width], top[width], (count, channels))
                write_wav(f"{folder}/kind{number % 2}/{number}.wav", values, width)
                exact = values.sum(1) * (2 ** (32 - 8 * width))
                sounds.append(np.clip((2 * exact + channels * 2 ** 16) // (2 * channels * 2 ** 16), -2 ** 15, 2 ** 15 - 1))
            sounds = [sounds[k] for k in (0, 2, 1, 3)]  # by the names of their paths
            for pad in ([], ["--pad"]):
                name = f"{folder}{''.join(pad)}.h5"
                values = prepare(name, "wav", folder, "--length", "64", "--overlap", "10", *pad)
                rows, files = cut(sounds, 64, 10, 0 if pad else None)
                cut_as_it_should_be(f"wave: {8 * width} bits, {channels} channels {' '.join(pad)}", values, "/sound", rows, files)
                report(np.array_equal(values["/labels"], values["/file"] // 2) and values["/sound@rate"] == 8000 and
                       values["/sound@overlap"] == 10 and plain_text(values["/@classes"]) == "kind0\nkind1", name, "labels, rate")


def words_of(text):
    return [word.decode() for word in re.findall(rb"[a-z0-9\x80-\xff]+(?:'[a-z0-9\x80-\xff]+)*", text.lower())]


def prepare_texts():
    texts = [open(os.path.join(ROOT, name), "rb").read() for name in ("README.md", "docs/data.md", "docs/labels.md")]
    texts.append("Ein \"Übermaß\" an Ärger: l'été n'est pas fini, ''rock'n'roll''; 日本語 1'000.\n".encode() * 3)
    for number, text in enumerate(texts):
        with open(f"text{number}.txt", "wb") as file:
            file.write(text)
    names = [f"text{number}.txt" for number in range(len(texts))]
    for pad in ([], ["--pad"]):
        values = prepare(f"words{''.join(pad)}.h5", "text", *names, "--length", "16", "--overlap", "3", "--min-count", "3", *pad)
        counts = collections.Counter(word for text in texts for word in words_of(text))
        known = sorted((w for w, n in counts.items() if n >= 3), key=lambda w: (-counts[w], w.encode()))
        vocabulary = ["<unknown>", *known, *(["<padding>"] if pad else [])]
        numbers = {word: k for k, word in enumerate(vocabulary)}
        tokens = [[numbers.get(w, 0) for w in words_of(text)] for text in texts]
        rows, files = cut(tokens, 16, 3, len(vocabulary) - 1 if pad else None)
        cut_as_it_should_be(f"words of texts {' '.join(pad)}", values, "/tokens", rows, files)
        unknown = sum(n for n in counts.values() if n < 3)
        report([plain_text(word) for word in values["/vocabulary"]] == vocabulary, f"words of texts {' '.join(pad)}",
               f"a vocabulary of {len(vocabulary)}")
        report(list(values["/count"]) == [unknown, *(counts[w] for w in known), *([0] if pad else [])],
               f"words of texts {' '.join(pad)}", "how often each occurs")
        again = prepare(f"again{''.join(pad)}.h5", "text", names[1], "--length", "16", "--overlap", "3", *pad,
                        "--vocabulary", f"words{''.join(pad)}.h5")
        there = files == 1
        cut_as_it_should_be(f"words of one text, --vocabulary {' '.join(pad)}", again, "/tokens", rows[there], files[there] - 1)
        rows, files = cut(texts, 50, 7, 0 if pad else None)
        values = prepare(f"bytes{''.join(pad)}.h5", "text", *names, "--by", "bytes", "--length", "50", "--overlap", "7", *pad)
        cut_as_it_should_be(f"bytes of texts {' '.join(pad)}", values, "/tokens", rows, files)


def prepare_generated():
    keys = ["generate.items=prepared-uint8.h5", "generate.count=1", f"generate.item_size={SIDE}", "generate.size=20",
            "generate.frames=5"]
    items = pictures(read_by_others("prepared-uint8.h5"))
    labels = read_by_others("prepared-uint8.h5")["/labels"]
    asked = [word for key in keys for word in ("--set", key)]
    values = prepare("moving.h5", "generate", "moving", "--rows", str(N), *asked)
    report(np.array_equal(values["/images"], values["/clip"][:, 0]), "moving.h5", "the image is the first frame")
    report(np.array_equal(values["/labels"], values["/item_label"][:, 0]), "moving.h5", "the label is that of the item")
    there = {item.tobytes(): label for item, label in zip(items, labels)}
    windows = np.lib.stride_tricks.sliding_window_view(values["/clip"][..., 0], (SIDE, SIDE), (2, 3))
    found = [any(there.get(window.tobytes()) == label and window.sum() == frame.sum()
                 for window in row.reshape(-1, SIDE, SIDE)) for clip, frames, label in
             zip(windows, values["/clip"], values["/labels"]) for row, frame in zip(clip, frames)]
    report(len(found) == 5 * N and all(found), "moving.h5", "each frame has an item of the label, and nothing else")
    push = prepare("push.h5", "generate", "push", "--rows", str(N), "--set", "generate.size=32")
    report(push["/action"].dtype == "f4" and np.array_equal(push["/images"], push["/clip"][:, 0]), "push.h5", "as its page says")
    for name, made in (("moving", keys), ("push", ["generate.size=32"])):
        with open("made.yaml", "w") as file:
            file.write(CONFIG.replace("{file: plain.h5, mode: stream}", f"{{generate: {name}, mode: stream}}"))
        wanted = train(None, f"made-{name}", *made, f"generate.rows={N}", config="made.yaml")
        code, output, hashes = train(f"{name}.h5", f"from-{name}", "data.fields.clip=/clip")
        report(bool(wanted[2]) and hashes == wanted[2], f"{name}.h5", output[-400:] + wanted[1][-400:] if code or wanted[0] else
               "the bits of the generator" if hashes == wanted[2] else "other bits than those of the generator")


METHODS = {  # keys beside those of the config
    "supervised": ["objective=supervised", "optim.method=adam", "optim.lr=0.001", "optim.momentum=0"],
    "vae": ["objective=vae", "vae.latent=4", "vae.hidden=16", "vae.decoder=dense", "optim.method=adam", "optim.lr=0.001",
            "optim.momentum=0"],
    "classes": ["objective=supervised", "data.file=nhwc.h5"],
    "booleans": ["data.file=prepared-bool.h5"],
    "followed": ["data.file=linked-earliest.h5", "data.follow=true", "checkpoint.keep_every=1 epoch"],
    "joined": ["data.file=part-*.h5"],
    "tokens": ["data.file=words.h5", "data.images=/tokens", "data.layout=NW", "data.range=[0,999]"],
    "sounds": ["data.file=sounds-2-1.h5", "data.images=/sound", "data.layout=NW", "objective=supervised"],
}


def read_checkpoints():
    for name, keys in METHODS.items():
        code, output, _ = train("plain.h5", f"method-{name}", *keys)
        report(code == 0, f"train: {name}", output[-400:] if code else "trained")
    for run in ("plain", *(f"method-{name}" for name in METHODS)):
        for path in sorted(glob.glob(f"{run}/ckpt/*.h5")):
            values = read_by_others(path)
            numbers = [v for k, v in values.items() if k.startswith("/model/") and "@" not in k]
            report(bool(numbers) and all(np.isfinite(v).all() for v in numbers), path, "its parameters are finite")


def write_for_others():
    subprocess.run([os.path.join(ROOT, "tools", "tiny_data"), ".", "600", "12"], check=True)
    with open("images.idx", "rb") as file:
        pixels = np.frombuffer(file.read(), "u1", offset=16).reshape(600, 12, 12)
    for name, options in (("rows", []), ("chunks", ["--chunk", "7"]), ("deflated", ["--chunk", "64", "--deflate", "4"])):
        values = prepare(f"{name}.h5", "idx", "--images", "images.idx", "--labels", "labels.idx", "--no-shuffle", *options)
        report(np.array_equal(pictures(values), pixels), f"{name}.h5", "the pixels are those it was made of")
    prepare_arrays()
    prepare_sounds()
    prepare_texts()
    prepare_generated()
    read_checkpoints()
