# Numbers and paths as people write them: what is not read is explained and never guessed, in configs, in --set, in
# options and in studies; ~ is the home directory everywhere, and a $ makes no directory of that name.
. "$HISS_ROOT/tests/cli/common"
small_run
export HOME=$WORK/home
mkdir home
before=$(ls)

# ---- numbers ----

# number TEXT VALUE: as a value of a real in a file. (tests/unit/base/test_number has more kinds.)
number() {
    sed "s/^optim:.*/optim:\n  lr: $2/" config.yaml >odd.yaml
    refused 1 "odd.yaml:18:7: optim.lr must be a number in 0..1000000, found '$2'$1" "$HISS" train odd.yaml --run run
}
number '; write a decimal point: 0.05' 0,05
number '; write a decimal point: 1000.5' 1.000,5
number "; 'f' after the number is too much" 0.05f
number '; write 5 % as 0.05' 5%
number '; a number is needed, not yes or no' yes
number '; it must be finite' .inf
number '; it is too large or too small' 1e999
number '' 1e7
sed 's/lr: 0.1,/lr: 0,05,/' config.yaml >odd.yaml
refused 1 "--set optim.lr: optim.lr must be a number in 0..1000000, found '0,05'; write a decimal point: 0.05" \
    "$HISS" train config.yaml --run run --set optim.lr=0,05
refused 2 "odd.yaml:17:13: lr is '0,05'; write a decimal point: 0.05" "$HISS" train odd.yaml --run run
sed 's/dropout: 0.2/dropout: 0,2/' config.yaml >odd.yaml
refused 1 "odd.yaml:11:17: dropout is '0,2'; write a decimal point: 0.2" "$HISS" train odd.yaml --run run

whole() { refused 1 "$1" "$HISS" train config.yaml --run run --set "$2"; }
whole "found '1e3'; write 1000" train.epochs=1e3
whole "found '99999999999999999999'; it is too large" train.steps=99999999999999999999
whole "found '64MB'; units are KiB, MiB and GiB" dist.bucket=64MB
whole "found '99999999999999999999'; it is too large" assign.block=99999999999999999999
refused 1 "found '99999999999999999999'; it is too large" "$HISS" train config.yaml --run run \
    --set assign.block=99999999999999999999 --set assign.scope=dataset
whole "found '2e1'; write 20" assign.block=2e1
whole "checkpoint.every: '1,5 h'; expected for example 1 epoch, 500 steps, 10 min, auto or never; write a decimal point: 1.5" 'checkpoint.every=1,5 h'
whole "checkpoint.every: '0x2 h'" 'checkpoint.every=0x2 h'
whole "checkpoint.mtbf: 'inf h'" 'checkpoint.mtbf=inf h'
whole "expected a number for kernel, found '3%'; write 3 % as 0.03" 'network.layers=[{conv: 4, kernel: 3%}]'
whole "expected true or false for bias, found '2'" 'network.layers=[{conv: 4, kernel: 3, bias: 2}]'

option() {
    local text=$1
    shift
    refused 1 "$text" "$HISS" "$@"
}
option "--threads must be an integer in 0..1024, found '99999999999999999999'; it is too large" train config.yaml --threads 99999999999999999999
option "--time-limit must be a number in 0..1000000000, found '1,5'; write a decimal point: 1.5" train config.yaml --time-limit=1,5
option "--seconds must be a number in 0.001..3600, found '5s'; 's' after the number is too much" bench machine --seconds 5s
option "found '64,99999999999999999999'; it is too large" bench assign --sizes 64,99999999999999999999
option "found '64,128k'; units are KiB" bench assign --sizes 64,128k
option "found '5000000000x1x1'" bench step config.yaml --synthetic --size 5000000000x1x1
option "found '12x 12x1'" bench step config.yaml --synthetic --size '12x 12x1'
option "--height must be an integer in 1..16384, found '1e2'; write 100" prepare folder home --height 1e2 --output x.h5
printf 'configs: {a: {file: config.yaml}}\nranks: [1, 1e1]\n' >study.yaml
option "study.yaml:2:12: ranks: expected numbers from 1 to 999999, as in [1, 2, 4], found '1e1'; write 10" scale run study.yaml --out study
printf 'configs: {a: {file: config.yaml}}\nranks: [1]\nrepeats: 1_0\n' >study.yaml
option "repeats must be an integer in 1..1000, found '1_0'; write 10" scale run study.yaml --out study
rm -rf odd.yaml study.yaml

# ---- paths ----

dollar() {
    local text=$1
    shift
    refused 1 "$text" "$HISS" "$@"
    grep -q 'no shell replaces variables' log || fail "not explained: $*" log
}
for path in '$HOME/x' '~/${USER}/x'; do
    dollar "--run: the path '" train config.yaml --run "$path"
    dollar "--set data.file: data.file: the path '" train config.yaml --run run --set "data.file=$path"
    dollar "the path '" eval "$path"
done
path='/scratch/$USER/x'
dollar "--resume: the path '" train config.yaml --run run --resume "$path"
dollar "--set eval.test: eval.test: the path '" train config.yaml --run run --set "eval.test=$path"
dollar "kernel_table: the path '" train config.yaml --run run --set "kernel_table=$path"
dollar "the path '" train "$path"
dollar "the path '" query "$path"
dollar "--output: the path '" query run --output "$path"
dollar "--output: the path '" features run --output "$path"
dollar "--data: the path '" features run --data "$path" --output x.h5
dollar "--checkpoint: the path '" eval run --checkpoint "$path"
dollar "--output: the path '" prepare folder home --output "$path"
dollar "the path '" prepare folder "$path" --output x.h5
dollar "--images: the path '" prepare idx --images "$path" --output x.h5
dollar "--json: the path '" bench machine --json "$path"
dollar "--save: the path '" bench kernels config.yaml --save "$path"
dollar "the path '" bench step "$path"
dollar "--costs: the path '" simulate --costs "$path"
dollar "--run: the path '" doctor config.yaml --run "$path"
dollar "the path '" scale run "$path" --out study
dollar "--out: the path '" scale run config.yaml --out "$path"
printf 'configs: {a: {file: "%s"}}\nranks: [1]\n' "$path" >study.yaml
dollar "study.yaml:1:21: configs.a.file: the path '" scale run study.yaml --out study
rm study.yaml
refused 1 "the path '~you/x' begins with the home directory of another user" "$HISS" train config.yaml --run '~you/x'
refused 1 "data.file: the path '~you/x' begins with the home directory" "$HISS" train config.yaml --set data.file=~you/x
refused 1 "--run: the path '~/x' begins with ~, but HOME is not set" env -u HOME "$HISS" train config.yaml --run '~/x'
refused 1 "--run: the path '~/x' begins with ~, but HOME is not set" env -u HOME "$HISS" train config.yaml --run=~/x
refused 1 "--output: the path '~you/x' begins with the home directory" "$HISS" prepare idx --images images.idx --output '~you/x'
refused 1 "the command line: the path '~/x' begins with ~" env -u HOME "$HISS" eval '~/x'
refused 2 "the path '~/x' begins with ~, but HOME is not set" env -u HOME "$HISS" train config.yaml --set 'data.file=~/x'
[ "$(ls | grep -vx log)" = "$before" ] || fail "left behind: $(ls)"
[ -z "$(ls home)" ] || fail "left in home: $(ls home)"

# ~ by every way leads to the same place; what a run records is the whole path.
"$HISS" prepare idx --images '~/../images.idx' --labels=~/../labels.idx --output '~/data.h5' 2>log || fail 'no data set' log
[ -s home/data.h5 ] || fail 'no data set in the home directory'
sed 's#data.h5#~/data.h5#' config.yaml >home/config.yaml
for ranks in 1 2; do
    on $ranks "$HISS" train '~/config.yaml' --run=~/run-$ranks --set 'eval.test=~/data.h5'
    [ $status -eq 0 ] || fail "exit $status" log
    grep -q "^  file: $HOME/data.h5$" home/run-$ranks/config.yaml || fail 'not the whole path' home/run-$ranks/config.yaml
done
same home/run-1 home/run-2
on 1 "$HISS" train '~/config.yaml' --run '~/run-1' --resume '~/run-1/ckpt/step-60.h5'
[ $status -eq 0 ] || fail "exit $status" log
on 1 "$HISS" query '~/run-1' --set 'eval.test=~/data.h5' --checkpoint '~/run-1/ckpt/step-60.h5' --output '~/query.png'
[ $status -eq 0 ] && [ -s home/query.png ] || fail "exit $status" log
on 1 "$HISS" scale report '~/run-1'
[ ! -e '~' ] && [ ! -e './~' ] || fail 'a directory called ~'
echo ok
