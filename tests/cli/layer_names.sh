# A layer of the user that has the name of one that the method adds would share its parameters, where shapes agree: it is
# refused at its place, for each method and each of its layers and its output. Layers at the wrong side of flatten are told.
. "$HISS_ROOT/tests/cli/common"
small_run
others

# net NAME: a config in which the parameters of a linear layer NAME fit those of nat's and the auto-encoder's own.
net() {
    cat >net.yaml <<END
data: {file: data.h5}
network:
  layers:
    - flatten
    - {linear: 8, name: fc1}
    - {linear: 8, name: $1}
nat: {dim: 8}
autoencoder: {code: 8, hidden: 8}
optim: {lr: 0.0001}
train: {epochs: 1, lanes: 12, lane_samples: 4}
END
}
tried=0
# shellcheck disable=SC2046
for method in $(methods); do
    net fc2
    on 1 "$HISS" train net.yaml --run new --set objective="$method" --set train.freeze=nothing $(other_data "$method")
    ! grep -q 'error: .*network.layers: .* leave .* out' log || continue # it has layers of its own
    refused 1 "fc1, fc2, " "$HISS" train net.yaml --run new --set objective="$method" --set train.freeze=nothing $(other_data "$method")
    own=$(sed -n 's/.*parameters are in \(.*\)fc1, fc2, /\1/p' log)
    on 1 "$HISS" train net.yaml --run "run-$method" --set objective="$method" $(other_data "$method")
    [ $status -eq 0 ] || fail "$method without such names: exit $status" log
    refused 1 "; choose with" "$HISS" eval "run-$method" --set eval.layers=nothing
    grep -q 'it has fc1, fc2[,;]' log || fail "$method: no places" log
    taps=$(sed -n 's/.*it has fc1, fc2, \([^;]*\);.*/\1/p' log) # none where the output of the network is the method's
    [ -n "$own" ] || fail "$method: no layers" log
    for name in ${own//,/} ${taps//,/}; do
        [[ $name != */* ]] || continue # cannot be given
        net "$name"
        refused 2 "net.yaml:6:7: layer '$name' has the name " "$HISS" train net.yaml --run new --set objective="$method" $(other_data "$method")
        grep -q 'give it another name' log || fail 'not what to do' log
        [ ! -e new ] || fail 'left behind'
        tried=$((tried + 1))
    done
done
[ $tried -ge 8 ] || fail "only $tried names"
refused 1 "--set network.layers: layer 'out' has the name" "$HISS" train net.yaml --run new \
    --set 'network.layers=[flatten, {linear: 8, name: out}]'

wrong() { refused 1 "$1" "$HISS" train config.yaml --run new --set "network.layers=$2"; }
for layer in '{conv: 4, kernel: 3}' '{conv_transposed: 4, kernel: 3}' '{max_pool: 2}' global_average_pool sobel; do
    wrong 'needs images [N,H,W,C] as input, got [4, 144]: put it before flatten' "[flatten, $layer]"
done
wrong 'needs rows [N,D] as input: add flatten, got [4, 12, 12, 1]' '[{linear: 4}]'
echo ok
