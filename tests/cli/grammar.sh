# Configs as a tired person writes them: each is answered with one line that says where, what was found, and what to write,
# exit code 2, and nothing left behind. And the forms that are right, among them the example of the help.
. "$HISS_ROOT/tests/cli/common"
small_run
ground='data: {file: data.h5}
train: {epochs: 1, lanes: 2, lane_samples: 4}'
lr='optim: {lr: 0.1}'

# wrong TEXT MESSAGE [SET]: a config of ground and TEXT, which begins in line 3, and the beginning of the message. FILE
# stands for the config's name. Four at a time.
count=0
jobs=()
wrong() {
    count=$((count + 1))
    (
        file=c$count.yaml log=log-$count
        printf '%s\n%b' "$ground" "$1" >$file
        refused 1 "hiss: error: ${2//FILE/$file}" "$HISS" train $file --run run-$count "${@:3}"
        [ ! -e run-$count ] || fail "left behind: $(find run-$count)" $log
    ) &
    jobs+=($!)
    [ ${#jobs[@]} -lt 4 ] || settle
}
settle() {
    for job in "${jobs[@]}"; do
        wait "$job" || exit 1
    done
    jobs=()
}

# The file.
ground=
wrong '- a\n- b\n' "FILE:2:1: expected lines of 'key: value', found a list"
wrong 'hello\n' "FILE:2:1: expected lines of 'key: value', found 'hello'"
wrong '' 'FILE: optim.lr is missing'
settle
ground='data: {file: data.h5}
train: {epochs: 1, lanes: 2, lane_samples: 4}'
wrong "$lr\n$lr\n" "FILE:4:1: key 'optim' is given twice, first in line 3; remove one of them"
wrong 'optim:\n\tlr: 0.1\n' 'FILE:4:1: not valid YAML: found character that cannot start any token while scanning for the next token; indent with spaces, not with tabs'
wrong 'optim:\n  lr 0.1\n' "FILE:4:3: 'optim' must be a section of 'key: value' lines, found 'lr 0.1'; write 'lr: 0.1', with"
wrong 'optim:\n  lr:0.1\n' "FILE:4:3: 'optim' must be a section of 'key: value' lines, found 'lr:0.1'; write 'lr: 0.1', with"
wrong 'optim:\n lr: 0.1\n  method: adam\n' 'FILE:5:9: not valid YAML: mapping values are not allowed in this context; indent'
wrong 'optim: {lr: 0.1\n' "FILE:4:1: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping; close the bracket of line 3, and"
wrong 'optimizer: {lr: 0.1}\n' 'FILE: optim.lr is missing'
wrong "$lr\noptimizer: {lr: 0.1}\n" "FILE:4:1: unknown key 'optimizer'; did you mean 'optim'?"
wrong "$lr\nlearning_rate: 0.1\n" "FILE:4:1: unknown key 'learning_rate'; expected one of seed, objective, "

# The section network.
wrong "$lr\nnetwork:\n  - conv\n" "FILE:5:3: 'network' must be a section of 'key: value' lines, found a list; its keys are preset, width, layers"
wrong "$lr\nnetwork: lenet-bn\n" "FILE:4:10: 'network' must be a section of 'key: value' lines, found 'lenet-bn'; its keys are"
wrong "$lr\nnetwork: {layers: lenet-bn}\n" "FILE:4:19: network.layers must be a list of layers, found 'lenet-bn'; did you mean network.preset?"
wrong "$lr\nnetwork:\n  layers:\n    conv: 4\n" "FILE:6:5: network.layers must be a list of layers, found a section; begin each layer with '- '"
wrong "$lr\nnetwork:\n  layers:\n    conv\n    relu\n" "FILE:6:5: network.layers must be a list of layers, found 'conv relu'; begin"
wrong "$lr\nnetwork:\n  layers:\n" 'FILE:5:10: network.layers must be a value, a list or a section, found nothing; indent the lines'
wrong "$lr\nnetwork: {layers: []}\n" 'FILE:4:19: network.layers has no layers; expected one or more'
wrong "$lr\n" '--set network.layers: network.layers has no layers; expected one or more' --set 'network.layers=[]'
wrong "$lr\nnetwork: {preset: lenet}\n" "FILE:4:19: network.preset must be one of lenet-bn, alexnet-bn, resnet18, resnet18-small, found 'lenet'; did you mean 'lenet-bn'?"
wrong "$lr\nnetwork: {preset: resnet, layers: [flatten]}\n" "FILE:4:19: network.preset must be one of lenet-bn, alexnet-bn"
wrong "$lr\nnetwork: {layers: [flatten]}\n" "--set network.preset: network.preset must be one of lenet-bn, alexnet-bn" --set network.preset=lenet
fit='the layers need images of at least 63 x 63, found 12 x 12: set augment.height and augment.width, or choose another network'
small="alexnet-bn: conv1: max_pool: a window of 3 x 3 does not fit an input of [4, 2, 2, 96] with pad 0; $fit"
wrong "$lr\nnetwork: {preset: alexnet-bn}\n" "FILE:4:19: network.preset $small"
wrong "$lr\n" "--set network.preset $small" --set network.preset=alexnet-bn

# Layers.
layers="$lr\nnetwork:\n  layers:\n    - "
wrong "$layers[conv, 4]\n" 'FILE:6:7: expected a layer, found a list; write {conv: 4}'
wrong "${layers}conv 4\n" "FILE:6:7: unknown layer 'conv 4'; write {conv: 4}"
wrong "${layers}conv\n" 'FILE:6:7: layer conv needs filters: {conv: NUMBER}'
wrong "${layers}BatchNorm2d\n" "FILE:6:7: unknown layer 'BatchNorm2d'; did you mean 'batch_norm'?"
wrong "${layers}lstm\n" "FILE:6:7: unknown layer 'lstm'; expected one of conv, conv_transposed, "
wrong "${layers}conv: 4\n      kernel: 3\n      relu:\n" 'FILE:8:7: conv and relu in one entry of the list; begin each layer with a'
wrong "${layers}conv:\n        kernel: 3\n" 'FILE:7:9: layer conv: found a section; write its keys beside its word, not below'
wrong "${layers}{from: a, kernel: 3}\n" 'FILE:6:7: no layer here, only from, kernel; name one layer in each entry'
wrong "${layers}{relu, from: z}\n" "FILE:6:20: no layer is named 'z'; no name can be used here, for no layer before has one"
wrong "${layers}{conv: 2, kernel: 1, name: z}\n" "FILE:6:7: layer 'z' has the name that the objective gives to the output of the network"
wrong "${layers}flatten\n    - {linear: 4, name: out}\n" "FILE:7:7: layer 'out' has the name of a layer that the objective adds"
wrong "$lr\n" "--set network.layers: unknown layer 'conv 4'; write {conv: 4}" --set 'network.layers=[conv 4]'

# Values that do not exist, and values that cannot go together: checked after parsing, said where they stand.
wrong "$lr\nobjective: natt\n" "FILE:4:12: objective must be one of nat, "
wrong "$lr\n" "--set objective: objective must be one of nat" --set objective=natt
wrong "$lr\nkernels: mkl\n" "FILE:4:10: kernels must be one of blas, ref, found 'mkl'"
wrong "$lr\ncheckpoint: {every: often}\n" "FILE:4:21: checkpoint.every: 'often'; expected for example 1 epoch"
wrong "$lr\nassign: {block: 7}\n" 'FILE:4:17: assign.block: 7 samples, but a block is whole lanes'
wrong "$lr\nassign: {solver: lapvj}\n" "FILE:4:18: assign.solver must be one of lapjv, sparse, auction, greedy, auto, found 'lapvj'; did you mean 'lapjv'?"
wrong "$lr\nnat: {targets: 3}\n" 'FILE:4:16: nat.targets: 3, fewer than the 600 samples'
wrong "$lr\naugment: {scale_min: 2}\n" 'FILE:4:22: augment.scale_min: 2 is above augment.scale_max 1'
wrong "$lr\nobjective: autoencoder\naugment: {height: 10}\n" 'FILE:4:12: objective: autoencoder needs square inputs of at least 8 x 8, found 10 x 12; set augment.height'
wrong 'optim: {lr: 0.1, nesterov: true}\n' 'FILE:3:28: optim.nesterov: true needs optim.momentum above 0, found 0'
wrong 'optim: {lr: 0.1, method: adamw, momentum: 0.9}\n' 'FILE:3:43: optim.momentum: expected 0 with method adamw, found 0.9'
settle

# right RUN LAYERS [SET]: one epoch of training.
right() {
    printf '%s\n%s\nnetwork:\n  layers:\n%s\n' "$ground" "$lr" "$(sed 's/^/    /' <<<"$2")" >config.yaml
    train 1 "$1" "${@:3}"
}
"$HISS" train --help | sed -n '/^  layers:$/,/^[A-Z]/p' | grep '^    - ' >example
[ "$(wc -l <example)" -ge 5 ] && grep -q 'from:' example && grep -q 'relu, name' example || fail 'no example in the help' example
sed -n 's/^    \(    - \)/\1/p' "$HISS_ROOT/README.md" | cmp -s - example || fail "README.md has another example than the help" example
right helped "$(cat example)"
# Forms of one network, also as the resolved config writes it: the same bits.
head='- {conv: 4, kernel: 3, name: a}
- {max_pool: 2, name: b}
- {conv: 5, kernel: 3, from: a}'
right one "$head
- {relu, from: a, name: r}"
right two "$head
- from: a
  name: r
  relu:"
right three "$head
- {name: r, relu: null, from: a}" --set objective=nat
same one two
same one three
on 1 "$HISS" train one/config.yaml --run four
[ $status -eq 0 ] || fail "the resolved config is refused" log
same one four
# A method with labels takes maps as the others do.
right scores '- {conv: 4, kernel: 3}' --set objective=supervised
echo ok
