#!/bin/bash
# hiss doctor: what it says about launchers, cores, data and disks; train warns of the first two.
set -eu
fail() {
    echo "FAIL: $*"
    exit 1
}
# shellcheck source=tools/mpi_env
. "$HISS_ROOT/tools/mpi_env" 2
unset FLUX_JOB_SIZE SLURM_NTASKS SLURM_STEP_NUM_TASKS PMI_SIZE

# examine EXPECTED_CODE COMMAND... : its lines to out
examine() {
    local expected=$1 code=0
    shift
    "$@" >out 2>err || code=$?
    [ "$code" = "$expected" ] || fail "$* exits with $code: $(cat out err)"
    # mpirun talks about failing ranks, its libraries about machines without /sys: only hiss must be silent
    [ "$expected" != 0 ] || ! grep -q '^hiss:' err || fail "$* says $(cat err)"
}
has() {
    grep -qE -- "$1" out || fail "no line like '$1' in: $(cat out)"
}

cat >tiny.yaml <<'END'
objective: nat
data: {file: sorted.h5}
network:
  layers:
    - flatten
    - {linear: 16, name: fc1}
nat: {dim: 8}
optim: {lr: 0.01}
train: {epochs: 1, lanes: 2, lane_samples: 8}
END

picture() { # SEED: noise
    LC_ALL=C awk -v seed="$1" 'BEGIN { srand(seed); printf "P5 8 8 255\n"; for (i = 0; i < 64; i++) printf "%c", 32 + int(90 * rand()) }'
}

# 10 images of each of 10 classes, in the order of the classes.
for k in 0 1 2 3 4 5 6 7 8 9; do
    mkdir -p "images/$k"
    for i in 0 1 2 3 4 5 6 7 8 9; do
        picture $((10 * k + i)) >"images/$k/$i.pgm"
    done
done
"$HISS" prepare folder images --output sorted.h5 --no-shuffle --height 8 --width 8 --channels 1 >prepare.txt
"$HISS" prepare folder images --output shuffled.h5 --height 8 --width 8 --channels 1 >>prepare.txt

examine 0 "$HISS" doctor
has '^OK    1 rank '
has '^OK    .*: 1 rank x 1 thread on [1-9][0-9]* cores?, alone'
has '^OK    processor: '
has '^(OK  |WARN)  .*: writable|are free'

examine 0 "$HISS" doctor tiny.yaml
has '^OK    sorted.h5: readable by all ranks, 100 images of 8 x 8 x 1'
has '^WARN  sorted.h5: labels look sorted'
has '^OK    2 lanes'
examine 0 "$HISS" doctor tiny.yaml --set data.order=permuted
has '^OK    sorted.h5: labels do not look sorted'
examine 0 "$HISS" doctor tiny.yaml --set data.file=shuffled.h5
has '^OK    shuffled.h5: labels do not look sorted'

examine 2 "$HISS" doctor tiny.yaml --set data.file=absent.h5
has '^FAIL  .*absent.h5'
examine 2 "$HISS" doctor absent.yaml
has '^FAIL  .*absent.yaml'
examine 2 env SLURM_NTASKS=4 "$HISS" doctor
has '^FAIL  SLURM_NTASKS is 4, but this process is alone'
examine 2 env FLUX_JOB_SIZE=4 "$HISS" doctor
has '^FAIL  FLUX_JOB_SIZE is 4, but this process is alone'
examine 2 "$HISS" doctor --run /proc/nowhere/run
has '^FAIL  .*/proc'
examine 0 "$HISS" doctor --threads 1000
has '^WARN  .*1 rank x 1000 threads on [0-9]+ cores?: oversubscribed'

examine 0 mpirun -n 2 "$HISS" doctor tiny.yaml
has '^OK    2 ranks'
has ': 2 ranks x 1 thread'
has '^OK    clocks of the ranks agree'
examine 0 mpirun -n 2 "$HISS" doctor --threads 700
has '^WARN  .*2 ranks x 700 threads .*oversubscribed'
examine 0 mpirun -n 2 "$HISS" doctor tiny.yaml --set train.lanes=1
has '^WARN  2 ranks, but train.lanes is 1: 1 rank has no lane'

# ---- every other line, provoked: a library loaded before the system's tells of an odd one ----

${CC:-cc} -shared -fPIC -o odd_system.so "$HISS_ROOT/tests/cli/preload/odd_system.c" -ldl
cat >odd <<'END'
#!/bin/bash
rank=${OMPI_COMM_WORLD_RANK:-0}
for name in ODD_CORES ODD_CLOCK ODD_FILES OPENBLAS_CORETYPE; do # NAME_RANK: on that rank only
    value=${name}_$rank
    [ -z "${!value:-}" ] || export "$name=${!value}"
done
[ "${ODD_LOST:-}" != "$rank" ] || cd elsewhere
export LD_PRELOAD=$ODD
exec "$@"
END
chmod +x odd
export ODD=$PWD/odd_system.so
mkdir -p files/proc files/sys/kernel/mm/transparent_hugepage bin elsewhere
cat >bin/srun <<'END'
#!/bin/sh
case $ODD_SLURM/$1 in
/*) exit 1 ;;
*/--version) echo "slurm $ODD_SLURM" ;;
*/--mpi=list) echo "MPI plugin types are..." && echo "none pmi2 $ODD_PMI" ;;
esac
END
chmod +x bin/srun
slurm=(SLURM_JOB_ID=1 "PATH=$PWD/bin:$PATH")
fake=ODD_FILES=$PWD/files

# odd CODE RANKS [SETTING...] [-- ARGUMENT...]: with these settings doctor exits with CODE.
odd() {
    local code=$1 ranks=$2 settings=() launch=()
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    [ "$ranks" = 1 ] || launch=(mpirun -n "$ranks")
    examine "$code" "${launch[@]}" env "${settings[@]}" "$PWD/odd" "$HISS" doctor --write 1 "$@"
}

# Two ranks: cores, processors, clocks, shared memory, locks, messages.
odd 0 2 -u OPENBLAS_CORETYPE ODD_CORES_0=1 ODD_CORES_1=2 ODD_SHM=1000000000 -- --latency 1e6 --rate 0.001
grep -q '^WARN\|^FAIL' out && fail "all is well, but $(cat out)"
has '^OK    PMIx [0-9]'
has '^OK    .*: 2 ranks x 1 thread on 2 cores, each bound to its own'
has '^OK    kernels: '
has '^OK    .* are free in /dev/shm, MPI needs 8.0 MiB for 2 ranks'
has '^OK    .*: all ranks see it, locks work'
has '^OK    between ranks of one host: [0-9.]* us, [0-9]* MB/s'

echo 'model name : Abacus 9' >files/proc/cpuinfo
odd 0 2 SLURM_NTASKS=3 ODD_CORES_0=1 ODD_CORES_1=3 "ODD_FILES_1=$PWD/files" ODD_CLOCK_1=7 ODD_SHM=12500000 ODD_FLOCK=blind \
    -- --rate 1e9
has '^WARN  SLURM_NTASKS is 3, but there are 2 ranks'
has '^WARN  .*: rank 1 is bound to cores that another rank uses too'
has '^WARN  rank 0 has .*, rank 1 \(.*\) has Abacus 9'
has '^WARN  clocks differ: that of rank 1 \(.*\) is [67].* s ahead of that of rank 0'
has '^WARN  .*: 11.9 MiB are free in /dev/shm, and MPI may fill 8.0 MiB for 2 ranks'
has '^WARN  .*: a lock of rank 0 does not keep rank 1 \(.*\) out'
has '^WARN  between ranks of one host: ranks 0 \(.*\) and 1 \(.*\) exchange'
rm files/proc/cpuinfo

odd 0 2 ODD_CORES_0=1 ODD_CORES_1=e ODD_SHM=-1 -- --threads 2 --latency 0.001 --rate 0.001
has '^WARN  .*: 1 rank may use fewer cores than 2 threads'
has '^WARN  .*: no /dev/shm'
has '^WARN  between ranks of one host: a message between ranks 0 \(.*\) and 1 .* takes'

odd 2 2 OPENBLAS_CORETYPE_0=Prescott OPENBLAS_CORETYPE_1=Haswell ODD_SHM=2000000 ODD_LOST=1
has '^FAIL  rank 0 computes with .*, rank 1 \(.*\) with .*, and train refuses that'
has '^FAIL  .*: 1.9 MiB are free in /dev/shm'
has '^FAIL  .*: rank 1 \(.*\) does not see what rank 0 writes there'

odd 2 2 SLURM_MEM_PER_NODE=10 ODD_SHM=100000000 OMPI_MCA_btl_vader_segment_size=67108864 -- tiny.yaml
has '^FAIL  .*: training needs .* GiB for 2 ranks, and 0.010 GiB are there'
has '^FAIL  .*MPI may fill 128.0 MiB for 2 ranks'

# One rank: MPI, PMIx, srun, kernels, huge pages, memory, the place of the run.
huge=files/sys/kernel/mm/transparent_hugepage/enabled memory=files/proc/meminfo
odd 0 1 ODD_CORES=0 "${slurm[@]}" ODD_SLURM=22.05.8 ODD_PMI=pmix ODD_FLOCK=none HDF5_USE_FILE_LOCKING=FALSE -- tiny.yaml
has '^OK    MPI: Open MPI [0-9]'
has '^OK    no PMIx: not needed for one rank'
has '^OK    slurm 22.05.8 offers PMIx'
has '^WARN  .*: the system does not tell which cores may be used'
has '^OK    .*: training needs .* of .* GiB for 1 rank'
has '^WARN  .*: this file system has no locks'
need=$(sed -n 's/.*training needs \([0-9.]*\) of.*/\1/p' out)
version=$(sed -n 's/^OK    MPI: Open MPI \([0-9]*\).*/\1/p' out)

echo 'always madvise [never]' >$huge
awk "BEGIN { printf \"MemAvailable: %d kB\n\", 1.1 * $need * 1048576 }" >$memory
odd 0 1 "$fake" "ODD_MPI=Open MPI v$version.99.0, package" OPENBLAS_CORETYPE=Prescott ODD_FREE=524288000 ODD_CORES=f \
    HDF5_USE_FILE_LOCKING=no "${slurm[@]}" ODD_SLURM= -- tiny.yaml --threads 3
has "^WARN  hiss was built for Open MPI .*, and runs with Open MPI $version.99.0"
has '^WARN  in a SLURM job, but srun does not run here'
has '^WARN  OPENBLAS_CORETYPE holds OpenBLAS to a narrow core'
has '^WARN  .*: huge pages are off'
has '^WARN  .*: training needs .* checkpoints and evaluation may not fit'
has '^WARN  2 lanes on 1 x 3 threads: some threads wait'
has '^WARN  .*: 500 MiB are free; checkpoints may not fit'
has '^OK    HDF5 .*, HDF5_USE_FILE_LOCKING FALSE'

echo 'always [madvise] never' >$huge
echo 'MemFree: 1 kB' >$memory
odd 0 1 "$fake" ODD_FSYNC=300 "${slurm[@]}" ODD_SLURM=22.05.8 ODD_PMI= -- tiny.yaml
has '^OK    huge pages: always \[madvise\] never'
has '^WARN  .*: the system does not tell how much memory is free'
has '^WARN  .*: takes [0-9.]* MiB/s, 20 would be little'
has '^WARN  slurm 22.05.8 offers no PMIx'

odd 2 1 'ODD_MPI=Open MPI v99.0.1, package' SLURM_NTASKS=2 ODD_WRITE=1000000 ODD_FLOCK=none "${slurm[@]}" \
    ODD_SLURM=20.11.2 ODD_PMI=pmix -- tiny.yaml
has '^FAIL  hiss was built for Open MPI [0-9.]*, but runs with Open MPI 99.0.1'
has '^FAIL  SLURM_NTASKS is 2, but there is no PMIx'
has '^FAIL  slurm 20.11.2: '
has '^FAIL  .*: 1 MiB cannot be written: No space left'
has '^FAIL  .*: this file system has no locks.*HDF5_USE_FILE_LOCKING=FALSE'
has '^FAIL  tiny.yaml:2:14: data.file: sorted.h5: HDF5 cannot lock it'

odd 2 1 PMI_RANK=0 ODD_FSYNC=600 -- tiny.yaml --set assign.block=7
has '^FAIL  the launcher speaks PMI, not PMIx'
has '^WARN  .*: writing a small file durably takes [12]'
has '^FAIL  .*block'

# ---- HDF5_USE_FILE_LOCKING: however it is spelt, on a file system without locks ----

for word in false 0 no ' Off '; do
    odd 0 1 ODD_FLOCK=none HDF5_USE_FILE_LOCKING="$word" -- tiny.yaml
    has '^OK    HDF5 .*, HDF5_USE_FILE_LOCKING FALSE'
    has '^WARN  .*: this file system has no locks'
    ODD_FLOCK=none HDF5_USE_FILE_LOCKING=$word "$PWD/odd" "$HISS" train tiny.yaml --run "run-$word" >out 2>err ||
        fail "train with HDF5_USE_FILE_LOCKING='$word': $(cat err)"
done
for word in true best_effort ''; do
    status=0
    ODD_FLOCK=none HDF5_USE_FILE_LOCKING=$word "$PWD/odd" "$HISS" train tiny.yaml --run run-locks >out 2>err || status=$?
    [ $status -eq 2 ] && grep -q 'HDF5 cannot lock it .*then set HDF5_USE_FILE_LOCKING=FALSE' err ||
        fail "exit $status with HDF5_USE_FILE_LOCKING='$word': $(cat err)"
done
status=0
HDF5_USE_FILE_LOCKING=maybe "$HISS" train tiny.yaml --run run-maybe >out 2>err || status=$?
[ $status -eq 2 ] && grep -q "HDF5_USE_FILE_LOCKING is 'maybe' in the environment; HDF5 knows FALSE" err ||
    fail "exit $status with HDF5_USE_FILE_LOCKING=maybe: $(cat err)"

# ---- train says the cheap part of it ----

SLURM_NTASKS=4 "$HISS" train tiny.yaml --run run >out 2>err || fail "train: $(cat err)"
grep -q 'warning: SLURM_NTASKS is 4' err || fail "train does not warn: $(cat err)"
mpirun -n 2 env ODD_CLOCK_1=7 "$PWD/odd" "$HISS" train tiny.yaml --run run2 >out 2>err || fail "train: $(cat err)"
grep -q 'warning: clocks differ' err || fail "train does not warn of clocks: $(cat err)"
# Sorted labels, where it matters: several lanes, or a window, in the order of the file.
warns() { # warns YES|NO ARGUMENT...
    local found=no
    rm -rf run3
    "$HISS" train tiny.yaml --run run3 "${@:2}" >out 2>err || fail "train: $(cat err)"
    [ "$(grep -c 'warning: sorted.h5: labels look sorted.*data.order' err)" -gt 1 ] && fail "more than one line: $(cat err)"
    grep -q 'warning: [a-z]*.h5: labels look sorted' err && found=yes
    [ $found = "$1" ] || fail "train ${*:2}: labels look sorted: $found, not $1"
}
warns yes
warns yes --set train.lanes=1 --set data.window=20
warns no --set train.lanes=1
warns no --set data.order=permuted
warns no --set 'data.labels=""'
warns no --set data.file=shuffled.h5
rm -rf run3
mpirun -n 2 "$HISS" train tiny.yaml --run run3 --set data.file=shuffled.h5 --threads 1 >out 2>err || fail "train: $(cat err)"
grep 'hiss: warning' err | grep -v oversubscribed && fail "train warns without need"

"$HISS" doctor --help >out
has '--threads'
has '--write'
echo ok
