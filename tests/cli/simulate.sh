#!/bin/bash
# hiss simulate: costs are measured and read back, simulated steps keep above what the links allow, two runs agree to the
# last digit, a replay runs on the real MPI, and without SimGrid one line says how to get it.
. "$HISS_ROOT/tests/cli/common"

platforms=$HISS_ROOT/configs/platforms
small_run
refused 1 "simulate needs a config to measure" "$HISS" simulate
refused 1 "no-such.yaml does not exist" "$HISS" simulate --costs costs.yaml --platform "$platforms/no-such.yaml"
refused 1 "costs file absent.yaml does not exist" "$HISS" simulate --costs absent.yaml --platform "$platforms/fat-tree-10g.yaml"
refused 1 "ascending" "$HISS" simulate --costs costs.yaml --ranks 4,2

# 12.5 million floats in one bucket and one in another; 10 ms of computing.
cat >wide.yaml <<'END'
config: none
processor: none
lane: {samples: 4, threads: 1, load: 0, augment: 0, supply: 0}
reduce: {add: 0, update: 0}
exchange: {share: 0.5, repeat: 0, dim: 8, block: 16, target: 1e-6, score: 1e-8}
solves: [[16, 0.001]]
buckets: [12500000, 16]
phases:
  - cut: 1
    final: [0, 1]
    nodes: [[only, 0.005, 0.005]]
END
# The replay on the real MPI, on few floats.
sed 's/12500000/1000/' wide.yaml >narrow.yaml
on 2 "$HISS" simulate --replay narrow.yaml --lanes 4 --block 16
{ [ $status -eq 0 ] && grep -q '^{step: 0.0[1-9]' "$log"; } || fail "replay on two ranks: exit $status" "$log"

if ! command -v smpirun >/dev/null || [ ! -x "$(dirname "$HISS")/hiss-smpi" ]; then
    echo "smpirun or hiss-smpi: not found, simulation not tested"
    refused 1 "apt-get install libsimgrid-dev" "$HISS" simulate --costs wide.yaml --platform "$platforms/fat-tree-100g.yaml"
    echo ok
    exit 0
fi

simulate() {
    "$HISS" simulate --costs wide.yaml --ranks 4,16 --steps 1 --platform "$platforms/$1.yaml" --json "$2" "${@:3}" >"$log" 2>&1 ||
        fail "simulate on $1: exit $?" "$log"
}
# values JSON KEY: its values, one for each number of ranks
values() {
    awk -v key="\"$2\":" '$1 == key { sub(",", "", $2); print $2 }' "$1"
}

# Each rank sends and receives 2 (P-1)/P of the bytes, and 16 ranks in groups of 4 send as much as without groups. A step
# is at least that at 97 % of the link, after 10 ms of computing; with nothing in the way it is not 1.5 times as long.
for group in 1 4; do
    simulate fat-tree-100g "a$group.json" --group $group
    for ranks in 4 16; do
        line=$((ranks == 4 ? 1 : 2))
        step=$(values "a$group.json" step | sed -n ${line}p) sent=$(values "a$group.json" sent | sed -n ${line}p)
        awk -v P=$ranks -v step="$step" -v sent="$sent" 'BEGIN {
            bytes = 2 * (P - 1) / P * 4 * 12500016
            bound = 0.010 + bytes / 12.5e9
            exit !(sent > 0.999 * bytes && sent < 1.001 * bytes && step > bound && step < 1.5 * bound)
        }' || fail "step of $step s with $sent bytes sent: $ranks ranks in groups of $group" "a$group.json"
    done
done
[ "$(values a1.json exchanging | wc -l)" -eq 2 ] || fail "no steps with exchange" a1.json
paste <(values a1.json exchanging) <(values a1.json step) | awk '$1 < $2 + 0.001 { exit 1 }' ||
    fail "a solve of 1 ms is not seen" a1.json

simulate fat-tree-100g again.json --group 4
cmp -s a4.json again.json || fail "two simulations differ" again.json
simulate fat-tree-10g slow.json
paste <(values slow.json step) <(values a1.json step) | awk '$1 < 4 * $2 { exit 1 }' ||
    fail "a tenth of the bandwidth is not slower" slow.json
simulate dragonfly-200g fly.json --reduce both --jitter 0.1
grep -q 'fastest on 16 ranks' "$log" || fail "no choice" "$log"

# A config is measured on the way, and its costs are a file that can be used again.
"$HISS" simulate config.yaml --costs costs.yaml --ranks 2 --seconds 0.01 --platform "$platforms/fat-tree-100g.yaml" \
    >"$log" 2>&1 || fail "measure and simulate: exit $?" "$log"
grep -q '^phases:' costs.yaml || fail "no costs" costs.yaml

# Without SimGrid: a copy of the program has no hiss-smpi beside it; and a PATH without smpirun.
mkdir -p bin alone
cp "$HISS" alone/hiss
refused 1 "apt-get install libsimgrid-dev" alone/hiss simulate --costs wide.yaml --platform "$platforms/fat-tree-100g.yaml"
refused 1 "smpirun is not in PATH" env PATH="$PWD/bin" "$HISS" simulate --costs wide.yaml \
    --platform "$platforms/fat-tree-100g.yaml"
echo ok
