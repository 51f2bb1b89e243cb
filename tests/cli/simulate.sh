#!/bin/bash
# hiss simulate: costs are measured and read back, simulated steps and permutations keep above what the links allow, two
# runs agree to the last digit, a replay runs on the real MPI; what cannot be projected is refused at the start; the
# simulator and the platforms are found wherever hiss is; and nothing is left in the temporary directory.
. "$HISS_ROOT/tests/cli/common"

platforms=$HISS_ROOT/configs/platforms
small_run
refused 1 "simulate needs a config to measure" "$HISS" simulate
refused 1 "no-such.yaml does not exist" "$HISS" simulate --costs costs.yaml --platform "$platforms/no-such.yaml"
refused 1 "costs file absent.yaml does not exist" "$HISS" simulate --costs absent.yaml --platform "$platforms/fat-tree-10g.yaml"
refused 1 "platform 'fat-tre' is not known (looked in configs/platforms, " "$HISS" simulate --costs costs.yaml --platform fat-tre
refused 1 "fat-tree-100g-tapered" "$HISS" simulate --costs costs.yaml --platform fat-tre
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
# A permutation of 40,000 samples of 1,000 floats before every second epoch: 160 MB to move in each of three rounds.
sed 's/share: 0.5, repeat: 0, dim: 8, block: 16/share: 0, repeat: 0, dim: 1000, block: 0/
    /^solves/i permutation: {share: 0.5, samples: 40000, block: 100, views: 2, rounds: 3, grouped: true, feature: 1e-5, sort: 1e-9}
    s/^solves.*/solves: [[100, 0.001]]/' narrow.yaml >permuted.yaml

# ---- what cannot be projected is refused before anything is simulated ----

refuse() { # TEXT ARGUMENT...
    refused 1 "$1" "$HISS" simulate --platform fat-tree-100g "${@:2}"
    ! grep -q 'projection by simulation' "$log" || fail 'refused in the middle' "$log"
}
refuse '16 ranks x 1 threads, but 8 lanes over all' --costs wide.yaml --kind strong --lanes 8 --ranks 1,4,16
refuse 'blocks of 12 samples are not whole lanes of 4 that divide the 4 lanes on 4 ranks; choose others with --blocks: batch, 4, 8, 16' \
    --costs wide.yaml --ranks 4,8 --blocks 8,12
refuse 'blocks of 16 samples are not whole lanes of 4 that divide the 6 lanes on 6 ranks; choose others with --blocks: batch, 4, 8' \
    --costs wide.yaml --ranks 2,4,6
refuse 'blocks of 16384 samples are solved by all ranks together' --costs permuted.yaml --ranks 1,2 --blocks 100,16384
refuse '40000 samples are too few for 16384 lanes of 4 on 16384 ranks' --costs permuted.yaml --ranks 2,16384
sed 's/samples: 40000, //' permuted.yaml >unknown.yaml
refuse 'give --samples N' --costs unknown.yaml --ranks 1,2
refuse '--blocks: expected up to 1 numbers' --costs wide.yaml --blocks batch,zero
on 2 "$HISS" simulate --replay permuted.yaml --lanes 4 --samples 400 --communication
{ [ $status -eq 0 ] && grep -q 'permutation: 0.0*[1-9].* move: 0.0*[1-9]' "$log"; } || fail "replay of a permutation: exit $status" "$log"

on 2 "$HISS" simulate --replay narrow.yaml --lanes 4 --block 16
{ [ $status -eq 0 ] && grep -q '^{step: 0.0[1-9]' "$log"; } || fail "replay on two ranks: exit $status" "$log"

if ! command -v smpirun >/dev/null || [ ! -x "$(dirname "$HISS")/hiss-smpi" ]; then
    echo "smpirun or hiss-smpi: not found, simulation not tested"
    refused 1 "apt-get install libsimgrid-dev" "$HISS" simulate --costs wide.yaml --ranks 4 --platform fat-tree-100g
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


# The permutation: matching, features and rows are what arithmetic and the links say; blocks are named in the table.
"$HISS" simulate --costs permuted.yaml --ranks 4,8 --steps 1 --platform fat-tree-10g --json p.json >"$log" 2>&1 ||
    fail "simulate a permutation: exit $?" "$log"
for ranks in 4 8; do
    line=$((ranks == 4 ? 1 : 2))
    awk -v P=$ranks -v all="$(values p.json permutation | sed -n ${line}p)" -v mean="$(values p.json mean_step | sed -n ${line}p)" \
        -v step="$(values p.json step | sed -n ${line}p)" 'BEGIN {
            features = 2 * 40000 / P * 1e-5
            matching = 3 * 400 / P * 0.001             # and 1e-6 for each target, 1e-8 for each score
            scores = 3 * 400 / P * (100 * 1e-6 + 100 * 100 * 1e-8)
            rows = 3 * 40000 / P * (P - 1) / P * 4016 / 1.25e9
            sorting = 2 * 1e-9 * 40000 * 60            # of nine levels at most 15 deep, on every rank
            bound = features + matching + scores + rows + sorting
            exit !(all > bound && all < 1.5 * bound && mean > step + 0.499 * all / int(10000 / P) && mean < step + 0.501 * all / int(10000 / P))
        }' || fail "permutation of $(values p.json permutation | sed -n ${line}p) s on $ranks ranks" "$log"
done
[ "$(values p.json block | sort -u)" = 100 ] || fail 'not the block of the costs' p.json
grep -q 'permut. s' "$log" || fail 'no column for the permutation' "$log"
"$HISS" simulate --costs wide.yaml --ranks 4,8 --steps 1 --communication --blocks batch,8 --json b.json >"$log" 2>&1 ||
    fail "compare blocks: exit $?" "$log"
[ "$(values b.json block | tr '\n' ' ')" = '16 32 8 8 ' ] || fail 'the whole batch has no size' b.json
! grep -qE 'blocks of 0| 0 \|' "$log" || fail 'blocks of 0' "$log"

# A config is measured on the way, whatever its scope, with the load of the machine; its costs can be used again.
for scope in batch dataset; do
    "$HISS" simulate config.yaml --set assign.scope=$scope --costs $scope.yaml --ranks 2 --seconds 0.01 >"$log" 2>&1 ||
        fail "measure and simulate: exit $?" "$log"
    grep -q '^phases:' $scope.yaml || fail "no costs" $scope.yaml
    grep -q '^measured: .*load [0-9.]* on [0-9]* processors' $scope.yaml || fail 'no load' $scope.yaml
    grep -q '^measuring: a block of 1024 is solved in' "$log" || fail 'no progress' "$log"
    "$HISS" simulate --costs $scope.yaml --ranks 2,4 >"$log" 2>&1 || fail "the costs of scope $scope: exit $?" "$log"
done
grep -q '^permutation: {share: 0.6, samples: 600, block: 1024, .* feature: [1-9]' <(tr -d '\n' <dataset.yaml | sed 's/perm/\nperm/; s/  */ /g') ||
    fail 'no costs of the permutation' dataset.yaml
grep -q 'permut. s' "$log" || fail 'the permutation of scope dataset is not projected' "$log"
[ -z "$(grep -o 'permutation:' batch.yaml)" ] || fail 'scope batch has a permutation' batch.yaml
! "$HISS" simulate config.yaml --set assign.scope=dataset --set data.file=absent.h5 --size 12x12x1 --ranks 2 --seconds 0.01 >"$log" 2>&1 ||
    fail 'a permutation of nobody knows how many samples' "$log"
grep -q 'give --samples N' "$log" || fail 'no way out' "$log"

# ---- installed, in a build, alone ----

root=$PWD
mkdir -p empty bin tools
for tool in bash cat dirname env grep mpirun readlink sed; do ln -s "$(command -v $tool)" bin/$tool; done
prefix="$root/in stalled"
mkdir -p "$prefix/bin" "$prefix/libexec/hiss" "$prefix/share/hiss"
cp "$HISS" "$prefix/bin/hiss"
cp -r "$platforms" "$prefix/share/hiss/platforms"
refused 1 "the simulator hiss-smpi is missing: it is neither" "$prefix/bin/hiss" simulate --costs wide.yaml --ranks 4
grep -q '`make simulate` builds it' "$log" || fail 'SimGrid is here, and blamed' "$log"
refused 1 "apt-get install libsimgrid-dev" env PATH="$root/bin" "$prefix/bin/hiss" simulate --costs wide.yaml --ranks 4
refused 1 "smpirun is not in PATH" env PATH="$root/bin" "$HISS" simulate --costs wide.yaml --ranks 4

# ---- what is left behind ----

mkdir tmp
export TMPDIR=$root/tmp
slow() { # until it simulates
    : >"$log"
    env --default-signal=INT,TERM,HUP "$@" >"$log" 2>&1 &
    simulation=$!
    for ((k = 0; k < 600; k++)); do
        [ -z "$(find tmp -name hosts)" ] || break
        sleep 0.05
    done
    [ -n "$(find tmp -name hosts)" ] || fail 'nothing is simulated' "$log"
}
many=("$HISS" simulate --costs wide.yaml --ranks 256 --steps 1000)
for signal in INT TERM HUP; do
    slow "${many[@]}"
    kill -$signal $simulation
    status=0
    wait $simulation || status=$?
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal: exit $status" "$log"
    [ -z "$(ls tmp)" ] || fail "SIG$signal leaves $(ls tmp)"
done
# While it measures, too.
: >"$log"
env --default-signal=TERM "$HISS" simulate config.yaml --seconds 60 >"$log" 2>&1 &
simulation=$!
for ((k = 0; k < 600; k++)); do
    ! grep -q 'measuring: steps' "$log" || break
    sleep 0.05
done
kill -TERM $simulation
wait $simulation && fail 'a measurement that was ended ends well' "$log"
[ -z "$(find tmp -name "hiss-*")" ] || fail "a measurement leaves $(ls tmp)"
rm -rf tmp/ompi*

# SIGKILL leaves the directory; the next one takes it, but not that of one who lives, of others, or of another host.
slow "${many[@]}"
living=$simulation kept=$(ls tmp)
slow "${many[@]}"
for ((k = 0; k < 600; k++)); do
    [ "$(find tmp -name hosts | wc -l)" -lt 2 ] || break
    sleep 0.05
done
kill -KILL $simulation
wait $simulation 2>/dev/null || :
mkdir "tmp/hiss-simulate-elsewhere-1-2-abcdef" "tmp/hiss-simulate-$(hostname)-x-2-abcdef" tmp/hiss-simulate-abcdef tmp/other
[ "$(ls tmp | wc -l)" -eq 6 ] || fail "not one directory of the dead, one of the living, four of others: $(ls tmp)"
"$HISS" simulate --costs wide.yaml --ranks 2 --steps 1 --communication >"$log" 2>&1 || fail "after SIGKILL: exit $?" "$log"
[ "$(ls tmp | wc -l)" -eq 5 ] && [ -d "tmp/$kept" ] || fail "swept: $(ls tmp)"
kill -TERM $living
wait $living 2>/dev/null || :
echo ok
