# More ranks than lanes: those without a lane are counted once, take part in everything else, and change no bit.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's/lanes: 12, lane_samples: 4/lanes: 2, lane_samples: 16/' config.yaml

# counted RANKS TEXT
counted() {
    [ "$(grep -c ' ranks, but train.lanes is' log)" -eq 1 ] || fail "$1 ranks are not counted once" log
    grep -q "^hiss: warning: $1 ranks, but train.lanes is 2: $2" log || fail "not said: $2" log
}
train 1 straight
train 2 two --threads 2
! grep -q 'ranks, but train.lanes' log || fail 'two ranks for two lanes are counted' log
same straight two
train 3 three --set train.verify_replicas=1 --set train.nonfinite=skip
counted 3 '1 rank has no lane and only waits'
same straight three

# Stopped and continued, more ranks and fewer: every kind of state.
variants=("" "objective=supervised optim.method=adam optim.momentum=0 optim.lr=0.002" "assign.async=true assign.every=1"
    "assign.scope=dataset assign.block=100 assign.rounds=2" "data.mode=stream data.order=permuted assign.block=lane")
for variant in "${!variants[@]}"; do
    sets=(--set train.epochs=3)
    for setting in ${variants[variant]}; do sets+=(--set "$setting"); done
    train 1 "whole-$variant" "${sets[@]}"
    train 5 "parts-$variant" "${sets[@]}" --set train.steps=11
    counted 5 '3 ranks have no lane and only wait'
    train 2 "parts-$variant" "${sets[@]}" --set train.steps=29
    train 4 "parts-$variant" "${sets[@]}"
    grep -q 'resumed from .*step-29' log || fail 'not resumed' log
    same "whole-$variant" "parts-$variant"
done
train 5 sum-by-mpi --set dist.reduce=mpi --set train.steps=20

# ---- lanes 0 and 1 are on ranks 0 and 2 of 4: rank 3 has none ----

cat >ranks <<'END'
#!/bin/bash
echo $$ >"pid-$OMPI_COMM_WORLD_RANK"
exec "$@"
END
chmod +x ranks
# begin RUN ARGUMENT...: in the background, until the first epoch is over.
begin() {
    local run=$1 i
    shift
    rm -f pid-*
    mpirun -n 4 ./ranks "$HISS" train config.yaml --run "$run" --progress lines "$@" >"$run.log" 2>&1 &
    job=$!
    for ((i = 0; i < 3000; i++)); do
        ! grep -q '^epoch' "$run.log" || return 0
        sleep 0.01
    done
    fail "$run does not train" "$run.log"
}
# ended CODE RUN
ended() {
    local status=0
    wait $job || status=$?
    [ $status -eq "$1" ] || fail "exit $status instead of $1: $2" "$2.log"
}
long=(--set train.epochs=400 --set checkpoint.every=never)
train 2 long "${long[@]}"
begin asked "${long[@]}" # one rank alone: all must agree
kill -TERM "$(cat pid-3)"
ended 85 asked
train 3 asked "${long[@]}"
grep -q 'resumed from asked/ckpt/step-' log || fail 'not resumed' log
same long asked

begin stopped "${long[@]}" --set dist.watchdog=2
kill -STOP "$(cat pid-3)"
ended 70 stopped
grep -q 'hiss: error: .* rank 3 has given no sign of life' stopped.log || fail 'rank 3 is not named' stopped.log
echo ok
