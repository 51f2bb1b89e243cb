#!/bin/bash
# hiss bench: every part runs, alone and on two ranks; tables fit the page, JSON is JSON, shares make sense.
set -eu
fail() {
    echo "FAIL: $*"
    exit 1
}
# shellcheck source=tools/mpi_env
. "$HISS_ROOT/tools/mpi_env" 2

cat >tiny.yaml <<'END'
objective: nat
data: {file: absent.h5}
augment: {shift: 2}
network:
  layers:
    - {conv: 8, kernel: 3, pad: 1, name: conv1}
    - {max_pool: 2}
    - batch_norm
    - relu
    - flatten
    - {linear: 16, name: fc1}
nat: {dim: 8}
optim: {lr: 0.01}
train: {epochs: 4, lanes: 2, lane_samples: 8}
END

# Every line is an opening, a closing, or one value; brackets match; commas stand between members and nowhere else.
check_json() {
    awk '
    function bad(text) { print FILENAME ":" FNR ": " text ": " $0; failed = 1; exit 1 }
    BEGIN { number = "-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?"; value = "(" number "|null|\"([^\"\\\\]|\\\\.)*\")" }
    {
        line = $0
        closes = line ~ /^ *[]}],?$/
        if (FNR > 1 && closes == comma) bad("comma")
        comma = line ~ /,$/
        sub(/,$/, "", line)
        sub(/^ */, "", line)
        if (closes) {
            if (depth < 1 || line != stack[depth--]) bad("bracket")
            next
        }
        if (depth > 0 && stack[depth] == "}" && !sub(/^"[a-z_0-9]+": /, "", line)) bad("key")
        if (line == "{" || line == "[") {
            stack[++depth] = line == "{" ? "}" : "]"
            comma = 1
        } else if (line !~ "^" value "$" && line !~ "^\\[" value ", " value ", " value "\\]$" && line != "[]" && line != "{}")
            bad("value")
        if (FNR == 1 && depth != 1) bad("no object")
    }
    END { if (!failed && depth != 0) { print "brackets are left open"; exit 1 } }' "$1" || fail "$1 is not JSON"
}

# Shares are positive; far above 1 they mean a wrong bound (the clock may still be wrong by a factor on a busy machine).
check_shares() {
    awk -v wanted="$2" '
    /"(share|share_of_sgemm_peak|product_share_of_step)": / {
        sub(/.*: /, ""); sub(/,$/, "")
        share = $0 + 0 # a field that sub has changed is a text: "9.5e-05" > "10"
        if (!(share > 0 && share < 10)) { print "share " $0; exit 1 }
        n++
    }
    END { if (n < wanted) { print n + 0 " shares"; exit 1 } }' "$1" || fail "shares of $1"
}

check_width() {
    awk 'length > 120 { print; exit 1 }' "$1" || fail "$1 is wider than 120 columns"
}

check_table() {
    check_width "$1"
    grep -q '^sgemm peak [1-9]' "$1" || fail "$1 does not name the peak"
}

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no line like '$2'"
}

# A step on one rank, images made up because the file is missing.
"$HISS" bench step tiny.yaml --seconds 0.02 --json step.json >step.txt
check_table step.txt
check_json step.json
check_shares step.json 16
has step.txt '^note: absent.h5 is not there'
has step.txt '^conv1 +conv2d_pool +8x16x16x8 '
has step.txt '^fc1 +linear +8x16 '
has step.txt '^loss +squared_loss '
has step.txt '^step .*100[.]0.*100[.]0$'
has step.txt '^convolution and linear: .* on 1 core: [0-9.]+ % of sgemm peak, [0-9.]+ % of multiply-add$'
for part in load augment forward exchange supply backward reduce update idle step; do
    has step.txt "^$part "
    [ "$(grep -c "^ *\"$part\": \[" step.json)" = 2 ] || fail "step.json has not twice $part"
done

# In so short a time memory is measured over little more than the last cache, of which half is touched.
awk -F'[:,]' '/"level": "L3"/ { getline; cache = 2 * $2 } /"level": "memory"/ { getline; memory = $2 }
    END { exit !(memory >= 192 * 2^20 && memory > cache && (memory < 1.2 * cache || memory == 192 * 2^20)) }' step.json ||
    fail "what memory is measured over, for 0.02 seconds: $(grep -A1 '"level"' step.json)"

# The same with its lanes on two ranks.
mpirun -n 2 "$HISS" bench step tiny.yaml --seconds 0.02 --bound fma --synthetic --size 12x10x3 --json - >step2.json
check_json step2.json
check_shares step2.json 16
has step2.json '"ranks": 2'
has step2.json '"bound": "fma"'
has step2.json '"shape": "8x6x5x8"'

"$HISS" bench kernels tiny.yaml --seconds 0.02 --save tiny.table --json kernels.json >kernels.txt
check_table kernels.txt
check_json kernels.json
check_shares kernels.json 18
has kernels.txt '^conv1 .* ref '
has kernels.txt '^conv1 .* tiled-blas '
has kernels.txt '^fc1 .* blas .*'
has tiny.table '^conv2d_backward_weight 8 32 32 3 8 3 3 1 1 [a-z-]+$'
has tiny.table '^linear_forward 8 2048 16 (own|blas)$'
[ "$(grep -c '^[^#]' tiny.table)" = 9 ] || fail "tiny.table has not three rows for each of three products"

mpirun -n 2 "$HISS" bench assign --sizes 8,80 --dim 4 --seconds 0.02 --json assign.json >assign.txt
check_table assign.txt
check_json assign.json
check_shares assign.json 16
awk '$3 == "lapjv" { n++; if ($6 > 0 || $7 > 1e-6) exit 1 } END { exit n != 8 }' assign.txt || fail "lapjv is not the best"
[ "$(grep -c '"blocks": [12]' assign.json)" = 6 ] || fail "one and two blocks, and one size also by lists"

mpirun -n 2 "$HISS" bench reduce --sizes 4KiB,64KiB --bucket 16KiB --seconds 0.02 --json reduce.json >reduce.txt
check_table reduce.txt
check_json reduce.json
check_shares reduce.json 6
[ "$(grep -c '"tree_over_node": [0-9]' reduce.json)" = 2 ] || fail "two sizes reduced in memory"
[ "$(grep -c '"mpi_over_tree": [0-9]' reduce.json)" = 2 ] || fail "two sizes reduced"

# Whatever the figures: clocks that go far too fast or too slow, a processor with a long name, long layers and settings.
# Every line fits the page, and all rows of a table have their columns in the same places.
check_columns() { # FILE HEAD: in the rows that follow the line that begins with HEAD, up to an empty line
    awk -v head="$2" '
    index($0, head) == 1 { inside = 1; width = 0; next }
    /^$/ { inside = 0 }
    inside && width && length != width { print "line of " length " columns below one of " width ": " $0; bad = 1 }
    inside { width = length }
    END { exit bad }' "$1" || fail "columns of $1 below $2"
}
${CC:-cc} -shared -fPIC -o odd_clock.so "$HISS_ROOT/tests/cli/preload/odd_clock.c" -ldl
sed 's/name: conv1/name: a_layer_whose_name_is_longer_than_its_column/' tiny.yaml >long.yaml
setting=nat.dim=8
for ((k = 0; k < 12; k++)); do settings+=(--set "$setting"); done
for speed in 1e7 0.03; do
    odd() { LD_PRELOAD=$PWD/odd_clock.so ODD_CLOCK=$speed "$HISS" bench "$@" >odd.txt 2>odd.err || fail "bench $*, clock times $speed: $(cat odd.err)"; check_width odd.txt; }
    odd step long.yaml --seconds 0.001 --synthetic --size 12x10x3 "${settings[@]}"
    check_columns odd.txt 'scope  '
    odd kernels long.yaml --seconds 0.001 --synthetic --size 12x10x3
    odd assign --sizes 8,80 --dim 4 --seconds 0.001
    check_columns odd.txt '     n  blocks'
    odd reduce --sizes 1KiB,1MiB --seconds 0.001
    check_columns odd.txt 'vector MiB'
done

# Mistakes are found before anything is measured.
refuse() {
    local text=$1 code=0
    shift
    "$HISS" bench "$@" >out 2>err || code=$?
    [ $code = 2 ] || fail "bench $* exits with $code"
    grep -qF -- "$text" err || fail "bench $*: $(cat err)"
}
refuse "needs a config" step
refuse "expected one of all, machine, assign, reduce, step CONFIG" stepp
refuse "no further words" reduce tiny.yaml
refuse "HEIGHTxWIDTHxCHANNELS" step tiny.yaml --seconds 0.001 --size 12x10
refuse "--sizes" assign --seconds 0.001 --sizes 12,0
refuse "--sizes" reduce --seconds 0.001 --sizes 1TiB
"$HISS" bench --help >help.txt
has help.txt '--synthetic'
echo ok
