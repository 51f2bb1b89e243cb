# A run goes on with the kernels it began with, backend and BLAS core, or is refused with what to do, or, where the user
# wants it, goes on and is INVALID for comparison ever after.
. "$HISS_ROOT/tests/cli/common"
small_run
short=(--set train.epochs=3) # 36 steps

result() { sed -n 's/^result: //p' "$1/summary.yaml"; }
valid() { [ "$(result "$1")" = VALID ] || fail "$1 is not VALID" "$1/summary.yaml"; }
# invalid RUN PATTERN: its summary says so, and why.
invalid() { result "$1" | grep -q "^\"INVALID for comparison: computed $2\"\$" || fail "$1: not '$2'" "$1/summary.yaml"; }
# begin RUN ARGUMENT...: 24 steps of it.
begin() { train 2 "$1" "${short[@]}" --set train.steps=24 "${@:2}"; }
# other RANKS RUN THEN NOW REMEDY ARGUMENT...: it is refused, and nothing of it changed.
other() {
    local ranks=$1 run=$2 then=$3 now=$4 remedy=$5
    shift 5
    contents "$run" >before
    refused "$ranks" "$run/ckpt/step-24.h5 was computed with " "$HISS" train config.yaml --run "$run" "${short[@]}" "$@"
    grep "hiss: error" log | grep -q "was computed with $then.*but this is $now" || fail "not said that this is $now" log
    grep 'hiss: error' log | grep -qF -- "$remedy, or go on with --allow-other-kernels" || fail "no remedy $remedy" log
    contents "$run" | cmp -s before - || fail "a refused run changed: $run"
}

# ---- backend ----

begin backend --set kernels=ref
grep -q '^  kernels: "ref, .* subnormals \(as zero\|kept\)"$' backend/summary.yaml || fail 'identity' backend/summary.yaml
rm backend/summary.yaml
cp -r backend mixed
other 1 backend ref, blas, 'say --set kernels=ref'
other 3 backend ref, blas, 'say --set kernels=ref'
train 3 backend "${short[@]}" --set kernels=ref # as it says
valid backend
train 1 whole "${short[@]}" --set kernels=ref
same whole backend

train 2 mixed "${short[@]}" --set train.steps=30 --allow-other-kernels
[ "$(grep -c 'hiss: warning: mixed/ckpt/step-24.h5 was computed with ref, .*INVALID for comparison' log)" -eq 1 ] ||
    fail 'no warning' log
invalid mixed 'until step 24 with ref, .*, then with blas, .*'
train 1 mixed "${short[@]}" # the kernels are those of the newest checkpoint: no need to allow them again
grep -q 'hiss: warning: mixed' log && fail 'a warning of kernels that are the same' log
invalid mixed 'until step 24 with ref, .*, then with blas, .*'
train 2 branch --resume mixed/ckpt/step-30.h5 "${short[@]}" --set kernels=ref --allow-other-kernels
invalid branch 'until step 24 with ref, .*, until step 30 with blas, .*, then with ref, .*'
train 1 mixed "${short[@]}" --set kernels=ref # it is finished: nothing is computed with these
grep -q 'nothing is left to do' log || fail 'a finished run is computed' log
invalid mixed 'until step 24 with ref, .*, then with blas, .*'

# ---- core ----

cores=()
for core in Prescott Nehalem Sandybridge Haswell SkylakeX; do
    if OPENBLAS_CORETYPE=$core "$HISS" doctor 2>/dev/null | grep -q "core ($core)\|kernels: .* $core,"; then
        cores+=("$core")
    fi
done
first=
for core in "${cores[@]}"; do
    export OPENBLAS_CORETYPE=$core
    if [ "$first" ]; then
        other 2 core "blas, OpenBLAS [^ ]* $first" "blas, OpenBLAS [^ ]* $core," "set OPENBLAS_CORETYPE=$first"
    else
        first=$core
        begin core
        rm core/summary.yaml
    fi
done
if [ ${#cores[@]} -gt 1 ]; then
    core=${cores[-1]}
    cp -r core forced
    train 1 forced "${short[@]}" --allow-other-kernels
    invalid forced "until step 24 with blas, OpenBLAS [^ ]* $first,.*, then with blas, OpenBLAS [^ ]* $core,.*"
    export OPENBLAS_CORETYPE=$first
    train 3 core "${short[@]}"
    valid core
    train 1 straight "${short[@]}"
    same straight core

    cat >apart <<'END'
#!/bin/bash
export OPENBLAS_CORETYPE=$1
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || export OPENBLAS_CORETYPE=$2
exec "${@:3}"
END
    chmod +x apart
    refused 2 "places: rank 0 ($(hostname)) has " ./apart "$core" "$first" "$HISS" train config.yaml --run apart.run
    grep -q ", rank 1 ($(hostname)) " log || fail 'no rank is named' log
else
    echo "OpenBLAS has one core alone: resuming on another not tested"
fi
echo ok
