# precision: bf16 decides the bits, is part of the identity, and is refused where the processor cannot.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's/{conv: 4, kernel: 3, pad: 1, name: conv1}/{conv: 16, kernel: 3, pad: 1}\n    - {conv: 16, kernel: 3, pad: 1}\n    - {conv: 9, kernel: 5, pad: 2}/' config.yaml
bf16=(--set precision=bf16)

# ---- a processor that has none, or hides it ----

can=$(grep -m 1 -c '^flags.* avx512_bf16' /proc/cpuinfo || :)
[ "$can" = 0 ] || export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F
for backend in blas ref; do
    refused 1 "--set precision: bf16 needs a processor with AVX512-BF16" \
        "$HISS" train config.yaml --run none "${bf16[@]}" --set kernels=$backend
done
refused 2 "--set precision: bf16 needs a processor with AVX512-BF16" "$HISS" train config.yaml --run none "${bf16[@]}"
[ ! -e none ] || fail 'a run directory of a run that could not begin'
unset GLIBC_TUNABLES
refused 1 'precision must be one of float32, bf16' "$HISS" train config.yaml --run none --set precision=fp16
if [ "$can" = 0 ]; then
    echo ok
    exit
fi

# ---- the bits, and what the run says of itself ----

train 1 float32
train 1 explicit --set precision=float32
train 1 one "${bf16[@]}" --log debug
cp log one.log
train 3 three "${bf16[@]}" --threads 2
same float32 explicit
same one three
[ "$(hashes float32)" != "$(hashes one)" ] || fail 'bf16 gives the bits of float32'
grep -q '^  kernels: "blas in bf16, ' one/summary.yaml || fail 'the identity does not say bf16' one/summary.yaml
grep -q 'kernels: linear_forward .* bf16$' one.log || fail 'the linear layer is not in bf16' one.log
grep -q 'kernels: conv2d_forward 4 12 12 16 9 .* bf16-' one.log || fail 'the convolution is not in bf16' one.log
grep -q 'kernels: conv2d_forward 4 12 12 1 16 .*bf16' one.log && fail 'a convolution too small for it is in bf16' one.log
loss() { sed -n 's/.*"loss": \([0-9.]*\).*/\1/p' "$1/metrics.jsonl" | tail -n 1; }
awk -v a="$(loss float32)" -v b="$(loss one)" 'BEGIN { exit !(a > 0 && (a - b) ^ 2 < 0.01 * a * a) }' ||
    fail "losses: float32 $(loss float32), bf16 $(loss one)"

# ---- goes on in its own precision only ----

on 1 "$HISS" train config.yaml --run half "${bf16[@]}" --set train.steps=24
[ $status -eq 0 ] || fail "exit $status" log
refused 1 'say --set precision=bf16' "$HISS" train config.yaml --run half
train 2 half "${bf16[@]}"
same half one
on 1 "$HISS" train config.yaml --run full --set train.steps=24
refused 2 'say --set precision=float32' "$HISS" train config.yaml --run full "${bf16[@]}"
on 1 "$HISS" train config.yaml --run full "${bf16[@]}" --allow-other-kernels
[ $status -eq 0 ] && grep -q 'INVALID for comparison' full/summary.yaml || fail 'a change of precision is not told' log

# ---- what else computes features ----

on 2 "$HISS" eval one --set eval.iterations=2 --set eval.draws=1
[ $status -eq 0 ] || fail "eval: exit $status" log
GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F refused 1 'bf16 needs a processor with AVX512-BF16' "$HISS" eval one
"$HISS" bench kernels config.yaml "${bf16[@]}" --synthetic --seconds 0.01 --save table >bench.txt 2>&1 || fail bench bench.txt
grep -q '^linear_forward .* bf16$' table || fail 'bench saves no row for bf16' table
"$HISS" bench kernels config.yaml --synthetic --seconds 0.01 2>&1 | grep -q bf16 && fail 'bench of float32 shows bf16'
train 1 tabled "${bf16[@]}" --set kernel_table=table
echo ok
