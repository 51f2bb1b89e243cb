#!/bin/bash
# PyTorch 2.13.0 (CPU): torch.set_flush_denormal() holds for the calling thread and for threads started later, not for the
# pool that is already there. The call answers True either way.
#
# Good guess: after set_flush_denormal(True) every subnormal result of an operation is zero, after False none is.
# Seen, with two threads:
#   - True after a first parallel operation: the calling thread's half of a tensor is flushed, the other half keeps its
#     subnormal numbers. The same for an elementwise product (first half) and for a matrix product (half of the values).
#   - True before any parallel operation, then False: the pool has inherited the flag and goes on flushing its half.
# So the values of one tensor depend on the number of threads and on what ran before the call, and whoever compares with
# `== 0` sees it differently in each half, for the comparison treats subnormal operands by the same flag.
#
# Exits 0 when PyTorch still behaves so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install torch==2.13.0 numpy 2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }

cat >"$folder/run.py" <<'END_PYTHON'
import sys
import numpy
import torch

torch.set_num_threads(2)
elements = 1 << 22
subnormal = torch.from_numpy(numpy.ones(elements, numpy.int32).view(numpy.float32))  # made without torch's pool


def flushed_halves():
    """Values with bit pattern 0, in each half of subnormal times 1; integers, for they do not depend on the flag."""
    bits = (subnormal * 1.0).view(torch.int32)
    return [int((half == 0).sum()) for half in bits.chunk(2)]


if sys.argv[1] == "pool-first":
    flushed_halves()
    said = torch.set_flush_denormal(True)
    a = torch.full((512, 512), 1e-20)
    product = ((a @ a).view(torch.int32) == 0).sum()
    print("pool first, then True:", said, flushed_halves(), "matrix product", int(product), "of", a.numel())
else:
    torch.set_flush_denormal(True)
    on = flushed_halves()
    said = torch.set_flush_denormal(False)
    print("True first, then the pool, then False:", on, said, flushed_halves())
END_PYTHON

unset OMP_NUM_THREADS MKL_NUM_THREADS
for order in pool-first flag-first; do
    "$folder/venv/bin/python" "$folder/run.py" $order
done | tee "$folder/seen"
half=2097152
grep -qx "pool first, then True: True \[$half, 0\] matrix product 131072 of 262144" "$folder/seen"
grep -qx "True first, then the pool, then False: \[$half, $half\] True \[0, $half\]" "$folder/seen"
echo "as recorded"
