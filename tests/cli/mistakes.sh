# What a tired person does at two in the morning: the answer says what was tried and what to do.
. "$HISS_ROOT/tests/cli/common"
small_run

# From another directory, or before prepare.
mkdir elsewhere
cd elsewhere
refused 1 "the data file data.h5 does not exist (looked in $WORK/elsewhere)" "$HISS" train ../config.yaml --run run
grep -q '`hiss prepare` writes one' log || fail 'no advice to prepare' log
refused 2 "the config config.yaml does not exist (looked in $WORK/elsewhere)" "$HISS" train config.yaml
cd ..
[ -z "$(ls -A elsewhere | grep -v log)" ] || fail "left in elsewhere: $(ls -A elsewhere)"

# Files that only some nodes have: rank 1 looks elsewhere, and all end with its message.
printf '#!/bin/bash\n[ "$OMPI_COMM_WORLD_RANK" != 1 ] || cd elsewhere\nexec "$@"\n' >lost
chmod +x lost
rm -f elsewhere/log
refused 3 "the config config.yaml does not exist (looked in $WORK/elsewhere)" ./lost "$HISS" train config.yaml
refused 2 "the data file data.h5 does not exist (looked in $WORK/elsewhere)" ./lost "$HISS" train "$WORK/config.yaml"
[ ! -e runs/config ] || fail "left behind: $(find runs)"

# Words in the wrong place.
refused 1 'train needs a config file' "$HISS" train
refused 1 "did you mean 'train'?" "$HISS" train config.yaml --set trian.epochs=2
refused 1 "did you mean 'train.epochs'?" "$HISS" train config.yaml --set epochs=2
for words in '--set train.epochs 2' '--set train.epochs' '--set=train.epochs'; do
    # shellcheck disable=SC2086
    refused 1 "--set expects KEY=VALUE, found 'train.epochs'; write --set train.epochs=VALUE" "$HISS" train config.yaml $words
done
refused 1 "unknown option '--train.epochs=2'; keys of the config are set by --set train.epochs=2" "$HISS" train config.yaml --train.epochs=2
refused 1 'keys of the config are set by --set train.epochs=VALUE' "$HISS" train config.yaml --train.epochs 2
refused 1 '--set eval.layers: eval.layers must be a text, found a list; write it without brackets: conv1,fc1' \
    "$HISS" train config.yaml --set 'eval.layers=[conv1, fc1]'
refused 1 "unexpected argument 'train.epochs=2'" "$HISS" train config.yaml train.epochs=2
refused 1 '--run needs a value' "$HISS" train config.yaml --run
refused 1 'data.h5:1:1: not a text file' "$HISS" train data.h5
: >empty.yaml
refused 1 'optim.lr is missing' "$HISS" train empty.yaml
printf 'data:\n\tfile: data.h5\n' >tab.yaml
refused 1 'indent with spaces, not with tabs' "$HISS" train tab.yaml

# A directory in the place of a config; a config that is not there.
for command in train doctor 'bench step' 'bench kernels' simulate; do
    for there in nowhere.yaml elsewhere; do
        # shellcheck disable=SC2086
        on 1 "$HISS" $command $there
        [ $status -eq 2 ] || fail "exit $status: $command $there" log
        what='does not exist (looked in '
        [ $there != elsewhere ] || what='is a directory'
        grep -q "the config $there $what.*; give the path of a YAML file" log || fail "no advice: $command $there" log
    done
done
[ ! -e runs/nowhere ] && [ ! -e runs/elsewhere ] || fail "left behind: $(find runs)"

# A place that takes no files: not even root may write into /proc.
refused 2 "cannot make directory '/proc/run': mkdir '/proc/run': No such file or directory; choose a place that can be written" "$HISS" train config.yaml --run /proc/run
refused 1 "'config.yaml' exists and is not a directory" "$HISS" train config.yaml --run config.yaml/run
refused 1 'check that the folder exists and allows writing' \
    "$HISS" prepare idx --images images.idx --output nowhere/data.h5

# prepare.
refused 1 'expected fashion-mnist, folder, hdf5, npz, webdataset' "$HISS" prepare
refused 1 'prepare idx needs --output' "$HISS" prepare idx --images images.idx
refused 1 'are images and labels swapped?' "$HISS" prepare idx --images labels.idx --labels images.idx --output x.h5
refused 1 'is an HDF5 file; expected an idx file' "$HISS" prepare idx --images data.h5 --output x.h5
head -c 5000 images.idx >cut.idx
refused 1 'cut.idx: truncated' "$HISS" prepare idx --images cut.idx --output x.h5
refused 1 'elsewhere: holds no pictures' "$HISS" prepare folder elsewhere --output x.h5
refused 1 '/nowhere/train-images-idx3-ubyte.gz is missing' "$HISS" prepare fashion-mnist --source /nowhere --output fashion
[ ! -e x.h5 ] && [ ! -e fashion ] || fail "prepare leaves $(ls)"

# Runs that are none, or none yet.
refused 2 'nowhere is not a run: it has no config.yaml' "$HISS" eval nowhere
refused 1 'elsewhere is not a run' "$HISS" query elsewhere
refused 1 'eval needs a run directory' "$HISS" eval
mkdir early && cp config.yaml early
refused 2 'early/ckpt holds no complete checkpoint' "$HISS" eval early
refused 1 'early/ckpt holds no complete checkpoint' "$HISS" query early

# The default run directory; a typo that must be answered before the work, not after it.
on 1 "$HISS" train config.yaml --set train.epochs=1 --set eval.test=tset.h5
[ $status -eq 0 ] && [ -s runs/config/summary.yaml ] || fail 'the default run directory is not runs/NAME' log
[ "$(grep -c 'hiss: warning: --set eval.test: tset.h5 is not there' log)" -eq 1 ] || fail 'no warning of a missing eval.test' log
refused 2 'the data file tset.h5 does not exist' "$HISS" eval runs/config
test=(--set eval.test=data.h5)
refused 1 "layer 'fc2' is not in this network; it has conv1, fc1, z" "$HISS" eval runs/config "${test[@]}" --set eval.layers=fc2
grep -q 'pixels' log && fail 'worked before it looked at eval.layers' log
refused 1 'the checkpoint x.h5 does not exist' "$HISS" eval runs/config "${test[@]}" --checkpoint x.h5
# A checkpoint that cannot be used, told before anything is judged.
newest=$(find runs/config/ckpt -name 'step-*.h5' | sort | tail -n 1)
head -c 3000 "$newest" >cut.h5
{ head -c 2500 "$newest" && printf x && tail -c +2502 "$newest"; } >damaged.h5
on 1 "$HISS" train config.yaml --run flat --set train.epochs=1 --set 'network.layers=[flatten, {linear: 16, name: fc1}]'
cp "$(find flat/ckpt -name 'step-*.h5')" other.h5
for part in 'cut.h5|no checkpoint, or not all of one' 'data.h5|no checkpoint, or not all of one' 'damaged.h5|damaged: its bytes' \
    'config.yaml|no checkpoint, or not all of one' 'other.h5|has no data set /model/conv1/weight'; do
    refused 2 "--checkpoint: ${part%%|*}: ${part#*|}" "$HISS" eval runs/config "${test[@]}" --checkpoint "${part%%|*}"
    ! grep -q 'pixels' log || fail "worked before it looked at $part" log
    refused 1 "--checkpoint: ${part%%|*}: ${part#*|}" "$HISS" query runs/config "${test[@]}" --checkpoint "${part%%|*}"
done
refused 1 "layer 'fc2' is not in this network" "$HISS" query runs/config "${test[@]}" --layer fc2
refused 1 "did you mean 'train.epochs'?" "$HISS" eval runs/config --set train.epohs=2
mv data.h5 moved.h5
refused 2 'the data file data.h5 does not exist' "$HISS" eval runs/config "${test[@]}"
mv moved.h5 data.h5

# What would be lost or written in the wrong place.
cksum images.idx labels.idx >before
refused 1 '--output images.idx is the file that is read' "$HISS" prepare idx --images images.idx --output images.idx
refused 1 '--output ./labels.idx is the file that is read' "$HISS" prepare idx --images images.idx --labels labels.idx --output ./labels.idx
cksum images.idx labels.idx | cmp -s - before || fail 'prepare has overwritten what it reads'
printf 'configs: {a: {file: config.yaml}}\nranks: [1]\nrepeats: 1\n' >study.yaml
refused 1 'runs/config is the directory of a run of hiss train; choose another --out' "$HISS" scale run study.yaml --out runs/config
[ ! -e runs/config/study.yaml ] && [ ! -e runs/config/points ] || fail 'a study in a run'
refused 1 '--nodes 3: no point of study.yaml is on so many nodes' "$HISS" scale run study.yaml --out new --nodes 3
[ ! -e new ] || fail 'a study of no points'

# A word or a path that is nearly right.
for word in config.yaml ckpt; do
    refused 1 "runs/config/$word is not a run, but runs/config is; give that" "$HISS" eval "runs/config/$word"
done
refused 1 'the checkpoint runs/config is a directory; those of a run are in RUN/ckpt' "$HISS" eval runs/config --checkpoint runs/config
refused 1 "unexpected argument 'images.idx'; files are given by --images" "$HISS" prepare idx images.idx --output x.h5
refused 1 'nowhere: cannot be read as a folder: No such file or directory; give the path of a folder' "$HISS" prepare folder nowhere --output x.h5
refused 1 'study.yaml holds no study: it has no study.yaml; give the --out of' "$HISS" scale report study.yaml
refused 1 '--set configs: must be a section of NAME' "$HISS" scale run study.yaml --out new --set configs=config.yaml
refused 1 "options have two dashes" "$HISS" train config.yaml -n 4
options=0 # an empty value, of each option of each command
for command in train eval query features doctor prepare bench scale simulate; do
    while read -r option; do
        [ "$option" != ignore-label ] || continue # '' is one
        refused 1 "hiss: error: --$option " "$HISS" $command "--$option="
        grep -q "is empty; give \|found ''" log || fail "not what is wrong: $command --$option=" log
        refused 1 "hiss: error: --$option " "$HISS" $command "--$option" ''
        options=$((options + 1))
    done < <("$HISS" $command --help | sed -n 's/^  --\([a-z-]*\)  *[^f ].*/\1/p')
done
[ $options -ge 59 ] || fail "only $options options in the helps"
on 1 "$HISS" doctor config.yaml --write 0 --run data.h5
[ $status -eq 2 ] && grep -q "^FAIL  --run 'data.h5' is a file" log || fail 'doctor takes data.h5 for a run directory' log

# An empty value where none is legal is refused before the work, and no advice leads to another error.
for key in eval.test eval.layers train.init data.file kernel_table; do
    for value in '' '""'; do
        refused 1 "--set $key: $key must be a " "$HISS" train config.yaml --run empty --set "$key=$value"
        grep -q 'give one, or null to leave it out' log || fail "no advice: $key=$value" log
    done
done
refused 1 'objective must be one of nat, ' "$HISS" train config.yaml --run empty --set objective=
[ ! -e empty ] || fail 'an empty value leaves a run'

# A finished run whose config was lost or damaged gets it back.
mv runs/config/config.yaml kept.yaml
for damage in 'rm -f' 'cp labels.idx'; do
    $damage runs/config/config.yaml
    on 2 "$HISS" train config.yaml --set train.epochs=1 --set eval.test=tset.h5
    [ $status -eq 0 ] && cmp -s kept.yaml runs/config/config.yaml || fail "no config after $damage" log
done
# Networks and lanes that no machine holds are refused before anything is computed, with figures and keys.
large() { # THE LARGEST FIGURE, SETTING...
    local text=$1 sets=()
    for setting in "${@:2}"; do sets+=(--set "$setting"); done
    refused 1 'training needs at least ' timeout 100 "$HISS" train config.yaml --run large "${sets[@]}"
    grep -q "$text.* the machine has [0-9.]* GiB; lower augment.height and augment.width (" log || fail "no '$text'" log
    [ ! -e large ] || fail 'left behind'
}
large 'parameters and gradients [0-9]\{4,\}' augment.height=16384 augment.width=16384 'network.layers=[flatten, {linear: 10000}]'
large 'parameters and gradients [0-9]\{4,\}' 'network.layers=[flatten, {linear: 1000000}, {linear: 1000000}]'
large 'activations of 1 thread [0-9]\{4,\}' augment.height=16384 augment.width=16384 \
    'network.layers=[{conv: 512, kernel: 3}, global_average_pool]'
own=(network.layers=null augment.contrast=0 augment.height=1024 augment.width=1024)
large 'parameters and gradients [0-9]\{4,\}' "${own[@]}" objective=gan gan.width=4096 gan.latent=65536
grep -q 'dist.threads, or gan.width, gan.latent$' log || fail 'not the keys of the method' log
large 'parameters and gradients [0-9]\{4,\}' "${own[@]}" objective=bigan bigan.hidden=65536 bigan.latent=65536 network.width=1024
grep -q 'dist.threads, or network.width, bigan.hidden, bigan.latent$' log || fail 'not the keys of the method' log
echo ok
