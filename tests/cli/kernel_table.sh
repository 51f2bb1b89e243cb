#!/bin/bash
# kernel_table: the choice decides the bits and nothing else does, it is part of the identity, and resuming keeps to it.
set -eu
fail() {
    echo "FAIL: $*"
    exit 1
}
# shellcheck source=tools/mpi_env
. "$HISS_ROOT/tools/mpi_env" 2

mkdir -p images/a images/b
for i in $(seq 0 31); do
    k=$([ $((i % 2)) = 0 ] && echo a || echo b)
    LC_ALL=C awk -v seed="$i" >"images/$k/$i.pgm" 'BEGIN {
        srand(seed); printf "P5 8 8 255\n"; for (i = 0; i < 64; i++) printf "%c", 32 + int(90 * rand()) }'
done
"$HISS" prepare folder images --output set.h5 --height 8 --width 8 --channels 1 >prepare.txt
cat >tiny.yaml <<'END'
objective: nat
data: {file: set.h5}
network:
  layers:
    - {conv: 16, kernel: 3, pad: 1, name: conv1}
    - {max_pool: 2}
    - batch_norm
    - relu
    - {conv: 32, kernel: 3, pad: 1, name: conv2}
    - flatten
    - {linear: 16, name: fc1}
nat: {dim: 8}
optim: {lr: 0.01}
train: {epochs: 2, lanes: 2, lane_samples: 8}
END
cat >blas.table <<'END'
# everything by BLAS
conv2d_forward * * * * * * * * * tiled-blas
conv2d_backward_data * * * * * * * * * tiled-blas
conv2d_backward_weight * * * * * * * * * tiled-blas
linear_forward * * * blas
linear_backward_data * * * blas
linear_backward_weight * * * blas
END

train() { # RUN RANKS OPTIONS...
    local run=$1 ranks=$2
    shift 2
    mpirun -n "$ranks" "$HISS" train tiny.yaml --run "$run" --progress lines "$@" >"$run.out" 2>"$run.err" ||
        fail "$run: $(cat "$run.err")"
}
value() { # RUN KEY
    sed -n "s/^ *$2: //p" "$1/summary.yaml"
}
same() { # KEY RUN RUN
    [ -n "$(value "$2" "$1")" ] && [ "$(value "$2" "$1")" = "$(value "$3" "$1")" ]
}

train rules 1 --log debug
train blas1 1 --set kernel_table=blas.table --log debug
train blas2 2 --set kernel_table=blas.table
same parameters_sha256 blas1 blas2 || fail "ranks show in the bits"
same kernel_choices_sha256 blas1 blas2 || fail "ranks show in the choice"
! same kernel_choices_sha256 rules blas1 || fail "the choice does not show in the identity"
grep -q 'debug: kernels: conv2d_forward 8 8 8 1 16 3 3 1 1 tiled-blas' blas1.err || fail "choices are not logged"
grep -q 'debug: kernels: linear_forward 8 [0-9]* 16 ' rules.err || fail "choices are not logged"

# Another file that says the same is the same choice; one that says something else is refused.
train part 1 --set kernel_table=blas.table --set train.steps=2
sed 's/^#.*//' blas.table >same.table
train part 2 --set kernel_table=same.table
same parameters_sha256 blas1 part || fail "resuming shows in the bits"
train half 1 --set kernel_table=blas.table --set train.steps=2
if [ "$(grep -c . rules.err)" != 0 ] && grep -q 'kernels: conv2d_forward .* \(direct\|winograd\|tiled\)$' rules.err; then
    code=0
    "$HISS" train tiny.yaml --run half >out 2>err || code=$?
    [ $code = 2 ] && grep -q 'another choice of kernels' err || fail "resuming with other kernels: $code $(cat err)"
fi

echo 'conv2d_forward 1 2 3' >bad.table
code=0
"$HISS" train tiny.yaml --run bad --set kernel_table=bad.table >out 2>err || code=$?
[ $code = 2 ] && grep -q 'bad.table:1: expected 9 numbers' err || fail "a bad table: $code $(cat err)"

# What bench saves, train reads.
"$HISS" bench kernels tiny.yaml --seconds 0.02 --save measured.table >out
train measured 1 --set kernel_table=measured.table
echo ok
