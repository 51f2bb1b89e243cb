# A run goes on with the data and the config it began with, however these are written or packed; other data of the same
# shape and other settings are refused by the key that says them, and the run stays as it was.
. "$HISS_ROOT/tests/cli/common"
small_run
images=/images=u8:600x12x12
"$odd_h5" plain.h5 $images /labels=u8:600
sed 's/data.h5/plain.h5/' config.yaml >plain.yaml && mv plain.yaml config.yaml

# begin RUN ARGUMENT...: a third of it. on_with: it goes on. other KEY TEXT RANKS RUN ARGUMENT...: it is refused.
begin() { train 1 "$1" --set train.steps=20 "${@:2}"; }
on_with() {
    train "$1" "$2" --set train.steps=24 "${@:3}"
    grep -q "resumed from $2/ckpt/step-20.h5" log || fail "not resumed: $*" log
    rm -r "$2" && cp -r "$2.begun" "$2"
}
other() {
    contents "$4" >before
    refused "$3" "$1: $4/ckpt/step-20.h5 was made " "$HISS" train config.yaml --run "$4" --set train.steps=24 "${@:5}"
    grep -qF -- "$2" log || fail "no '$2': ${*:4}" log
    contents "$4" | cmp -s - before || fail 'a refused run is changed'
}

# ---- data ----

begin run
cp -r run run.begun
[ "$(grep -c '^  data: "uint8 \[600,12,12,1\], pixels [0-9a-f]\{16\}, labels [0-9a-f]\{16\}"$' run/config.yaml run/summary.yaml |
    cut -d: -f2 | paste -sd+)" = 0+1 ] || fail 'no identity' run/summary.yaml
mkdir moved
"$odd_h5" moved/a.h5 /x=u8:600x12x12 /y=i64:600
"$odd_h5" unlabelled.h5 $images
"$odd_h5" 4d.h5 /images=u8:600x12x12x1 /labels=i16:600
on_with 1 run
on_with 2 run --set data.file=moved/a.h5 --set data.images=/x --set data.labels=y # moved, renamed, other integers
on_with 1 run --set data.file="$WORK/./plain.h5" --set data.images=images
on_with 1 run --set data.file=unlabelled.h5
on_with 1 run --set 'data.labels=""'
on_with 3 run --set data.file=4d.h5 --set data.mode=stream

"$odd_h5" pixels.h5 $images:7 /labels=u8:600
"$odd_h5" labels.h5 $images /labels=u8:600:3
"$odd_h5" one_label.h5 $images /labels=u8:600:9@300
"$odd_h5" fewer.h5 /images=u8:599x12x12 /labels=u8:599
"$odd_h5" turned.h5 /images=u8:600x9x16 /labels=u8:600
for what in pixels labels one_label fewer turned; do
    other '--set data.file' 'from other data: expected uint8 [600,12,12,1], pixels ' 2 run --set data.file=$what.h5
    grep -q "found uint8 .* in $what.h5" log || fail 'not what is there' log
done
cp plain.h5 kept.h5
cp labels.h5 plain.h5 # in place
other 'config.yaml:2:14: data.file' 'from other data' 1 run
mv kept.h5 plain.h5

# A file with a recorded checksum, changed where it does not look.
begin sum --set data.file=data.h5
cp -r sum sum.begun
on_with 2 sum --set data.file=data.h5 --set data.verify=false
"$odd_h5" data.h5 $images:3 /labels=u8:600
other '--set data.file' 'sha256' 2 sum --set data.file=data.h5

# Ranks that see other files under the same path.
mkdir rank-0 rank-1
cp plain.h5 rank-0
cp pixels.h5 rank-1/plain.h5
cat >apart <<'END'
#!/bin/bash
cd "rank-$OMPI_COMM_WORLD_RANK" && exec "$@"
END
chmod +x apart
refused 2 'data.file: ranks read different data from plain.h5: rank 0 (' ./apart "$HISS" train "$WORK/config.yaml" --run "$WORK/apart.run"
[ ! -e apart.run ] || fail 'a run that could not begin'

# ---- config ----

# Sections of methods that the run does not use, and the order and the form of what is said.
cat >base.yaml <<'END'
network: {layers: [{conv: 4, kernel: 3, pad: 1, name: conv1}, {max_pool: 2}, relu, flatten, {linear: 16, name: fc1}]}
objective: supervised
data: {file: plain.h5}
optim: {lr: 0.1, momentum: 0.9}
train: {epochs: 5, lanes: 12, lane_samples: 4, init: run, freeze: [conv1, fc1]}
END
cat >turned.yaml <<'END'
nat: {dim: 20}
autoencoder: {code: 7}
train: {freeze: [fc1/weight, conv1, fc1/bias, conv1/weight], init: ./run/../run, lane_samples: 4, lanes: 12, epochs: 5}
optim: {momentum: 9e-1, lr: 0.10}
data: {file: ./plain.h5}
objective: "supervised"
network:
  layers:
    - {name: conv1, pad: 1.0, kernel: 3, conv: 4}
    - {max_pool: 2}
    - {relu: }
    - {flatten: null}
    - name: fc1
      linear: 1.6e1
END
mv config.yaml nat.yaml
cp base.yaml config.yaml
begin base
cp -r base base.begun
cp turned.yaml config.yaml
on_with 2 base
on_with 1 base --set "train.init=$WORK/run"
on_with 1 base --set train.init=run/ckpt/step-20.h5
ln -s run link
on_with 1 base --set train.init=link
cp run/ckpt/step-20.h5 copy.h5
on_with 1 base --set train.init=copy.h5
mv run gone # the source may be gone
cp base.yaml config.yaml
on_with 2 base
mv gone run
cp turned.yaml config.yaml
begin second --set train.init=run --set seed=5
other '--set train.init' 'was made from another source: expected run with SHA-256 ' 2 base --set train.init=second
other 'train.init' "it had 'init: run', now 'init: null'" 1 base --set train.init=null
other '--set train.freeze' "now 'freeze: conv1'" 2 base --set train.freeze=conv1
other 'config.yaml: train.freeze' "had 'freeze: [conv1, fc1]', now 'freeze: null'" 1 base --set train.freeze=null
other '--set optim.lr' "it had 'lr: 0.1', now 'lr: 0.2'" 1 base --set optim.lr=0.2
other '--set objective' "it had 'objective: supervised', now 'objective: nat'" 1 base --set objective=nat
sed 's/kernel: 3/kernel: 5, stride: 2/' turned.yaml >config.yaml
other 'config.yaml:9:5: network.layers' "it had 'kernel: 3', now 'kernel: 5'" 1 base
# Keys of optim count as far as the optimiser and its schedule read them.
cp base.yaml config.yaml
optimiser() { # RUN ARGUMENT... -- KEY=VALUE...: a run whose optimiser reads none of these keys
    run=$1 own=() unread=()
    shift
    while [ "$1" != -- ]; do own+=(--set "$1") && shift; done
    for pair in "${@:2}"; do unread+=(--set "optim.$pair"); done
    begin "$run" --set train.init=null --set train.freeze=null "${own[@]}"
    cp -r "$run" "$run.begun"
    on_with 2 "$run" --set train.init=null --set train.freeze=null "${own[@]}" "${unread[@]}"
    same_but() { # KEY=VALUE: which it reads
        other "--set optim.${1%%=*}" "now '${1%%=*}: ${1#*=}'" 1 "$run" --set train.init=null --set train.freeze=null \
            "${own[@]}" --set "optim.$1"
    }
}
optimiser constant optim.schedule=constant -- lr_end=0.01 step_every=3 step_factor=0.7 inverse_after=2 inverse_gamma=0.3 \
    beta1=0.8 beta2=0.9 epsilon=1e-5 trust=0.1
same_but momentum=0.8
same_but nesterov=true
optimiser step optim.schedule=step optim.step_every=9 -- lr_end=0.01 inverse_after=2 inverse_gamma=0.3
same_but step_factor=0.7
optimiser cosine optim.schedule=cosine optim.method=adam optim.momentum=0 -- step_every=3 inverse_gamma=0.3 trust=0.1
same_but lr_end=0.01
same_but beta1=0.8
optimiser inverse optim.schedule=inverse optim.inverse_gamma=0.1 optim.method=lars -- lr_end=0.01 step_factor=0.7 beta2=0.9
same_but inverse_gamma=0.3
same_but trust=0.1
sed '/relu/d' turned.yaml >config.yaml
other 'config.yaml:9:5: network.layers' "it had 'relu', now '{flatten: null}'" 1 base
# Keys of the method that evaluation alone reads, for each method that has some: so its help says.
cp nat.yaml config.yaml
own=(--set augment.contrast=0 --set network.layers=null --set optim.lr=0.001)
"$HISS" train --help >help
colors
others
for key in $(sed -n 's/^ *\([a-z_]*\.[a-z_0-9]*\) .* evaluation: .*/\1/p' help); do
    method=${key%%.*}
    # shellcheck disable=SC2207
    of=("${own[@]}" --set "objective=$method" $(other_data "$method"))
    [ "$method" != colorization ] || of+=(--set data.file=colors.h5)
    [ -e "$method" ] || { begin "$method" "${of[@]}" && cp -r "$method" "$method.begun"; }
    value=$(sed -n "/^$method:/,/^[a-z]/s/^  ${key#*.}: //p" "$method/config.yaml")
    [[ $value == *.* ]] && value=0.5 || value=$((value + 1))
    on_with 2 "$method" "${of[@]}" --set "$key=$value"
    seen+=" $key"
done
for key in rbm.chains rbm.temperatures dbm.ais_chains dbm.ais_steps sparse.cells sparse.reference colorization.temperature wavenet.seconds; do
    [[ " $seen " == *" $key "* ]] || fail "$key is not tried: $seen" help
done
other '--set sparse.steps' "it had 'steps: 50'" 1 sparse "${own[@]}" --set objective=sparse --set sparse.steps=51
other '--set dbm.chains' "it had 'chains: persistent'" 1 dbm "${own[@]}" --set objective=dbm --set dbm.chains=data
echo ok
