#!/bin/bash
# hiss doctor: what it says about launchers, cores, data and disks; train warns of the first two.
set -eu
fail() {
    echo "FAIL: $*"
    exit 1
}
# shellcheck source=tools/mpi_env
. "$HISS_ROOT/tools/mpi_env" 2
unset SLURM_NTASKS SLURM_STEP_NUM_TASKS PMI_SIZE

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
examine 2 "$HISS" doctor --run /proc/nowhere/run
has '^FAIL  .*/proc'
examine 0 "$HISS" doctor --threads 1000
has '^WARN  .*1 rank x 1000 threads on [0-9]+ cores?: oversubscribed'

examine 0 mpirun -n 2 "$HISS" doctor tiny.yaml
has '^OK    2 ranks'
has ': 2 ranks x 1 thread'
has '^(OK  |WARN)  clocks of the ranks agree'
examine 0 mpirun -n 2 "$HISS" doctor --threads 700
has '^WARN  .*2 ranks x 700 threads .*oversubscribed'
examine 2 mpirun -n 2 "$HISS" doctor tiny.yaml --set train.lanes=1
has '^FAIL  2 ranks for 1 lanes'

# train says the launcher's part.
SLURM_NTASKS=4 "$HISS" train tiny.yaml --run run >out 2>err || fail "train: $(cat err)"
grep -q 'warning: SLURM_NTASKS is 4' err || fail "train does not warn: $(cat err)"

"$HISS" doctor --help >out
has '--threads'
echo ok
