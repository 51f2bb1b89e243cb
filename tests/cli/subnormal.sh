# Subnormal numbers: strong weight decay leaves none behind and costs no speed, with both kernel backends, on several ranks
# and threads to the same bits, and also when libraries allow them in every thread that calls them.
. "$HISS_ROOT/tests/cli/common"
small_run
cat >config.yaml <<'END'
data: {file: data.h5}
network:
  layers:
    - {conv: 8, kernel: 3, pad: 1, name: conv1}
    - relu
    - {conv: 8, kernel: 3, pad: 1, name: conv2}
    - relu
    - {max_pool: 2}
    - flatten
    - {linear: 32, name: fc1}
    - relu
optim: {lr: 0.1, schedule: constant, weight_decay: 4.5}
train: {epochs: 20, lanes: 4, lane_samples: 12}
END
count=$(dirname "$HISS")/tests/cli/subnormals
none() {
    local floats subnormal
    read -r floats subnormal < <("$count" "$1"/ckpt/step-240.h5) || fail "$1: no count"
    [ "$floats" -gt 5000 ] || fail "$1: only $floats numbers in the checkpoint"
    [ "$subnormal" -eq 0 ] || fail "$1: $subnormal of $floats numbers in the checkpoint are subnormal"
}

train 1 one
if ! grep -q '^  kernels: .* subnormals as zero"$' one/summary.yaml; then
    grep -q '^  kernels: .* subnormals kept"$' one/summary.yaml || fail 'the identity does not say' one/summary.yaml
    case $(uname -m) in x86_64 | aarch64) fail 'subnormal numbers count on this processor' one/summary.yaml ;; esac
    echo "this processor has no setting for subnormal numbers: not tested"
    echo ok
    exit 0
fi
none one
train 2 two --threads 2
none two
same one two
for setting in objective=supervised objective=autoencoder optim.method=adam assign.async=true; do
    extra=()
    [ $setting != optim.method=adam ] || extra=(--set optim.momentum=0)
    train 1 "$setting" --set $setting "${extra[@]}"
    none "$setting"
done
train 1 ref --set kernels=ref
none ref

# ---- careless libraries ----

${MPICC:-mpicc} -shared -fPIC -o odd_float.so "$HISS_ROOT/tests/cli/preload/odd_float.c" -ldl >cc.log 2>&1 ||
    fail 'no odd_float.so' cc.log
cat >blas.table <<'END'
linear_forward * * * blas
linear_backward_data * * * blas
linear_backward_weight * * * blas
END
train 2 careful --set kernel_table=blas.table
none careful
export ODD_FLOAT=$PWD/called
LD_PRELOAD=$PWD/odd_float.so train 2 careless --set kernel_table=blas.table
for function in MPI_Init_thread MPI_Isend MPI_Testsome cblas_sgemm; do
    grep -q "^$function\$" called || fail "nobody called $function" called
done
LD_PRELOAD=$PWD/odd_float.so train 1 alone --set kernel_table=blas.table # between products no call of MPI
for run in careless alone; do
    none $run
    same careful $run
done

# ---- the time of processors, which others on this machine do not change ----

# seconds RUN ARGUMENT...: of user time.
seconds() {
    local TIMEFORMAT=%U
    { time train 1 "$@" 2>&3; } 3>&2 2>time
    cat time
}
normal=$(seconds normal --set optim.weight_decay=0)
decayed=$(seconds decayed)
awk "BEGIN { exit !($decayed < 4 * $normal) }" || fail "$decayed s with decay, $normal s without"
echo ok
