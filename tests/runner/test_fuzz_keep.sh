#!/bin/bash
# The test of tools/fuzz keep: inputs that other software reads or refuses are kept, those that would harm it are not.
# The harm is done by stand-ins that look for a word in the file; the inputs themselves are harmless.
set -eu
fuzz=$HISS_ROOT/tools/fuzz
built=$(dirname "$HISS")
cd "$WORK"

fail() {
    echo "FAILED: $1" >&2
    cat log >&2
    exit 1
}

# A target whose merge takes everything.
mkdir -p build/tests/fuzz build/corpus/image corpus/image
cat >build/tests/fuzz/fuzz_image <<'END'
#!/bin/bash
for last; do :; done
for folder; do [ "$folder" != "$last" ] || break; into=$folder; done
cp "$last"/* "$into"
END
cat >reader <<'END'
#!/bin/bash
case $(cat "$1") in
*CRASH*) kill -SEGV $$ ;;
*LOOP*) while :; do :; done ;;
*REFUSE*) exit 1 ;;
esac
END
chmod +x build/tests/fuzz/fuzz_image reader
ln -s "$built/tests/fuzz/outside" build/tests/fuzz/outside
export FUZZ_CORPUS=$WORK/corpus FUZZ_READER=$WORK/reader FUZZ_READER_SECONDS=1

echo old >corpus/image/old
for word in PLAIN REFUSE CRASH LOOP; do echo "$word" >"build/corpus/image/$word"; done
! "$fuzz" keep "$WORK/build" image >log 2>&1 || fail 'keep says nothing of harmful inputs'
[ "$(cd corpus/image && echo *)" = 'PLAIN REFUSE old' ] || fail "kept: $(cd corpus/image && echo *)"
grep -q '3 inputs kept, 2 refused' log || fail 'no counts'
harmful=$(grep -o '/tmp/hiss-harmful[^)]*' log)
[ "$(cd "$harmful" && echo *)" = 'image-CRASH image-LOOP' ] || fail "moved away: $(cd "$harmful" && echo *)"
rm -r "$harmful"

rm build/corpus/image/{CRASH,LOOP}
"$fuzz" keep "$WORK/build" image >log 2>&1 || fail 'harmless inputs are refused'

# The libraries alone: sound, new and damaged files do no harm; a library that crashes or asks for too much is seen.
strange=$built/tests/cli/strange_h5
for kind in plain new_layout dangling; do "$strange" $kind $kind.h5; done
head -c 1000 plain.h5 >damaged.h5
printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >damaged.png
unset FUZZ_READER
"$fuzz" check "$WORK/build" "$WORK"/*.h5 "$WORK"/*.png >log 2>&1 || fail 'harmless files do harm'
read -ra flags <<<"$("$HISS_ROOT/tools/deps" cflags HDF5) $("$HISS_ROOT/tools/deps" libs HDF5)"
${CC:-cc} -shared -fPIC -o odd_hdf5.so "$HISS_ROOT/tests/cli/preload/odd_hdf5.c" "${flags[@]}" -ldl
for what in crash allocate; do
    ! LD_PRELOAD=$WORK/odd_hdf5.so ODD_HDF5=$what "$fuzz" check "$WORK/build" "$WORK/plain.h5" >log 2>&1 ||
        fail "a library that does $what is not seen"
    grep -q 'plain.h5: does harm to HDF5' log || fail "no word of a library that does $what"
done
echo ok
