# Keys that another key leaves without effect: one line of warning each, with the place of the key; none where it has one, or
# has its default, as in a config that hiss has written, and none in the shipped configs.
. "$HISS_ROOT/tests/cli/common"
small_run

idle=$(dirname "$HISS")/tests/cli/tell_idle

# told KEY SETTING...: a warning of the key, and of no other; the last setting is the key's.
told() {
    on 1 "$idle" config.yaml "${@:2}"
    [ $status -eq 0 ] || fail "exit $status: $*" log
    [ "$(grep -c 'hiss: warning: .*: has no effect' log)" -eq 1 ] || fail "not one warning: $*" log
    grep -q "hiss: warning: --set $1: has no effect" log || fail "no warning of $1: $*" log
}
# untold SETTING...: none.
untold() {
    on 1 "$idle" "${config:-config.yaml}" "$@"
    [ $status -eq 0 ] || fail "exit $status: $*" log
    ! grep 'has no effect' log || fail "a warning: $*" log
}

told network.preset network.preset=resnet18
told network.width network.width=8
untold network.width=8 network.layers=null
untold network.preset=lenet-bn network.width=16
for method in gan rbm dbm sparse stacked; do
    told network.width objective=$method network.layers=null network.width=8
    told network.preset objective=$method network.layers=null network.preset=resnet18
done
told context_encoder.share objective=context_encoder context_encoder.share=0.5
untold objective=context_encoder context_encoder.share=0.5 context_encoder.mask=random
told context_encoder.adversarial_weight objective=context_encoder context_encoder.adversarial=none \
    context_encoder.adversarial_weight=0.5
told vae.deviation objective=vae vae.deviation=0.5
told sparse.second_atoms objective=sparse network.layers=null sparse.second_atoms=7
untold objective=sparse network.layers=null sparse.second_atoms=7 sparse.layers=2
told assign.views assign.views=3
told assign.k assign.rows=dense assign.k=50
untold assign.rows=topk assign.k=50
untold assign.k=50
told train.nonfinite_limit train.nonfinite_limit=3
told checkpoint.mtbf 'checkpoint.mtbf=3 h'
told dist.group dist.reduce=mpi dist.group=2
told optim.beta1 optim.beta1=0.5
told optim.step_every optim.step_every=3
untold optim.method=adam optim.momentum=0 optim.beta1=0.5
told optim.generator.beta1 objective=gan network.layers=null optim.generator.beta1=0.5

# In a file, with its place.
sed 's/^network:/&\n  width: 8/' config.yaml >wide.yaml
on 1 "$idle" wide.yaml
grep -q '^hiss: warning: wide.yaml:5:10: network.width: has no effect beside network.layers' log || fail 'no place' log

# Where training goes on it says so, once, on any number of ranks; where it does not, the error is alone.
train 2 wide --set train.steps=1 --set network.width=8
[ "$(grep -c ': has no effect' log)" -eq 1 ] || fail 'not one warning by hiss train' log
for wrong in data.file=none.h5 data.limit=3 network.layers=[softmax] objective=gan 'objective=context_prediction context_prediction.patch=40' \
    train.init=wide/none 'train.freeze=[none]'; do
    sets=()
    for setting in $wrong; do sets+=(--set "$setting"); done
    on 2 "$HISS" train config.yaml --run new --set network.width=8 "${sets[@]}"
    [ $status -eq 2 ] && [ "$(grep -c 'hiss: error' log)" -eq 1 ] || fail "no error: $wrong" log
    ! grep 'has no effect' log || fail "a warning beside the error: $wrong" log
    [ ! -e new ] || fail "left behind: $wrong" log
done

# What hiss has written, and what it ships.
train 1 run --set train.epochs=1
config=run/config.yaml untold
for config in "$HISS_ROOT"/configs/*.yaml; do
    ! grep -q '^objective\|^optim' "$config" || untold
done
echo ok
