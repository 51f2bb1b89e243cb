#!/bin/bash
# faiss-cpu 1.15.1, IndexFlatL2 ("exact" search): the distance of a query, and with it the nearest neighbour, depends on how
# many other queries are in the same call.
#
# Good guess: brute-force search in float32 over whole numbers from 0 to 255 gives a query the same answer alone as in a
# batch; and copies of a picture that differ by 1 and by 4 are told apart.
# Seen, 4000 pictures of 784 random grey levels and, for each, two near copies in the index (squared distances 4 and 1):
#   up to 163 queries a call   every nearest neighbour and every distance right
#   from 164 on                about one nearest neighbour in seven wrong, six distances in ten wrong, a third 0
# From 128,000 values in a call on, distances are computed as |x|^2 + |y|^2 - 2 xy, which rounds to multiples of 2 to 4 for
# such pictures. The limit is faiss.cvar.distance_compute_blas_threshold; older releases counted queries (20), this one counts
# queries times dimensions. Raising it gives every batch the right answer.
#
# Exits 0 when faiss still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install faiss-cpu==1.15.1 numpy==2.4.6 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
"$folder/venv/bin/python" - <<'END_PYTHON'
import faiss
import numpy as np

rng = np.random.default_rng(0)
n, d = 4000, 784
pictures = rng.integers(1, 255, (n, d)).astype(np.float32)
far, near = pictures.copy(), pictures.copy()
far[:, :4] += 1  # squared distance 4
near[:, 4:5] += 1  # squared distance 1
index = faiss.IndexFlatL2(d)
index.add(np.concatenate([far, near]))


def wrong(queries):
    distance, found = index.search(pictures[:queries], 1)
    ids = float((found[:, 0] != n + np.arange(queries)).mean())
    return ids, float((distance[:, 0] != 1).mean()), float((distance[:, 0] == 0).mean())


for queries in (1, 20, 163, 164, 4000):
    print(f"{queries:5d} queries: wrong neighbours %.3f, wrong distances %.3f, of them zero %.3f" % wrong(queries))
limit = faiss.cvar.distance_compute_blas_threshold
print("distance_compute_blas_threshold", limit)
for queries in (1, 20, 163):
    assert wrong(queries) == (0, 0, 0)
for queries in (164, 4000):
    ids, distances, _ = wrong(queries)
    assert ids > 0.1 and distances > 0.3
assert limit == 128000 and 163 * d < limit <= 164 * d
faiss.cvar.distance_compute_blas_threshold = 1 << 30
assert wrong(4000) == (0, 0, 0)
print("as recorded")
END_PYTHON
