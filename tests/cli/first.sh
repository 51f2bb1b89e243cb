# What NAT's first permutation matches (assign.first): the share of variance that the log names is the one of data of two
# directions; the same bits on any number of ranks and threads, and after an interruption; what is refused.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
dataset=(--set assign.scope=dataset --set assign.block=100 --set assign.rounds=3)

# ---- components ----

# Halves of one grey each vary in two directions, which a mirror image shares.
train 1 two "${dataset[@]}" --set data.file=halves.h5 --set nat.dim=2 --set assign.first=image --set train.epochs=1
grep -q 'first permutation: 2 principal components of image hold 100.0 % of the variance' log || fail 'two directions' log
train 1 one "${dataset[@]}" --set data.file=halves.h5 --set nat.dim=1 --set assign.first=image --set train.epochs=1
grep -q 'first permutation: 1 principal components of image hold [4-9][0-9]\.[0-9] % of the variance' log ||
    fail 'one of two directions' log

# ---- bits ----

for first in image conv1 fc1; do
    set -- "${dataset[@]}" --set "assign.first=$first"
    train 1 "$first-1" "$@"
    train 3 "$first-3" "$@" --threads 2
    same "$first-1" "$first-3"
    train 2 "$first-2" "$@" --set train.steps=5
    grep -q 'first permutation' log || fail "$first: nothing was permuted" log
    train 2 "$first-2" "$@" --resume auto
    ! grep -q 'first permutation' log || fail "$first: permuted twice" log
    same "$first-1" "$first-2"
done
train 1 z "${dataset[@]}" --set assign.first=z
train 1 default "${dataset[@]}"
same z default
for pair in 'image-1 conv1-1' 'image-1 z' 'conv1-1 fc1-1'; do
    [ "$(hashes "${pair% *}")" != "$(hashes "${pair#* }")" ] || fail "the same bits: $pair"
done

# ---- refused ----

refused 2 "assign.first: 'conv9' is none of image, conv1" "$HISS" train config.yaml --run run "${dataset[@]}" --set assign.first=conv9
refused 1 "assign.first: 'conv9' is none of image, conv1" "$HISS" train config.yaml --run run --set assign.first=conv9
refused 1 'assign.first' "$HISS" train config.yaml --run run "${dataset[@]}" --set assign.first=
sed 's/{conv: 4,/{conv: 60,/' config.yaml >wide.yaml
refused 1 'assign.first: conv1 has 2160 values a sample, but components are found of 2048 at most; name a later layer, or image' \
    "$HISS" train wide.yaml --run run "${dataset[@]}" --set assign.first=conv1
[ ! -e run ] || fail 'something was written'
echo ok
