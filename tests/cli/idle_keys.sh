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
for method in gan rbm dbm sparse stacked ladder word2vec wavenet svg multiscale sv2p; do
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
# What a key hangs on hangs on something itself; a key for all values but one; a section that hangs on a key of another.
c=colorization
told $c.temperature objective=$c network.layers=null $c.loss=l2 $c.temperature=0.5
told $c.rebalance objective=$c network.layers=null $c.loss=l2 $c.rebalance=false
told $c.uniform objective=$c network.layers=null $c.loss=l2 $c.uniform=0.7
grep -q "while $c.loss is l2; it is for classes" log || fail 'not the key that is to blame' log
told $c.uniform objective=$c network.layers=null $c.rebalance=false $c.uniform=0.7
grep -q "while $c.rebalance is false; it is for true" log || fail 'not the key that is to blame' log
told $c.sigma objective=$c network.layers=null $c.neighbors=1 $c.sigma=3
grep -q "while $c.neighbors is 1; it is for other values" log || fail 'not the key that is to blame' log
untold objective=$c network.layers=null $c.neighbors=2 $c.sigma=3 $c.uniform=0.7 $c.temperature=0.5
told split_brain.sigma objective=split_brain network.layers=null split_brain.neighbors=1 split_brain.sigma=3
untold objective=split_brain network.layers=null split_brain.rebalance=false split_brain.neighbors=3
for key in epochs=3 binarize=true deviation=0.2 chains=50 temperatures=50; do
    told rbm.${key%=*} objective=rbm network.layers=null rbm.pretrain=false rbm.$key
done
untold objective=rbm network.layers=null rbm.epochs=3 rbm.binarize=true rbm.deviation=0.2 rbm.chains=50
told stacked.epochs objective=stacked network.layers=null stacked.pretrain=false stacked.epochs=3
told corruption.level objective=stacked network.layers=null stacked.pretrain=false corruption.level=0.3
grep -q 'while stacked.pretrain is false; it is for true' log || fail 'not the key that is to blame' log
untold objective=stacked network.layers=null corruption.level=0.3
untold objective=denoising corruption.level=0.3
told ladder.lambda objective=ladder network.layers=null ladder.model=noise ladder.lambda=1
untold objective=ladder network.layers=null ladder.model=gamma ladder.lambda=1
told whiten.floor objective=sparse network.layers=null whiten.on=false whiten.floor=0.1
told whiten.on objective=sparse network.layers=null sparse.form=convolutional whiten.on=false
untold objective=sparse network.layers=null whiten.floor=0.1
for method in context_prediction jigsaw egomotion; do
    told $method.scale objective=$method $method.canvas=0 $method.scale=0.7
    told $method.texture objective=$method $method.canvas=0 $method.texture=0.3
    untold objective=$method $method.canvas=20 $method.scale=0.7
done
told augment.mean augment.normalize=image augment.mean=[0.3]
told augment.std augment.normalize=image augment.std=0.3
for key in scope=dataset block=lane solver=greedy async=true rows=topk; do
    told assign.${key%=*} assign.every=0 assign.$key
done
told assign.k assign.every=0 assign.k=20
told assign.gap assign.gap=0.1
told assign.views assign.views=3
told assign.first assign.first=image
untold assign.scope=dataset assign.first=image
told assign.k assign.rows=dense assign.k=50
untold assign.rows=topk assign.k=50
untold assign.k=50
told train.nonfinite_limit train.nonfinite_limit=3
told checkpoint.mtbf 'checkpoint.mtbf=3 h'
told train.init_prefix train.init_prefix=light/
told train.init_layers train.init_layers=[conv1]
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

# A group of parameters that nothing trains.
groups() { # GROUP SETTING...: one warning, of its learning rate; none with --set of GROUP's neighbours alone
    local sets=() setting
    for setting in "${@:2}"; do sets+=(--set "$setting"); done
    train 1 new --resume never --set augment.contrast=0 --set network.layers=null --set train.steps=1 "${sets[@]}" \
        --set "optim.$1.lr=0.01"
    [ "$(grep -c 'has no effect' log)" -eq 1 ] || fail "not one warning: $*" log
    grep -q "warning: --set optim.$1.lr: has no effect, since ${2#*=} as it is set has no parameters of group $1 to train" log ||
        fail "no warning of the group: $*" log
    rm -rf new
}
groups discriminator objective=context_encoder context_encoder.adversarial=none
groups rbm4 objective=rbm
groups finetune objective=rbm rbm.finetune=none
groups rbm1 objective=rbm rbm.pretrain=false
groups second objective=sparse sparse.size=4
groups classifier objective=stacked stacked.finetune=0
train 1 new --set network.layers=null --set network.width=2 --set train.steps=1 --set objective=context_encoder \
    --set optim.discriminator.lr=0.01 --set optim.generator.lr=0.02
! grep 'has no effect' log || fail 'a warning of a group that is trained' log
rm -rf new

# What hiss has written, and what it ships.
train 1 run --set train.epochs=1
config=run/config.yaml untold
for config in "$HISS_ROOT"/configs/*.yaml; do
    ! grep -q '^objective\|^optim' "$config" || untold
done
echo ok
