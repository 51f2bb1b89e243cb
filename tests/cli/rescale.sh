# train.init_rescale: outputs of each channel have deviation 1; what was taken over computes what it did; ranks, threads and
# stops show in no bit; what cannot be rescaled is said.
. "$HISS_ROOT/tests/cli/common"
small_run
# As many samples as are measured, so that all are. A named relu: its block's name is a place of its own.
"$HISS_ROOT/tools/tiny_data" few 500 12
"$HISS" prepare idx --images few/images.idx --labels few/labels.idx --output few.h5 2>log || fail 'no data set' log
plain='[{conv: 4, kernel: 3, pad: 1, name: conv1}, {relu, name: map1}, {max_pool: 2}, {conv: 6, kernel: 3, pad: 1, stride: 2, bias: false, name: conv2}, {leaky_relu: 0.1, name: map2}, flatten, {linear: 16, name: fc1}, {relu, name: map3}]'
set=(--set objective=classify --set data.file=few.h5 --set augment.shift=0 --set augment.flip=false --set augment.contrast=0)
still=(--set train.steps=1 --set optim.lr=1e-30 --set train.statistics_momentum=1e-6) # changes no parameter
said() { grep -qF -- "$1" log || fail "not said: $1" log; }

# deviations RUN LAYER CHANNELS: the least and the most of them, over samples and positions; file means: the same of means.
deviations() {
    "$HISS" features "$1" --data few.h5 --layer "$2" --output "$1-$2.csv" >log 2>&1 || fail "no features of $1" log
    tail -n +2 "$1-$2.csv" | sed 's/,[^,]*$//' | awk -F, -v C="$3" '
        { for (k = 1; k <= NF; k++) { c = (k - 1) % C; n[c]++; sum[c] += $k; square[c] += $k * $k } }
        END { for (c = 0; c < C; c++) { m = sum[c] / n[c]; d = sqrt(square[c] / n[c] - m ^ 2)
                  low = c == 0 || m < low ? m : low; high = c == 0 || m > high ? m : high
                  least = c == 0 || d < least ? d : least; most = d > most ? d : most }
              printf "%.3f %.3f", least, most
              printf "%.3f %.3f\n", low, high >"means" }'
}
expect_one() { # RUN LAYER CHANNELS
    [ "$(deviations "$@")" = '1.000 1.000' ] || fail "$1: deviations of $2: $(deviations "$@")"
}
# scores RUN RUN: both give the same scores.
scores() {
    local run
    for run; do
        "$HISS" features "$run" --data few.h5 --layer scores --output "$run.csv" >log 2>&1 || fail "no scores of $run" log
    done
    paste -d, "$1.csv" "$2.csv" | tail -n +2 | awk -F, '
        { for (k = 1; k <= 10; k++) { d = $k - $(k + 11); worst = d > worst ? d : -d > worst ? -d : worst; s += $k * $k } }
        END { exit !(NR == 500 && s > 0 && worst < 1e-4 * sqrt(s / NR)) }' || fail "other scores: $1 and $2"
}

# ---- of layers without batch norm: new ones, and taken over ----

train 1 source "${set[@]}" --set network.layers="$plain" --set train.epochs=2 --set optim.lr=0.01
layers=("${set[@]}" "${still[@]}" --set network.layers="$plain")
[ "$(deviations source conv2 6)" != '1.000 1.000' ] || fail 'there is nothing to rescale'
for how in within between; do
    train 1 "new-$how" "${layers[@]}" --set train.init_rescale=$how
    said 'init_rescale: 4 layers new: conv1, conv2, fc1, scores'
    train 1 "taken-$how" "${layers[@]}" --set train.init=source --set train.init_rescale=$how
    said 'init_rescale: 3 layers taken over, which compute what they did: conv1, conv2, fc1'
    said 'init_rescale: 1 layers as they are, since nothing above can undo a scale: scores'
    [ $how = within ] || said 'init_rescale: gradient over weights, of layers: '
    scores source "taken-$how"
done
for layer in conv1,4 conv2,6 fc1,16; do
    expect_one new-within "${layer%,*}" "${layer#*,}"
    expect_one taken-within "${layer%,*}" "${layer#*,}"
done
expect_one new-within scores 10
[ "$(cat means)" = '0.100 0.100' ] || fail "means of new outputs: $(cat means)"
cmp -s <(hashes new-within) <(hashes new-between) && fail 'between does nothing'
train 1 part "${layers[@]}" --set train.init=source --set train.init_rescale=within \
    --set network.layers="${plain%]}, {linear: 12, name: fc2}, relu]"
said 'init_rescale: 3 layers taken over, which compute what they did: conv1, conv2, fc1'
said 'init_rescale: 2 layers new: fc2, scores'
expect_one part fc1 16

# ---- batch norm: running statistics follow, and the outputs are those of the source ----

train 1 norm "${set[@]}" --set train.epochs=2
for how in within between; do
    train 1 "norm-$how" "${set[@]}" "${still[@]}" --set train.init=norm --set train.init_rescale=$how --set 'train.freeze=[conv1]'
    said 'init_rescale: 2 layers taken over, which compute what they did: conv1, fc1'
    scores norm "norm-$how"
done

# ---- the same bits, and none of it twice ----

fine=(--set objective=classify --set train.epochs=2 --set train.init=norm)
train 1 none "${fine[@]}"
for how in within between; do
    sets=("${fine[@]}" --set train.init_rescale=$how)
    train 1 "one-$how" "${sets[@]}"
    cmp -s <(hashes none) <(hashes "one-$how") && fail "$how does nothing"
    for ranks in 2 3; do
        train $ranks "$ranks-$how" "${sets[@]}" --threads 2
        same "one-$how" "$ranks-$how"
    done
    train 2 "parts-$how" "${sets[@]}" --set train.steps=7
    mv norm lost
    train 1 "parts-$how" "${sets[@]}"
    mv lost norm
    said 'resumed from'
    ! grep -q init_rescale: log || fail 'rescaled again' log
    same "one-$how" "parts-$how"
done
refused 2 "train.init_rescale" "$HISS" train config.yaml --run one-within "${fine[@]}" --set train.init_rescale=between

# ---- refused ----

refused 1 "--set train.init_rescale: psd measures whiten/matrix after weights are rescaled" \
    "$HISS" train config.yaml --run mistake --set objective=psd --set train.init_rescale=within
train 1 flat "${set[@]}" --set 'network.layers=[flatten]' --set train.epochs=1
refused 2 '--set train.init_rescale: the encoder of classify has no layer that can be rescaled, but scores; set it to none' \
    "$HISS" train config.yaml --run mistake "${set[@]}" --set 'network.layers=[flatten]' --set train.init=flat --set train.init_rescale=within
[ ! -e mistake ] || fail "a run that could not begin leaves $(find mistake)"
echo ok
