# Files from strangers: what lies outside the file, claims more than it holds, or breaks the HDF5 library ends in one
# line that says so, exit 2, and nothing half-written; and never in a crash, a hang or absurd memory.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
small_run
corpus=$HISS_ROOT/tests/fuzz/corpus
ulimit -v $((16 << 20)) # 16 GiB of address space

strange_h5=$(dirname "$HISS")/tests/cli/strange_h5

# strange RANKS TEXT FILE
strange() {
    refused "$1" "$2" timeout 100 "$HISS" train config.yaml --run strange --set "data.file=$3"
    [ ! -e strange ] || fail "$3 left a run directory"
}
strange 1 'values lie outside the HDF5 file' "$corpus/dataset/external.h5"
strange 1 'it is virtual: its values lie in other data sets' "$corpus/dataset/virtual.h5"
"$strange_h5" sparse sparse.h5
strange 2 'claims 68719476736 bytes, but the file holds 0 for it: nothing was ever written to it' sparse.h5

# A library that breaks over a file, which is a sound one: only the process that looks into it does so.
read -ra flags <<<"$("$HISS_ROOT/tools/deps" cflags HDF5) $("$HISS_ROOT/tools/deps" libs HDF5)"
${CC:-cc} -shared -fPIC -o odd_hdf5.so "$HISS_ROOT/tests/cli/preload/odd_hdf5.c" "${flags[@]}" -ldl >cc.log 2>&1 ||
    fail 'no odd_hdf5.so' cc.log
(
    export LD_PRELOAD=$PWD/odd_hdf5.so
    train 1 plain
    ODD_HDF5=crash strange 2 'HDF5 crashes on it (Segmentation fault)' data.h5
    ODD_HDF5=crash refused 1 'HDF5 crashes on it' "$HISS" eval plain
    ODD_HDF5=allocate strange 2 'HDF5 asks for more than 1 GiB' data.h5
    # Want of memory is not the file's fault.
    ODD_HDF5=kill strange 2 'was killed, as the system does for want of memory' data.h5
    (
        ulimit -S -v 1000000
        ODD_HDF5=allocate strange 1 'data.h5: out of memory: HDF5 could not get what it needs to look into it' data.h5
        ODD_HDF5=crash strange 1 'the file is damaged, or it is for want of memory' data.h5
        ODD_HDF5='' train 1 enough
    ) || exit 1
    # An object that cannot be opened does not hide the others from that process.
    "$strange_h5" new_header new_header.h5
    ODD_HDF5=crash ODD_CALL=H5Dread strange 1 'HDF5 crashes on it' new_header.h5
    ulimit -S -t 4 # of computing, for the process that looks into the file as well: its own limit is 20 s
    ODD_HDF5=loop strange 1 'HDF5 does not come to an end' data.h5
    grep -q 'or allow more seconds of computing (ulimit -t)' "$log" || fail 'a limit of the user is the fault of the file' "$log"
)

# Large but sound files are not taken for hostile ones.
"$strange_h5" large_chunk large_chunk.h5
train 1 large_chunk --set data.file=large_chunk.h5 --set train.epochs=1
(
    ulimit -S -v 3000000 # less than such a chunk may need: not the file's fault
    export LD_PRELOAD=$PWD/odd_hdf5.so
    ODD_HDF5=allocate ODD_CALL=H5Dread ODD_SET=/large strange 1 'large_chunk.h5: out of memory: HDF5 could not get what' large_chunk.h5
) || exit 1
"$strange_h5" many many.h5
train 1 many --set data.file=many.h5 --set train.epochs=1
rm many.h5
"$strange_h5" large_rows large_rows.h5
(
    ulimit -S -t 10
    train 1 large_rows --set data.file=large_rows.h5 --set train.epochs=1
)
rm large_*.h5

# The head of a picture of 15000 x 15000.
mkdir pictures
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0:\230\0\0:\230\010\0\0\0\0\373\177\226y\0\0\0\012IDAT' >pictures/huge.png
refused 1 'a size of 15000 x 15000; expected 1 to 2^27 pixels' "$HISS" prepare folder pictures --height 8 --width 8 --output p.h5
[ ! -e p.h5 ] || fail "a refused folder left a file"

# An idx header that claims 2^31 values, compressed: 100 bytes that would fill 2 GiB.
printf '\0\0\010\001\177\377\377\377' | gzip -n >bomb.gz
refused 1 'more than a file of' "$HISS" prepare idx --images bomb.gz --output p.h5

# Nesting without end.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13; do deep=${deep:-[}${deep:-[}; done
echo "seed: $deep" >deep.yaml
refused 1 'nested more than 64 levels deep' "$HISS" train deep.yaml --run strange
echo ok
