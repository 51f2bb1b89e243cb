#!/bin/bash
# The test of tools/check_deps: a tree that keeps the rules passes, and one violation of each kind is found.
set -eu
check=$HISS_ROOT/tools/check_deps

# plant PATH LINE...: write a file of the temporary tree.
plant() {
    mkdir -p "$WORK/tree/$(dirname "$1")"
    printf '%s\n' "${@:2}" >"$WORK/tree/$1"
}

clean_tree() {
    rm -rf "$WORK/tree"
    plant include/hiss/log.h '/* log */'
    plant src/include/hiss/tensor.h '#include <stdint.h>' '#include "hiss/log.h"'
    plant include/hiss/comm.h '#include "hiss/log.h"'
    plant src/include/hiss/yaml.h ''
    plant src/base/yaml.c '#include <yaml.h>' '#include "hiss/yaml.h"'
    plant src/tensor/kern_impl.h '#include "hiss/kernels.h"'
    plant src/tensor/kern_blas.c '#include "kern_impl.h"' '#include <cblas.h>'
    plant src/comm/comm_impl.h '  #  include <mpi.h>'
    plant src/comm/comm.c '#include "comm/comm_impl.h"'
    plant src/objective/list.h ''
    plant src/objective/parts/encoder.h '#include "hiss/objective.h"'
    plant src/objective/parts/encoder.c '#include "objective/parts/encoder.h"'
    plant src/objective/nat/nat_impl.h ''
    plant src/objective/nat/step.c '#include "nat_impl.h"' '#include "objective/parts/encoder.h"' '#include "hiss/assign.h"'
    plant src/objective/gan/gan.c '#include "gan_impl.h"' '#include "objective/parts/encoder.h"'
    plant src/objective/gan/gan_impl.h ''
    plant src/objective/objective.c '#include "objective/list.h"' '#include "objective/nat/nat_impl.h"'
    plant src/train/loop.c '#include "hiss/objective.h"' '#include "hiss_build.h"'
    plant src/eval/knn.c '#include "hiss/objective.h"'
    plant src/cli/cli_impl.h ''
    plant src/cli/main.c '#include "cli_impl.h"' '#include "hiss/eval.h"'
}

clean_tree
"$check" "$WORK/tree" >"$WORK/output" || {
    echo "a clean tree fails:"
    cat "$WORK/output"
    exit 1
} >&2

# violation FILE INCLUDE TEXT: the clean tree with one bad line must fail with exactly one message, which has TEXT.
violation() {
    clean_tree
    mkdir -p "$WORK/tree/$(dirname "$1")"
    echo "#include $2" >>"$WORK/tree/$1"
    local status=0
    "$check" "$WORK/tree" >"$WORK/output" || status=$?
    if [ $status -ne 1 ] || [ "$(wc -l <"$WORK/output")" -ne 1 ] || ! grep -q "^$1:[0-9]*: .*$3" "$WORK/output"; then
        echo "$1 with #include $2: exit $status, expected: $3" >&2
        cat "$WORK/output" >&2
        exit 1
    fi
}

violation src/base/log.c '"hiss/tensor.h"' 'base may not use tensor'
violation src/include/hiss/tensor.h '"hiss/comm.h"' 'tensor may not use comm'
violation src/assign/lapjv.c '"hiss/tensor.h"' 'assign may not use tensor'
violation src/comm/comm.c '"hiss/tensor.h"' 'comm may not use tensor'
violation src/graph/op.c '"hiss/comm.h"' 'graph may not use comm'
violation src/data/h5.c '"hiss/graph.h"' 'data may not use graph'
violation src/nn/layer.c '"hiss/objective.h"' 'nn may not use objective'
violation src/nn/optim.c '"hiss/comm.h"' 'nn may not use comm'
violation src/objective/gan/gan.c '"hiss/train.h"' 'objective may not use train'
violation src/objective/gan/gan.c '"hiss/experiment.h"' 'objective may not use experiment'
violation src/experiment/config.c '"hiss/train.h"' 'experiment may not use train'
violation src/train/loop.c '"hiss/eval.h"' 'train may not use eval'
violation src/eval/knn.c '"hiss/train.h"' 'eval may not use train'
violation src/tensor/kern_ref.c '"hiss/mystery.h"' 'of no module'
violation src/misc/a.c '<stdio.h>' 'of no module'
violation src/train/loop.c '<mpi.h>' 'src/comm/ only'
violation include/hiss/comm.h '<mpi.h>' 'src/comm/ only'
violation src/tensor/kern_ref.c '<cblas.h>' 'kern_blas.c only'
violation src/train/checkpoint.c '<hdf5.h>' 'src/data/h5'
violation src/base/config.c '<yaml.h>' 'yaml.c only'
violation src/base/file.c '<openssl/evp.h>' 'hash.c only'
violation src/eval/picture.c '<png.h>' 'image.c only'
violation src/data/h5.c '<zlib.h>' 'idx.c or src/data/unfilter.c only'
violation src/data/idx.c '<jpeglib.h>' 'image.c only'
violation src/train/loop.c '<libxml/tree.h>' 'neither a system header nor fenced'
violation src/graph/op.c '"tensor/kern_impl.h"' 'private to src/tensor'
violation include/hiss/comm.h '"comm/comm_impl.h"' 'may not include the private'
violation src/include/hiss/tensor.h '"tensor/kern_impl.h"' 'may not include the private'
violation include/hiss/comm.h '"hiss/yaml.h"' 'which is not installed'
violation src/graph/op.c '"nowhere.h"' 'neither beside'
violation src/objective/gan/gan.c '"objective/nat/nat_impl.h"' 'parts and itself only'
violation src/objective/nat/step.c '"objective/gan/gan_impl.h"' 'parts and itself only'
violation src/objective/nat/step.c '"objective/list.h"' 'parts and itself only'
violation src/objective/parts/encoder.c '"objective/nat/nat_impl.h"' 'parts and itself only'
violation src/train/loop.c '"cli/cli_impl.h"' 'nothing may use cli'

rm -rf "$WORK/tree" && mkdir -p "$WORK/tree/src" "$WORK/tree/include"
if "$check" "$WORK/tree" >"$WORK/output" 2>&1; then
    echo "an empty tree passes" >&2
    exit 1
fi
echo ok
