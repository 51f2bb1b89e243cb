#!/bin/bash
# What simulated ranks exchange is what the trainer's ranks exchange: as many messages of as many bytes, whole rows and
# lists, a block of all lanes and several blocks, on as many ranks, and per lane that is not on the coordinator's rank on
# more.
. "$HISS_ROOT/tests/cli/common"

if ! command -v smpirun >/dev/null || [ ! -x "$(dirname "$HISS")/hiss-smpi" ]; then
    echo "smpirun or hiss-smpi: not found, simulation not tested"
    echo ok
    exit 0
fi
"$HISS_ROOT/tools/tiny_data" . 2400 12
"$HISS" prepare idx --images images.idx --labels labels.idx --output data.h5 2>prepare.log || fail "no data set" prepare.log
cat >config.yaml <<'END'
data: {file: data.h5}
augment: {}
network: {layers: [flatten]}
nat: {dim: 32}
assign: {every: 1}
optim: {lr: 0.01}
train: {epochs: 1}
END

# value JSON KEY: its last value
value() {
    awk -v key="\"$2\":" '$1 == key { sub(",", "", $2); value = $2 } END { printf "%.0f\n", value }' "$1"
}

# trained LANES m BLOCK SETTING...: messages and bytes of a step of the trainer on 4 ranks.
trained() {
    local setting arguments=()
    for setting in "${@:4}"; do arguments+=(--set "assign.$setting"); done
    on 4 "$HISS" bench step config.yaml --seconds 0.001 --json trained.json --set "train.lanes=$1" \
        --set "train.lane_samples=$2" --set "assign.block=$3" "${arguments[@]}"
    [ $status -eq 0 ] || fail "bench step: exit $status" "$log"
    messages=$(value trained.json exchange_messages) bytes=$(value trained.json exchange_bytes)
}

# simulated RANKS LANES m BLOCK TIMES ROWS K: the same of a simulated step in which lists are sent TIMES times.
simulated() {
    cat >costs.yaml <<END
config: none
processor: none
lane: {samples: $3, threads: 1, load: 0, augment: 0, supply: 0}
reduce: {add: 0, update: 0}
exchange: {share: 1, repeat: 0, dim: 8, block: $4, rows: $6, k: $7, ahead: 100, target: 1e-7, score: 1e-9}
solves: [[$4, 0.001]]
lists: [[$4, 0.001, $5]]
buckets: [1000]
phases:
  - cut: 1
    final: [0]
    nodes: [[only, 0.005, 0.005]]
END
    "$HISS" simulate --costs costs.yaml --ranks "$1" --kind strong --lanes "$2" --json simulated.json >"$log" 2>&1 ||
        fail "simulate: exit $?" "$log"
    sim_messages=$(value simulated.json exchange_messages) sim_bytes=$(value simulated.json exchange_bytes)
}

# same_exchange LANES m BLOCK LANES_ELSEWHERE ROWS K MOST: on 4 ranks. How often lists are sent depends on scores, which
# a simulation does not have: from what the trainer sent, at most MOST times, all scores after them included.
same_exchange() {
    trained "$1" "$2" "$3" "rows=$5" "k=$6"
    times=$(((messages / $4 - 2) / 2))
    { [ $times -ge 0 ] && [ $times -le "$7" ]; } || fail "lists are sent $times times" trained.json
    simulated 4 "$1" "$2" "$3" $((times ? times : 1)) "$5" "$6"
    [ "$messages $bytes" = "$sim_messages $sim_bytes" ] ||
        fail "$1 lanes of $2 in blocks of $3, $5: the trainer sends $messages messages of $bytes bytes, simulated $sim_messages of $sim_bytes"
}

same_exchange 4 64 256 3 dense 48 0  # one block, whole rows
same_exchange 4 64 128 2 dense 48 0  # two blocks
same_exchange 4 64 256 3 auto 2 5    # lists, and then all scores
same_exchange 8 32 256 6 topk 250 1  # lists at once
[ "$times" -eq 1 ] || fail "long lists do not do at once" trained.json
trained 4 16 lane
[ "$messages" -eq 0 ] || fail "blocks of one lane send $messages messages" trained.json

# 64 lanes in one block of 2048: 48 are on other ranks than the coordinator of 4, and 63 of 64. Numbers of targets go to all.
same_exchange 64 32 2048 48 auto 48 5
each="$((messages / 48)) $(((bytes - 3 * 8 * 2048) / 48))"
[ $((bytes / 48)) -lt $((32 * 2048 * 4)) ] || fail "lists are no shorter than rows" trained.json
simulated 64 64 32 2048 $times auto 48
[ "$each" = "$((sim_messages / 63)) $(((sim_bytes - 63 * 8 * 2048) / 63))" ] ||
    fail "a lane sends and gets $each on 4 ranks; on 64 simulated ones $sim_messages messages of $sim_bytes bytes in all" "$log"
echo ok
