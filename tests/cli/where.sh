# What is wrong with a value of the config is said of its place, wherever in the program it is judged: file:line:column of
# a file, --set, or the place in a study. And what a message advises works as it is written.
. "$HISS_ROOT/tests/cli/common"
small_run
"$odd_h5" unlabelled.h5 /images=u8:600x12x12
"$odd_h5" one_class.h5 /images=u8:600x12x12 /labels=u8:600:0
"$odd_h5" flat.h5 /images=u8:600x12x10
"$odd_h5" few.h5 /images=u8:47x12x12
"$odd_h5" two.h5 /images=u8:2x12x12 /labels=u8:2
echo 'nonsense' >nonsense.table

# ---- keys: each mistake once in a file and once by --set; "KEY=VALUE KEY=VALUE ...", the first being to blame ----

# in_file MISTAKE FILE: the config with these keys as lines of their own sections, replacing what was there.
in_file() {
    cp config.yaml "$2"
    local set key value
    for set in $1; do
        key=${set%%=*} value=${set#*=}
        value=${value//+/ }
        if [ "$key" = "${key#*.}" ]; then
            sed -i "/^$key:/d" "$2"
            echo "$key: $value" >>"$2"
        else
            local section=${key%%.*}
            if grep -q "^$section: {" "$2"; then
                sed -i -e "/^$section: {/s/\([{ ]\)${key#*.}: *[^,}]*,\{0,1\}/\1/" -e "/^$section: {/s/, *}/}/" "$2"
                sed -i "s/^$section: {\(.*\)}/$section: {${key#*.}: $value, \1}/; s/, *}/}/" "$2"
            else
                echo "$section: {${key#*.}: $value}" >>"$2"
            fi
        fi
    done
}
# mistake RANKS TEXT SETS...: of train
mistake() {
    local ranks=$1 text=$2 sets=$3 key set words=()
    key=${sets%%=*}
    for set in $sets; do
        words+=(--set "${set//+/ }")
    done
    refused "$ranks" "hiss: error: --set $key: " "$HISS" train config.yaml --run new "${words[@]}"
    grep -qF -- "$text" log || fail "no '$text': $sets" log
    in_file "$sets" wrong.yaml
    refused 1 "$text" "$HISS" train wrong.yaml --run new
    grep -qE "^hiss: error: wrong\.yaml:[0-9]+:[0-9]+: $key(: | )" log || fail "no place of $key in the file" log
    local line column
    IFS=: read -r _ _ _ line column _ <<<"$(grep 'hiss: error:' log)"
    local rest
    rest=$(sed -n "${line}p" wrong.yaml | cut -c"$column"-)
    set=${sets%% *}
    set=${set#*=}
    [[ $rest == "${set//+/ }"* || $rest == "'${set//+/ }"* || $rest == "\"${set//+/ }"* ]] || fail "$line:$column of $key is '$rest'" wrong.yaml
    [ ! -e new ] || fail "left behind by $sets: $(find new)"
}
mistake 2 '7 samples, but a block is whole lanes' assign.block=7
mistake 1 'must be lane, batch or a number' assign.block=many
mistake 1 'must be all, auto or a number' 'assign.block=many assign.scope=dataset'
mistake 1 "must be one of lapjv" assign.solver=lapvj
mistake 1 'topk, which is solved by sparse' 'assign.rows=topk assign.solver=greedy'
mistake 1 '599, fewer than the 600 samples' nat.targets=599
mistake 1 "'often'; expected for example 1 epoch" checkpoint.every=often
mistake 1 "'often'; expected for example 10 epochs" checkpoint.keep_every=often
mistake 1 "'often'; expected a time" checkpoint.mtbf=often
mistake 1 "'often'; expected a time" checkpoint.margin=often
mistake 1 'expected false with method adam' 'optim.nesterov=true optim.method=adam'
mistake 1 'expected 0 with method adamw' 'optim.momentum=0.8 optim.method=adamw'
mistake 1 'true needs optim.momentum above 0' 'optim.nesterov=true optim.momentum=0'
mistake 1 'expected false with method lars' 'optim.nesterov=true optim.method=lars'
mistake 1 'expected at most optim.lr' optim.lr_end=2
mistake 1 'inverse needs optim.inverse_gamma above 0' optim.schedule=inverse
mistake 1 '601 lanes get shards of 0' train.lanes=601
mistake 1 '12 lanes get shards of 50, fewer than train.lane_samples = 51' 'train.lanes=12 train.lane_samples=51'
refused 1 '--set train.lane_samples: data.h5 has 600 samples: 12 lanes get' "$HISS" train config.yaml --run new --set train.lane_samples=51
mistake 1 "must be one of nat, classify" objective=natt
mistake 2 'classify needs labels, but unlabelled.h5 has no data set /labels' 'objective=supervised data.file=unlabelled.h5'
mistake 1 'classify needs labels of at least 2 classes, found 1' 'objective=supervised data.file=one_class.h5'
mistake 1 'autoencoder needs square inputs' 'objective=autoencoder data.file=flat.h5'
mistake 1 "must be one of blas, ref" kernels=fast
mistake 1 'no.table cannot be read' kernel_table=no.table
mistake 1 'nonsense.table:1: ' kernel_table=nonsense.table
mistake 1 '0.9 is above augment.scale_max 0.8' 'augment.scale_min=0.9 augment.scale_max=0.8'
mistake 1 'random cuts 20 x 20' 'augment.crop=random augment.height=20 augment.width=20'
mistake 1 '100 bytes; streaming' 'data.memory=100 data.mode=stream'
# The same kind: rows that read the value themselves.
mistake 1 'must be an integer in' train.epochs=many
mistake 1 'must be one of' assign.scope=all
# Where the user has set nothing, the file is named.
refused 1 'hiss: error: config.yaml: train.lanes: few.h5' "$HISS" train config.yaml --run new --set data.file=few.h5 \
    --set train=null
refused 1 'hiss: error: --set train: train.lanes: few.h5' "$HISS" train config.yaml --run new --set data.file=few.h5 \
    --set 'train={lane_samples: 3, lanes: 40}'

# The other commands.
refused 1 '--set assign.block: 7 samples' "$HISS" bench step config.yaml --synthetic --set assign.block=7
refused 1 '--set optim.nesterov: expected false' "$HISS" bench kernels config.yaml --synthetic --set optim.nesterov=true --set optim.method=adam
on 1 "$HISS" doctor config.yaml --write 0 --set train.lanes=601
grep -qF 'FAIL  --set train.lanes: ' log || fail 'doctor: no place' log
on 1 "$HISS" doctor config.yaml --write 0 --set assign.block=7
grep -qF 'FAIL  --set assign.block: ' log || fail 'doctor: no place' log
train 1 run --set train.epochs=1 --set eval.layers=fc2
line=$(grep -n '^  layers: fc2' run/config.yaml | cut -d: -f1)
few=(--set eval.few_labels=false --set eval.linear=false --set eval.pixels=false)
refused 2 "run/config.yaml:$line:11: eval.layers: layer 'fc2' is not in this network" "$HISS" eval run "${few[@]}"
refused 1 "--set eval.layers: layer 'fc3' is not in this network; it has conv1" "$HISS" eval run "${few[@]}" --set eval.layers=fc3
grep -q 'choose with --set eval.layers=NAME,...$' log || fail 'no advice' log
refused 1 "--layer: layer 'fc3' is not in this network" "$HISS" query run --layer fc3
grep -q 'choose with --layer NAME$' log || fail 'no advice' log
for list in conv1,,fc1 ,conv1 conv1, 'conv1, ,fc1' , 'conv1, '; do
    unnamed="'$list' has a comma without a name beside it; choose with"
    refused 1 "--set eval.layers: $unnamed --set eval.layers=NAME,..." "$HISS" eval run "${few[@]}" --set "eval.layers='$list'"
    refused 2 "$unnamed --layer NAME,..." "$HISS" features run --data data.h5 --layer "$list" --output new.h5
done
refused 1 '--set data.file: two.h5: 2 samples are too few' "$HISS" eval run --set data.file=two.h5
refused 1 "--time-limit of 5 s does not exceed the 30 s to stay free before it (checkpoint.margin)" "$HISS" train config.yaml --run new --time-limit 5
refused 1 "before it (--set checkpoint.margin)" "$HISS" train config.yaml --run new --time-limit 5 --set 'checkpoint.margin=9 s'

# ---- studies: the place is the study's ----

study() { # FILE LINE: the line in a study of two configs
    printf 'configs:\n  good: {file: config.yaml}\n  bad:\n    file: %s\n    set:\n      - train.epochs=1\n      - %s\n%s\n' \
        "${3:-config.yaml}" "$2" "${4:-}" >"$1"
    printf 'ranks: [1]\nrepeats: 1\nlaunch: [env]\n' >>"$1"
}
studied() { # TEXT ACTION
    refused 1 "hiss: error: $1" "$HISS" scale "${@:2}" study.yaml --out out
    [ ! -e out ] || fail "left behind: $(find out)"
}
study study.yaml train.lanes=many
studied "study.yaml:7:9: configs.bad.set: train.lanes must be an integer" submit
study study.yaml train.lanes=many
studied "study.yaml:7:9: configs.bad.set: train.lanes must be an integer in 1..65536, found 'many'" run
study study.yaml train.lnes=2
studied "study.yaml:7:9: configs.bad.set: train.lnes: unknown key" run
study study.yaml checkpoint.every=often
studied "study.yaml:7:9: configs.bad.set: checkpoint.every: 'often'; expected" run
study study.yaml optim.lr=0.1 none.yaml
studied "study.yaml:4:11: configs.bad.file: the config none.yaml does not exist" run
study study.yaml optim.lr=0.1 .
studied "study.yaml:4:11: configs.bad.file: the config . is a directory" run
study study.yaml train.epochs
studied "study.yaml:7:9: configs.bad.set: train.epochs: expected section.key=value" run
study study.yaml train.lanes=40000 config.yaml "kind: weak-batch
threads: [1, 2]"
sed -i 's/^ranks:.*/ranks: [1, 1]/' study.yaml
studied 'study.yaml:10:8: ranks: train.lanes must be an integer in 1..65536, found ' run
study study.yaml optim.lr=0.1 config.yaml 'kind: weak-data'
studied 'study.yaml:8:7: kind: weak-data multiplies data.limit' run
study study.yaml optim.lr=0.1 config.yaml 'steps: 5
warmup: 6'
studied 'study.yaml:9:9: warmup is 6, but steps only 5' run
study study.yaml train.lanes=1
sed -i 's/^ranks:.*/ranks: [2]/' study.yaml
studied 'study.yaml:9:8: ranks: point bad-2x1' run
study study.yaml data.file=none.h5
studied 'study.yaml:7:9: configs.bad.set: data.file: the data file none.h5 does not exist' run
refused 1 '--set configs.bad.set: train.lanes must be' "$HISS" scale run study.yaml --out out --set 'configs.bad.set=[train.lanes=x]'
# What only a point finds out.
study study.yaml assign.block=7
on 1 "$HISS" scale run study.yaml --out out
grep -qF 'bad-1x1-r1: FAILED: exit 2: study.yaml:7:9: configs.bad.set: assign.block: 7 samples' log || fail 'no place of a point' log

# ---- advice works as it is written ----

"$odd_h5" short.h5 /images=u8:600x12x12 /labels=i64:599
train 1 short --set data.file=short.h5 --set train.epochs=1
advice=$(grep -o -- "--set 'data.labels=.*'" log)
eval "on 1 $HISS train config.yaml --run plain --set data.file=short.h5 --set train.epochs=1 $advice"
[ $status -eq 0 ] && ! grep -q warning: log || fail "the advice to do without labels does not work: $advice" log
refused 1 'data.labels must be a text, found nothing' "$HISS" train config.yaml --run empty --set data.labels=
advice=$(grep -o -- "--set 'data.labels=.*'" log)
eval "on 1 $HISS train config.yaml --run empty --set train.epochs=1 $advice"
[ $status -eq 0 ] || fail "the advice for an empty value does not work: $advice" log
sed 's/^data: .*/data:\n  file: data.h5\n  labels:/' config.yaml >empty.yaml
refused 1 'empty.yaml:4:10: data.labels must be a text, found nothing' "$HISS" train empty.yaml --run other
advice=$(grep -o 'labels: ""' log)
sed -i "s/^  labels:.*/  $advice/" empty.yaml
on 1 "$HISS" train empty.yaml --run other --set train.epochs=1
[ $status -eq 0 ] || fail "the advice for an empty value in a file does not work: $advice" log

# Of two keys that do not fit each other, the one that --set gave is named, not the default of the other.
given() { # TEXT SETTING...
    local sets=() setting
    for setting in "${@:2}"; do sets+=(--set "$setting"); done
    refused 1 "hiss: error: $1" "$HISS" train config.yaml --run new --set network.layers=null "${sets[@]}"
}
given '--set augment.scale_max: augment.scale_min: 1 is above augment.scale_max 0.5' augment.scale_max=0.5
given '--set sparse.layers: sparse.size: 2 x 2 patches, with sparse.layers 2, of' objective=sparse augment.contrast=0 sparse.layers=2
given '--set augment.width: augment.height: context_encoder needs images of at least 8 x 8' objective=context_encoder augment.width=14
given '--set jigsaw.tile: ' objective=jigsaw jigsaw.tile=20
given '--set augment.crop: ' augment.crop=random augment.height=20
[ ! -e new ] || fail 'left behind'
echo ok
