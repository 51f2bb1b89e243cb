# No list is written twice: an entry put into the one place of each register is in help and in messages, and is taken.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
cp -r "$HISS_ROOT/src" "$HISS_ROOT/include" .
cp "$HISS_ROOT/tests/cli/lists/fakes.c" src/
# put FILE SED: an entry; the script must change the file.
put() {
    sed -i "$2" "src/$1"
    ! cmp -s "src/$1" "$HISS_ROOT/src/$1" || fail "no list in src/$1"
}
put objective/list.h '$aMETHOD(fake)'
put assign/lap_impl.h 's/X(greedy)/& X(fake)/'
put tensor/kern.c 's/X(ref)/& X(fake)\nconst hiss_kernels *hiss_kernels_fake(void);/'
put nn/network_presets.c 's/X("resnet18", .*)/& X("fake", "8x8x1", lenet_bn, "", 1)/'
put include/hiss/optim.h 's/X(LAMB, lamb)/& X(FAKE, fake)/'
put eval/judgements/judgements.h '/^extern.*knn/iextern const hiss_judgement eval_judgement_fake;'
put eval/judgements.c 's/NULL};/\&eval_judgement_fake, NULL};/'

read -ra flags <"$build/flags"
objects=() libraries=()
for word in "${flags[@]:1}"; do case $word in -[lLf]* | -Wl,*) libraries+=("$word") ;; esac; done
for file in fakes objective/objective assign/solvers tensor/kern nn/network_presets nn/optim/optim nn/optim/options eval/judgements; do
    object=$(tr / _ <<<"$file").o
    "${flags[@]}" -w -O0 -I"$build/gen" -c -o "$object" "src/$file.c" >cc.log 2>&1 || fail "$file.c does not compile" cc.log
    objects+=("$object")
done
for source in src/cli/*.c; do objects+=("$build/${source%.c}.o"); done
"${flags[0]}" "${objects[@]}" "$build/libhiss.a" "${libraries[@]}" -o faked >cc.log 2>&1 ||
    fail 'does not link' cc.log
"$PWD/faked" train --help >help

# listed KEY: help and the message about a wrong value name the fake.
listed() {
    awk -v key="$1" '$1 == key { on = 1; print $2; next } on && /^          / { print $1; next } { on = 0 }' help |
        tr -d '\n' | grep -q '|fake' || fail "train --help has no fake at $1" help
    refused 1 "found 'fakee'; did you mean 'fake'?" ./faked train config.yaml --run run --set "$1=fakee"
    grep -q "$1 must be one of .*, fake[ ,]" "$log" || fail "no fake among the choices of $1" "$log"
}
small_run
listed objective
listed kernels
listed network.preset
listed assign.solver
listed optim.method
grep -q '^fake, for images of 8x8x1, is' help || fail 'no layers of the preset fake' help
grep -q 'objective: fake -- nothing' help || fail 'no section of the method fake' help
grep -q 'method fake *nothing' help || fail 'no line of the optimiser fake' help
grep -q ' fake_section\.fake_key ' help || fail 'no key of the method fake' help
grep -q ' eval\.fake_judgement ' help || fail 'no key of the judgement fake' help

# Nor do whole lists stand in the text of a source, but where they are made.
while read -r names; do
    found=$(grep -rnE "\"[^\"]*${names// /[^\"]*}[^\"]*\"" "$HISS_ROOT/src" "$HISS_ROOT/include" || :)
    [ -z "$found" ] || fail "a list by hand: $found"
done <<'END'
lapjv sparse auction greedy auto
lenet-bn alexnet-bn
nat classify autoencoder
sgd adam adamw lars lamb adagrad
blas ref
END
echo ok
