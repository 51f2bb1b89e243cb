# HDF5 files that hiss cannot use: one line says which data set it is, where on the way to it things end, HDF5's own
# reason, and what to do. Never that a data set is not there when it is.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
small_run
strange_h5=$(dirname "$HISS")/tests/cli/strange_h5

# kind RANKS KIND TEXT ARGUMENT...: is refused with all of the parts of TEXT, which | separates.
kind() {
    local part
    local -a parts
    IFS='|' read -ra parts <<<"$3"
    [ -e "$2.h5" ] || "$strange_h5" "$2" "$2.h5"
    refused "$1" "$2.h5: " "$HISS" train config.yaml --run strange --set "data.file=$2.h5" "${@:4}"
    for part in "${parts[@]}"; do
        grep 'hiss: error:' "$log" | grep -qF -- "$part" || fail "no '$part' in the error of $2" "$log"
    done
    [ ! -e strange ] || fail "$2 left a run directory"
}

# advised KIND TOOL: the command that the last error advises works, and hiss trains with what comes out.
advised() {
    local command
    command=$(grep 'hiss: error:' "$log" | grep -oE "$2 (-[a-z]+ [A-Z]+(=[0-9])? |--merge )OLD NEW|h5clear -s [a-z_0-9]+\.h5" | head -n 1)
    [ -n "$command" ] || fail "the error of $1 advises no $2" "$log"
    command -v "$2" >/dev/null || { echo "$1: $2 is not here: not tried" && return; }
    rm -f new.h5
    command=${command/OLD/$1.h5}
    ${command/NEW/new.h5} >tool.log 2>&1 || fail "$command" tool.log
    [ -e new.h5 ] || mv "$1.h5" new.h5
    train 1 "$1" --set data.file=new.h5 --set train.epochs=1 --set data.limit=96 --set 'data.labels=""'
}

# What is in order; attributes of the user are none of hiss's affairs, even unreadable ones.
for sound in plain linked new_attribute; do
    "$strange_h5" $sound $sound.h5
    train 1 "$sound" --set data.file=$sound.h5 --set train.epochs=1
done
grep -q 'new_attribute.h5: the attributes of / cannot be read: .*; no checksum is verified' log || fail 'no warning' log

# Formats newer than the library, wherever they begin.
newer='|newer than this HDF5 (|or damaged or half-written: write it for HDF5 |libver='
kind 2 new_layout "data set /images cannot be opened: bad version number for layout message$newer"
kind 1 new_dataspace "data set /images cannot be opened: |version number$newer"
kind 1 new_datatype "data set /images cannot be opened: |version number$newer"
kind 1 new_class "data set /images cannot be opened: unknown datatype class$newer"
kind 1 new_fill_value "data set /images cannot be opened: |version number$newer"
kind 1 new_pipeline "data set /images cannot be opened: |version number$newer"
kind 1 new_header "data set /images cannot be opened: bad object header version number$newer"
kind 2 new_group "data set /images cannot be opened: group /group: bad object header version number$newer"
kind 2 new_labels "data set /labels cannot be opened: bad version number for layout message$newer" --set objective=supervised
refused 1 'has no data set pixels; it has: /images, /labels' "$HISS" train config.yaml --run strange \
    --set data.file=new_header.h5 --set data.images=pixels

# Names that lead elsewhere, nowhere, or to something else.
kind 1 dangling 'data set /images is a soft link to /nowhere/pixels, which does not exist; it has: /labels'
kind 1 circle 'data set /images cannot be found: its soft links lead nowhere or in a circle'
kind 1 under_a_set '/images, a link to /pixels/images, cannot be found: /pixels is not a group'
kind 2 external_link 'data set /images is not read: /images is a link into another file (elsewhere.h5, object /pixels)'
"$strange_h5" linked elsewhere.h5
advised external_link h5repack
kind 1 linked_external '/group is a link into another file (elsewhere.h5, object /)'
kind 1 group '/images is a group; expected a data set; it has: /images/a, /labels'
kind 1 type '/images is a data type without values; expected a data set; it has: /labels'

# Data sets without values that could be read.
kind 1 null 'data set /images is empty: it has a type, but no values (H5S_NULL)'
kind 1 scalar 'data set /images is a single value (H5S_SCALAR); expected 1 to 5 dimensions'
kind 1 vlen 'data set /images holds values of variable length [96]; expected [n,H,W,C] or [n,H,W] of integers'
kind 1 virtual 'data set /images is not read: it is virtual|h5repack -l CONTI OLD NEW'
advised virtual h5repack
head -c 13824 /dev/zero >pixels.raw
kind 1 external 'data set /images is not read: its values lie outside the HDF5 file|h5repack -l CONTI OLD NEW'
advised external h5repack
kind 2 dense 'it claims 67108864 bytes, but the file holds |more than 8192 times less|h5repack -f GZIP=1 OLD NEW'
advised dense h5repack

# A writer that died, in the formats that mark files as open.
kind 2 unfinished 'unfinished.h5: it is marked as open for writing: wait for the program|when that has died, h5clear -s unfinished.h5'
advised unfinished h5clear

# Rows that were never written are counted, whatever the layout: one line each for pixels and labels.
"$strange_h5" unwritten unwritten.h5
# gaps NAME TEXT, ARGUMENT...: a warning with TEXT, or none
gaps() {
    rm -rf gaps
    train 1 gaps --set data.file=unwritten.h5 --set train.epochs=1 --set "data.images=$1" "${@:3}"
    [ "$(grep -c 'hold its fill value' "$log")" -eq $(($# > 3 ? 2 : 1)) ] || fail "not one warning of $1" "$log"
    grep -F "hiss: warning: unwritten.h5: data set $1: $2 hold" "$log" >/dev/null || fail "no '$2' of $1" "$log"
}
gaps single '45 of its 96 rows were never written, or not whole, from row 50 on: they'
gaps several '36 of its 96 rows were never written, or not whole, from row 50 on: they'
gaps split '44 of its 96 rows were never written, or not whole, from row 52 on: they'
for name in chunks none vast; do
    gaps $name 'nothing was ever written to it: all 96 rows'
done
gaps none 'nothing was ever written to it: all 96 rows' --set data.labels=classes
grep -q 'unwritten.h5: data set classes: nothing was ever written' "$log" || fail 'no warning of labels' "$log"
cp unwritten.h5 elsewhere.h5
gaps none 'nothing was ever written to it: all 96 rows' --set data.labels=elsewhere.h5:/classes
grep -q 'elsewhere.h5: data set /classes: nothing was ever written' "$log" || fail 'no warning of labels elsewhere' "$log"
rm -rf gaps
train 1 gaps --set 'data.file=[unwritten.h5, elsewhere.h5]' --set train.epochs=1 --set data.images=single
grep -q 'unwritten.h5: data set single: .*fill value; and so in 1 more files' "$log" || fail 'not both files' "$log"
rm -rf gaps
train 2 gaps --set data.file=unwritten.h5 --set data.mode=stream --set data.images=single --set train.epochs=1
[ "$(grep -c 'hold its fill value' "$log")" -eq 1 ] || fail 'not one warning on two ranks' "$log"
rm -rf gaps
train 1 gaps --set data.file=unwritten.h5 --set train.epochs=1
! grep 'fill value' "$log" || fail 'a warning of what was written'

# Labels of every integer type, and pixels of other types, in the words of what is wanted.
"$strange_h5" integers integers.h5
supervised=(--set data.file=integers.h5 --set objective=supervised --set train.epochs=1)
train 1 labels-i8 "${supervised[@]}" --set data.labels=i8
for type in u8 i16be u16 u16be i32be u32 i64be u64 bools; do
    train 1 "labels-$type" "${supervised[@]}" --set "data.labels=$type"
    same labels-i8 "labels-$type"
done
train 1 beyond "${supervised[@]}" --set data.labels=beyond
grep -q '^  - "18446744073709551615"' beyond/summary.yaml || fail 'no class beyond int64' beyond/summary.yaml
train 1 pixels16 "${supervised[@]}" --set data.labels=u8 --set data.images=pixels16

# Filters that are not there are named by what the data set says, for pixels, labels and checkpoints.
remedy='which this HDF5 lacks; set HDF5_PLUGIN_PATH|h5repack -f NONE'
for filter in '32015 (Zstandard)' '32001 (Blosc)' '32026 (Blosc2)' '32004 (LZ4)' '32008 (Bitshuffle)' \
    '32013 (zfp)' '40000 (not a registered one)'; do
    id=${filter%% *}
    "$strange_h5" plain "filter$id.h5"
    "$strange_h5" "filter:$id" "filter$id.h5" /images
    kind $((1 + (id == 32015))) "filter$id" "data set /images is not read: its values need filter $filter, $remedy"
done
"$strange_h5" plain lzf.h5
"$strange_h5" filter:32000 lzf.h5 /images
kind 1 lzf "need filter 32000 (LZF), which this HDF5 lacks; h5py has it: write the file anew|HDF5_PLUGIN_PATH"
"$strange_h5" plain labels.h5
"$strange_h5" filter:32015 labels.h5 /labels
kind 2 labels "data set /labels is not read: its values need filter 32015 (Zstandard), $remedy" --set objective=supervised

# Before training starts, whichever chunks it is that need the filter; a file that has it for none of them is read.
for how in late absent; do
    "$strange_h5" plain $how.h5
    "$strange_h5" $how:32015 $how.h5 /images
    kind $((1 + (${#how} == 4))) $how "data set /images is not read: its values need filter 32015 (Zstandard), $remedy"
    refused 1 'need filter 32015 (Zstandard), which this HDF5 lacks; set HDF5_PLUGIN_PATH' "$HISS" train config.yaml \
        --run strange --set data.file=$how.h5 --set data.mode=stream
    [ ! -e strange ] || fail "$how left a run directory"
done
"$strange_h5" plain unused.h5
"$strange_h5" unused:32015 unused.h5 /images
train 1 unused --set data.file=unused.h5 --set train.epochs=1 --set data.mode=stream

# The two ways out work: a plugin, and h5repack where there is one.
read -ra flags <<<"$("$HISS_ROOT/tools/deps" cflags HDF5)"
mkdir plugins
${CC:-cc} -shared -fPIC -o plugins/libidentity.so "$HISS_ROOT/tests/cli/preload/identity_filter.c" "${flags[@]}" >cc.log 2>&1 ||
    fail 'no plugin' cc.log
kind 1 filter40000 'set HDF5_PLUGIN_PATH'
cp "$log" lacks.log
(
    export HDF5_PLUGIN_PATH=$PWD/plugins
    train 1 plugin --set data.file=filter40000.h5 --set train.epochs=1
)
log=lacks.log HDF5_PLUGIN_PATH=$PWD/plugins advised filter40000 h5repack
! command -v h5repack >/dev/null || train 1 repacked --set data.file=new.h5 --set train.epochs=1

# hiss eval and hiss prepare.
for part in 'new_layout|data set /images cannot be opened: bad version number' 'filter32015|need filter 32015 (Zstandard)' \
    'new_labels|data set /labels cannot be opened'; do
    refused 1 "${part#*|}" "$HISS" eval plain --set "eval.test=$PWD/${part%%|*}.h5"
done
refused 2 'need filter 32015 (Zstandard)' "$HISS" eval plain --set "eval.test=$PWD/filter32015.h5"
refused 1 'is an HDF5 file' "$HISS" prepare idx --images new_layout.h5 --output p.h5
refused 1 'expected a folder of pictures' "$HISS" prepare folder new_layout.h5 --height 8 --width 8 --output p.h5
[ ! -e p.h5 ] || fail 'prepare left a file'
newest=$(find plain/ckpt -name 'step-*.h5' | sort | tail -n 1)
"$strange_h5" filter:32015 "$newest" /model/fc1/weight # without the last line, which is made anew
printf 'hiss checkpoint 3 sha256 %s\n' "$(sha256sum <"$newest" | cut -d' ' -f1)" >>"$newest"
refused 1 'data set /model/fc1/weight is not read: its values need filter 32015 (Zstandard)' \
    "$HISS" eval plain --checkpoint "$newest"
echo ok
