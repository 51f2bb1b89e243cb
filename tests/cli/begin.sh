# What a method finds out only when it looks at all samples, before its first step: a run that cannot begin leaves nothing,
# an earlier one stays as it is, and the message has the place of its key. What is measured then is not frozen before it
# is there.
. "$HISS_ROOT/tests/cli/common"
small_run
colors
"$odd_h5" grey.h5 /images=u8:60x12x12x3:77
mkdir old && echo kept >old/config.yaml
contents old >as-before

# cannot METHOD FILE KEY TEXT YAML: the key is at its place in the file; on one rank and on two.
cannot() {
    local method=$1 data=$2 key=$3 text=$4 where
    printf '%s\n' "objective: $method" "data: {file: $data}" 'optim: {lr: 0.01}' "$5" >begin.yaml
    where=$(awk -v word="${key##*.}: " '(at = index($0, word)) { print NR ":" at + length(word); exit }' begin.yaml)
    for ranks in 1 2; do
        refused $ranks "begin.yaml:$where: $key: $text" "$HISS" train begin.yaml --run new
        [ ! -e new ] || fail "$method, which cannot begin, leaves $(find new)"
    done
    refused 1 "$key: $text" "$HISS" train begin.yaml --run old
    contents old | cmp - as-before || fail "$method, which cannot begin, changes what was there: $(find old)"
}
train='train: {lane_samples: 4, epochs: 1, freeze: null}'
frozen='as it is, but it is all 0, since it was never measured; name a run that has measured it in train.init, or'
maps="network: {layers: [{conv: 4, kernel: 3, name: conv1}]}
$train"
for method in colorization split_brain; do
    cannot $method grey.h5 objective 'none of the 60 training images of grey.h5 has a colour that could be learnt' "$maps"
    cannot $method colors.h5 train.freeze "keeps colors/prior (the shares of colours) $frozen" "${maps/null/[colors]}"
done
for method in psd sparse; do
    rows="whiten: {on: true}
$train"
    [ $method != psd ] || rows+=$'\nnetwork: {layers: [flatten]}\naugment: {height: 6, width: 6, crop: random}'
    cannot $method grey.h5 whiten.on 'every training patch is of one grey' "$rows"
    cannot $method data.h5 train.freeze "keeps whiten/matrix (what whitens patches) $frozen" "${rows/null/[whiten]}"
done

# What the advice says: a run that has measured it is taken over, and another measures anew where nothing is frozen.
printf '%s\n' 'objective: colorization' 'data: {file: colors.h5}' 'optim: {lr: 0.01}' "$maps" >config.yaml
train 1 measured
grep -q '^hiss: colours: ' log || fail 'not measured' log
train 2 taken --set train.init=measured --set 'train.freeze=[colors]'
! grep -q '^hiss: colours: ' log || fail 'measured though frozen' log
train 1 again --set train.init=measured
grep -q '^hiss: colours: ' log || fail 'not measured' log
# Without them in its source a run has none to keep.
train 1 flat --set objective=autoencoder --set 'network.layers=[{conv: 4, kernel: 3, name: conv1}, flatten, {linear: 4}]'
refused 1 "--set train.freeze: keeps colors/prior (the shares of colours) $frozen" \
    "$HISS" train config.yaml --run new --set train.init=flat --set train.freeze=colors
[ ! -e new ] || fail 'left behind'
echo ok
