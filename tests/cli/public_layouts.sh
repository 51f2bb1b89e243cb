# Files as public data sets and other programs have them, small, with the keys that docs/data.md gives for them: train,
# eval, query and doctor work on each, with the bits of a plain file of the same values.
# shellcheck source=tests/cli/public_common
. "$HISS_ROOT/tests/cli/public_common"

split=camelyonpatch_level_2_split
"$public_h5" pcam 0 200 ${split}_train_x.h5 ${split}_train_y.h5
like PCam '200 images of 16 x 16 x 3' data.labels=/two

"$public_h5" pcam 200 100 ${split}_test_x.h5 ${split}_test_y.h5
"$public_h5" plain 200 100 test.h5
keys 'PCam, test'
judged PCam-nat "${keys[@]}" >public.txt
grep -q 'trained on 200 samples, tested on 100, 2 classes' public.txt || fail 'the test set of PCam' public.txt
judged PCam-nat --set eval.test=test.h5 --set eval.test_images=/images --set eval.test_labels=/two >plain.txt
cmp plain.txt public.txt || fail 'PCam is judged otherwise by its test set' public.txt

"$public_h5" galaxy10 0 200 Galaxy10_DECals.h5
like Galaxy10 '200 images of 16 x 16 x 3' data.labels=/labels

"$public_h5" 3dshapes 0 200 3dshapes.h5
like 3dshapes '200 images of 16 x 16 x 3' data.labels=/four
refused 1 'data set /labels holds float64 [200,6], 6 columns, and row 0 is not one-hot' "$HISS" train config.yaml \
    --run no --set data.file=3dshapes.h5 --set objective=supervised

"$public_h5" so2sat 0 200 training.h5
like 'So2Sat LCZ42' '200 images of 16 x 16 x 10' data.images=/bands

"$public_h5" netcdf 0 200 era5.nc
like netCDF-4 '200 images of 16 x 16 x 1' data.images=/kelvin 'data.range=[200,320]'

"$public_h5" matlab 0 200 images.mat
like 'MATLAB 7.3' '200 images of 16 x 16 x 3' data.labels=/labels
refused 1 'which looks like [n,C,H,W]; expected [n,H,W,C]: set data.layout: NCHW (NCWH if MATLAB wrote it)' \
    "$HISS" train config.yaml --run no --set data.file=images.mat --set data.images=/X

"$public_h5" torch 0 200 tensors.h5
like PyTorch '200 images of 16 x 16 x 3' data.images=/floats

# A plugin that stands for Blosc: without it the error names the filter and where plugins go.
read -ra flags <<<"$("$HISS_ROOT/tools/deps" cflags HDF5)"
mkdir plugins
${CC:-cc} -shared -fPIC -DFILTER=32001 -o plugins/libstand_in.so "$HISS_ROOT/tests/cli/preload/identity_filter.c" "${flags[@]}" \
    >cc.log 2>&1 || fail 'no plugin' cc.log
HDF5_PLUGIN_PATH=$PWD/plugins "$public_h5" pytables 0 200 carray.h5
keys PyTables
refused 2 'data set /images is not read: its values need filter 32001 (Blosc), which this HDF5 lacks; set HDF5_PLUGIN_PATH' \
    "$HISS" train config.yaml --run no "${keys[@]}"
on 1 "$HISS" doctor config.yaml "${keys[@]}"
grep '^FAIL' "$log" | grep -qF '32001 (Blosc)' || fail 'doctor does not name the filter' "$log"
(
    export HDF5_PLUGIN_PATH=$PWD/plugins
    like PyTables '200 images of 16 x 16 x 3' data.labels=/labels
)
[ ! -e no ] || fail 'a run is left behind'
echo ok
