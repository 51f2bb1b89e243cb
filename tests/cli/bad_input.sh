# Bad input, on one rank and on two: exit 2, one line of error in total that names the thing, and nothing left behind.
. "$HISS_ROOT/tests/cli/common"
small_run

"$odd_h5" negative.h5 /images=u8:600x12x12 /labels=i32:600:-1
"$odd_h5" dates.h5 /images=u8:600x12x12 /labels=i64:600:1000000000
"$odd_h5" few_labels.h5 /images=u8:600x12x12 /labels=i64:599
"$odd_h5" columns.h5 /images=u8:600x12x12 /labels=f32:600x6
"$odd_h5" one_class.h5 /images=u8:600x12x12 /labels=u8:600:0
"$odd_h5" unlabelled.h5 /images=u8:600x12x12
"$odd_h5" flat.h5 /images=u8:600x144
"$odd_h5" deep.h5 /images=u8:6x2x12x12x1
"$odd_h5" empty.h5 /images=u8:0x12x12
"$odd_h5" few.h5 /images=u8:47x12x12
head -c 60000 data.h5 >truncated.h5
head -c 100 data.h5 >stub.h5
echo 'no data' >text.h5
cp data.h5 damaged.h5
printf '\1' | dd of=damaged.h5 bs=1 seek=50000 conv=notrunc 2>/dev/null
sed 's/^optim: {lr: 0.1,/optim: {lr: fast,/' config.yaml >bad_value.yaml
sed 's/^  layers:/  layer:/' config.yaml >bad_key.yaml
sed 's/max_pool: 2/max_pol: 2/' config.yaml >bad_layer.yaml
sed 's/^nat: {dim: 8}/nat: {dim: 8/' config.yaml >bad_yaml.yaml
mkdir folder

# bad TEXT ARGUMENT...: arguments to train after the config; $config is the config. One rank and two at the same time.
config=config.yaml
bad() {
    local text=$1 ranks jobs=()
    shift
    for ranks in 1 2; do
        (
            log=log-$ranks run=run-$ranks
            refused $ranks "$text" "$HISS" train $config --run $run "$@"
            [ ! -e $run ] || fail "left behind: $(find $run)" $log
        ) &
        jobs+=($!)
    done
    wait "${jobs[0]}" && wait "${jobs[1]}" || exit 1
}

# The data.
bad "the data file missing.h5 does not exist (looked in $PWD)" --set data.file=missing.h5
bad 'data.h5: has no data set /pictures; it has: /images, /labels' --set data.images=/pictures
bad 'data.h5: has no data set /classes; it has: /images, /labels' --set data.labels=/classes --set objective=supervised
bad 'folder: is a folder' --set data.file=folder
bad 'data set /images holds uint8 [600,144]; expected [n,H,W,C] or [n,H,W] of integers of 8 to 64 bits, float16' --set data.file=flat.h5
bad 'uint8 [6,2,12,12,1]; expected [n,H,W,C] or [n,H,W]: name its axes; data.layout: NdHWC' --set data.file=deep.h5
bad 'data set /images is empty' --set data.file=empty.h5
# Labels that a method needs, and that are none.
supervised=(--set objective=supervised)
bad 'all 600 labels of data set /labels mean that there is none (they are -1' --set data.file=negative.h5 "${supervised[@]}"
bad 'int64 [599]; expected integers [600]' --set data.file=few_labels.h5 "${supervised[@]}"
bad 'float32 [600,6], 6 columns, and row 0 is not one-hot' --set data.file=columns.h5 "${supervised[@]}"
bad 'needs labels, but unlabelled.h5 has no data set /labels' --set data.file=unlabelled.h5 "${supervised[@]}"
bad 'needs labels of at least 2 classes' --set data.file=one_class.h5 "${supervised[@]}"
bad 'needs labels of at least 2 classes' --set data.file=dates.h5 "${supervised[@]}"
bad 'truncated.h5: incomplete HDF5 file' --set data.file=truncated.h5
bad 'stub.h5: ' --set data.file=stub.h5
bad 'text.h5: not an HDF5 file' --set data.file=text.h5
bad 'damaged.h5: the pixels and labels have SHA-256' --set data.file=damaged.h5
bad 'few.h5 has 47 samples: 12 lanes get shards of 3, fewer than train.lane_samples = 4' --set data.file=few.h5

# Damage that only shows while training streams the data, in rows that are not read at the start: the rank that finds it
# speaks for all.
"$HISS" prepare idx --images images.idx --output packed.h5 --deflate 5 --chunk 2 2>log || fail 'no packed.h5' log
head -c 60 /dev/zero | dd of=packed.h5 bs=1 seek=$(($(stat -c %s packed.h5) * 3 / 4)) conv=notrunc 2>/dev/null
for ranks in 1 2 4; do
    refused $ranks 'data set /images: inflate() failed; the file is damaged' "$HISS" train config.yaml --run run \
        --set data.file=packed.h5 --set data.verify=false --set data.mode=stream --set data.window=50
    [ ! -e run/summary.yaml ] && [ -z "$(find run -name '*tmp*')" ] || fail "left behind: $(find run)" log
    rm -r run
done

# The config.
config=bad_value.yaml bad "bad_value.yaml:17:13: optim.lr must be a number in 0..1000000, found 'fast'"
config=bad_key.yaml bad "bad_key.yaml:5:3: unknown key 'network.layer'; did you mean 'network.layers'?"
config=bad_layer.yaml bad "bad_layer.yaml:7:8: unknown layer 'max_pol'; did you mean 'max_pool'?"
config=bad_yaml.yaml bad 'bad_yaml.yaml:16:'
bad "--set train.epochs: train.epochs must be an integer in 1..1000000000, found 'many'" --set train.epochs=many
bad "fc1/norm: batch_norm has 1 value per channel to normalise" --set train.lane_samples=1
bad "decoder1/norm: batch_norm has 1 value per channel" --set train.lane_samples=1 --set objective=autoencoder \
    --set 'network.layers=[{conv: 4, kernel: 3}, {max_pool: 2}]'
bad 'max_pool: pad 2 is more than half of the window of 2 x 2' --set 'network.layers=[{max_pool: 2, pad: 2}]'
bad '--set assign.block: 7 samples, but a block is whole lanes' --set assign.block=7
bad 'choose one of 4, 8, 12, 16, 24, 48' --set assign.block=20
bad "--set assign.solver: assign.solver must be one of lapjv" --set assign.solver=lapvj
bad "--set objective: objective must be one of nat, " --set objective=natt
bad '--set nat.targets: 599, fewer than the 600 samples' --set nat.targets=599
bad "layer 'z' has the name that the objective gives to the output of the network; give it another name" --set 'network.layers=[{conv: 4, kernel: 3, name: z}, flatten]'
bad 'needs rows [N,D] as input: add flatten' --set 'network.layers=[{linear: 4}, {conv: 2, kernel: 3}]'

# A run without a checkpoint does not speak of one.
refused 1 'optim.weight_decay, 1e+06, must stay below 1: lower one of them; there is no checkpoint yet' "$HISS" train config.yaml \
    --run run --set objective=autoencoder --set optim.lr=1e6 --set optim.weight_decay=1 --set checkpoint.every=never
rm -r run

# Numbers that run away: after an epoch the earlier checkpoint stays, and there is no summary. All methods but sparse, whose
# atoms have length 1 whatever the rate.
all=$(methods)
colors
others
for objective in $all; do
    [ "$objective" != sparse ] || continue
    data=(--set data.file=data.h5)
    case $objective in
    colorization | split_brain) data=(--set data.file=colors.h5) ;;
    ladder) data+=(--set data.labelled=1) ;;
    word2vec | wavenet | svg | multiscale | sv2p | ambient_sound | temporal_order | moving_objects)
        mapfile -t data < <(other_data $objective | tr " " "\n" | grep .)
        ;;
    esac
    for ranks in 1 2; do
        refused $ranks 'training has diverged; the learning rate may be too high (optim.lr = 1e+06)' "$HISS" train config.yaml --run run \
            --set objective=$objective --set optim.lr=1e6 --set optim.weight_decay=1000 --set "checkpoint.every=1 epoch" \
            --set augment.contrast=0 --set network.layers=null "${data[@]}" # some need pixels of 0..1, some have layers of their own
        [ ! -e run/summary.yaml ] || fail 'a summary of a run that failed'
        [ -z "$(find run -name '*tmp*')" ] || fail "left behind: $(find run)" log
        rm -r run
    done
done
echo ok
