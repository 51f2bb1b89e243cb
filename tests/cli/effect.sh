# An option that would have no effect is refused at once, by its name: for every form of every command, each option of its
# help is either used there or refused, and nothing else happens before.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=1
printf 'configs: {a: {file: config.yaml}}\nranks: [1]\nrepeats: 1\n' >study.yaml

# A value that --OPTION takes.
value() {
    case $1 in
    set) echo seed=2 ;;
    out | output | json | save | costs | images | labels | source | platform) echo "new-$1" ;;
    size) echo 12x12x1 ;;
    sizes | ranks | blocks) echo 4,8 ;;
    bucket) echo 4096 ;;
    bound) echo fma ;;
    kind) echo strong ;;
    layout) echo NCHW ;;
    by) echo bytes ;;
    reduce) echo mpi ;;
    wire) echo bf16 ;;
    jitter) echo 0.5 ;;
    seconds | rate | latency) echo 1 ;;
    *) echo 1 ;;
    esac
}
# form TEXT "USED" COMMAND...: options that are not among USED are refused with "has no effect TEXT".
form() {
    local text=$1 used=" $2 log help " option flag words
    shift 2
    "$HISS" "$1" --help | sed -n 's/^  --\(\[no-\]\)\{0,1\}\([a-z-]*\)  *\([a-z]*\).*/\2 \3 \1/p' >options
    [ -s options ] || fail "no options in the help of $1"
    while read -r option flag negated; do
        [[ $used != *" $option "* ]] || continue
        words=("--$option")
        [ "$flag" = flag ] || words+=("$(value "$option")")
        [ -z "$negated" ] || words=("--no-$option")
        refused 1 "hiss: error: ${words[0]} has no effect $text" "$HISS" "$@" "${words[@]}"
        [ "$(wc -l <log)" -eq 1 ] || fail "worked before it looked at --$option: $*" log
    done <options
}
form 'on hiss bench machine' 'seconds json' bench machine
form 'on hiss bench assign' 'sizes dim seconds json' bench assign
form 'on hiss bench reduce' 'sizes bucket seconds json' bench reduce
form 'on hiss bench all' 'set seconds synthetic size bound dim bucket json' bench
form 'on hiss bench step' 'set seconds synthetic size bound json' bench step config.yaml
form 'on hiss bench kernels' 'set seconds synthetic size save json' bench kernels config.yaml
form 'on hiss prepare fashion-mnist' 'output source shuffle seed chunk deflate' prepare fashion-mnist --output x
form 'on hiss prepare idx' 'output images labels shuffle seed chunk deflate' prepare idx --images images.idx --output x.h5
form 'on hiss prepare folder' 'output shuffle seed chunk deflate height width channels tiles skip-broken' prepare folder . --output x.h5
form 'on hiss prepare npz' 'output images labels split layout shuffle seed chunk deflate' prepare npz x.npz --output x.h5
form 'on hiss prepare webdataset' 'output images labels shuffle seed chunk deflate height width channels tiles skip-broken' prepare webdataset x.tar --output x.h5
form 'on hiss prepare hdf5' 'output images labels layout scale missing follow label-column ignore-label split shuffle seed chunk deflate' prepare hdf5 x.h5 --output y.h5
form 'on hiss prepare wav' 'output length overlap pad trim shuffle seed' prepare wav x.wav --length 8 --output x.h5
form 'on hiss prepare text' 'output length overlap pad by min-count vocabulary shuffle seed' prepare text x.txt --length 8 --output x.h5
form 'on hiss prepare generate' 'output rows set chunk deflate' prepare generate push --output x.h5
form 'on hiss scale run' 'set out nodes' scale run study.yaml --out out
form 'on hiss scale submit' 'set out dry-run' scale submit study.yaml --out out
form 'on hiss scale report' '' scale report out
model='lanes samples reduce group wire steps jitter overlap communication'
form 'with --link' link simulate --link
form 'with --replay FILE' "replay link block $model" simulate --replay costs.yaml
form 'without a config to measure' "costs ranks platform kind blocks calibrate json replay link $model" simulate --costs costs.yaml
form 'without --replay' "set seconds synthetic size costs ranks platform kind blocks calibrate json replay link $model" simulate config.yaml
form 'without a config' 'run threads write rate latency' doctor
form 'with --labels none' 'output images labels layout scale missing follow split shuffle seed chunk deflate source height width channels tiles skip-broken rows set length overlap pad trim by min-count vocabulary' \
    prepare hdf5 x.h5 --labels none --output y.h5
refused 1 '--seed has no effect with --no-shuffle' "$HISS" prepare idx --images images.idx --output x.h5 --no-shuffle --seed 3
refused 1 '--allow-other-kernels has no effect with --resume never' "$HISS" train config.yaml --run new-run --resume never --allow-other-kernels

# An option and a --set of the key that it stands for: which of them is meant? In any spelling, also when they agree.
twice() { # OPTION KEY COMMAND...
    local key=$2
    for set in "$key=2" "${key%.*}={${key#*.}: 2}"; do
        refused 1 "hiss: error: $1 and --set $key both say $key; leave one of them out" "$HISS" "${@:3}" "$1" 2 --set "$set"
        [ "$(wc -l <log)" -eq 1 ] || fail "worked before it looked at $set: ${*:3}" log
    done
}
twice --rows generate.rows prepare generate push --output x.h5
twice --threads dist.threads train config.yaml --run new-run
twice --threads dist.threads doctor config.yaml
on 1 "$HISS" prepare generate push --rows 3 --set generate.seed=2 --output made.h5
[ $status -eq 0 ] || fail "--rows beside another key: exit $status" log
train 1 threads --threads 2 --set dist.watchdog=100 --set train.epochs=1
# Every option whose help names a key as its own is among those above.
for command in train eval query features doctor prepare; do
    "$HISS" $command --help | sed '/^Keys of the config/,$d' | grep -o '(dist\.[a-z]*)' || true
done | sort -u >named
[ "$(cat named)" = '(dist.threads)' ] || fail 'another option stands for a key' named
for command in 'bench step' 'bench kernels' simulate; do
    # shellcheck disable=SC2086
    refused 1 '--size has no effect on images of data.h5; add --synthetic' "$HISS" $command config.yaml --size 12x12x1
    # shellcheck disable=SC2086
    refused 1 'expected HEIGHTxWIDTHxCHANNELS' "$HISS" $command config.yaml --synthetic --size 12x12
    [ "$(wc -l <log)" -eq 1 ] || fail "$command worked before it looked at --size" log
done
[ -z "$(compgen -G 'x*' || :)$(compgen -G 'new-*' || :)$(compgen -G 'out*' || :)" ] || fail "left behind: $(ls)"

# More is asked for than is there: said, and what is there is shown.
on 2 "$HISS" query run --queries 900 --neighbors 2 --output q.png
[ $status -eq 0 ] && [ -s q.png ] || fail "exit $status" log
[ "$(grep -c 'hiss: warning: --queries is 900, but there are only 100 test samples' log)" -eq 1 ] || fail 'no warning' log
"$odd_h5" ten.h5 /images=u8:10x12x12 /labels=u8:10
on 1 "$HISS" query run --queries 2 --neighbors 50 --output q.png --set eval.train=ten.h5 --set eval.test=data.h5
[ $status -eq 0 ] && grep -q 'q.png: 2 test images and their 10 nearest training images by' log || fail "exit $status" log
grep -q 'hiss: warning: --neighbors is 50, but there are only 10 training samples: all of them are shown' log ||
    fail 'no warning' log
echo ok
