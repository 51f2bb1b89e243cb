# Fields: a method with a clip beside the image has it in the order its layout gives, with the same bits for any ranks, in
# memory and streamed, in any type; what is missing or of another shape is said of the key, with file and data set.
. "$HISS_ROOT/tests/cli/common"
small_run
build=$(dirname "$HISS")
"$build/tests/cli/layout_h5" clips.h5 images=u8:NHWC clip=u8:NTHWC first=f32BE:NCTHW:0.00392156862745098 \
    last=u8:HWTCN wide=i32:NTHWC volume=u8:NHWC || fail 'no file'
sed -i 's#^data: .*#data: {file: clips.h5}#; s#^seed:#objective: autoencoder\nseed:#' config.yaml
few=(train.epochs=2 train.lanes=6)
# clips RANKS RUN KEY=VALUE...: must succeed.
clips() {
    on "$1" "$build/tests/cli/train_method" clips config.yaml "$2" "${few[@]}" "${@:3}"
    [ $status -eq 0 ] || fail "exit $status: $*" log
}
clips 1 base data.fields.clip=/clip
clips 3 several 'data.fields={clip: /clip}' data.mode=stream data.memory=200000
same base several
clips 1 last data.fields.clip=/last 'data.layout={clip: HWTCN}'
same base last
clips 2 first 'data={file: clips.h5, fields: {clip: /first}, layout: {clip: NCTHW}}'
tail -n 1 base/metrics.jsonl | grep -o '"loss": *[0-9.e+-]*' >one
tail -n 1 first/metrics.jsonl | grep -o '"loss": *[0-9.e+-]*' >other
awk -F: '{ a[NR] = $2 } END { d = a[1] / a[2] - 1; exit !(d < 1e-3 && d > -1e-3) }' one other ||
    fail 'scaled clips of another type train otherwise' other
clips 1 more data.fields.clip=/clip data.fields.other=/wide
same base more

wrong() { refused 1 "hiss: error: $1" "$build/tests/cli/train_method" clips config.yaml new "${@:2}"; }
wrong "config.yaml: data.fields.clip: clips needs clips [T,H,W,C] of uint8, int16 or float32 as a field 'clip' of each sample; name their data set of clips.h5"
wrong "--set data.fields.clip: clips needs clips [T,H,W,C] of uint8, int16 or float32 in field 'clip', found uint8 [12,10,3] in data set volume of clips.h5" \
    data.fields.clip=volume
wrong "--set data.fields.clip: clips needs clips [T,H,W,C] of uint8, int16 or float32 in field 'clip', found int32 [3,12,10,3] in data set wide of clips.h5" \
    data.fields.clip=wide
"$build/tests/cli/layout_h5" bad.h5 images=u8:NHWC clip=nan:NTHWC:0.01
wrong 'bad.h5: row 17 of data set /clip has values that are not finite as floats (NaN or infinity); expected numbers: replace them, in the file (data.missing is for pixels only), or leave the row out' \
    data.file=bad.h5 data.fields.clip=/clip data.missing=0
[ ! -e new ] || fail 'left behind'
echo ok
