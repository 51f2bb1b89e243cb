# hiss prepare wav: rows of sound that train, from files and from class folders; mistakes leave nothing.
. "$HISS_ROOT/tests/cli/common"
mkdir -p tones/high tones/low
for k in 1 2 3; do
    wav tones/high/$k.wav 8000 800 $((4 + k))
    wav tones/low/$k.wav 8000 900 $((40 + k))
done
on 1 "$HISS" prepare wav tones --length 64 --overlap 16 --output tones.h5
[ $status -eq 0 ] || fail "prepare wav: exit $status" "$log"
grep -q 'wrote tones.h5: 102 rows of 64 values, overlap 16, at 8000 Hz, of 6 files in 2 class folders' "$log" || fail 'what it says' "$log"
cat >config.yaml <<'END'
data: {file: tones.h5, images: /sound, layout: NW, range: [-32768, 32767]}
network: {layers: [flatten, {linear: 16, name: fc1}, relu]}
train: {epochs: 2, lanes: 2, lane_samples: 8}
optim: {lr: 0.1}
END
train 1 one
grep -q '102 samples of 1 x 64 x 1' "$log" || fail 'a row is no image of one row' "$log"
train 2 two
same one two
on 1 "$HISS" eval one --set eval.random=false --set eval.layers=fc1
[ $status -eq 0 ] && grep -q 'classes: high, low' one/eval.txt || fail "eval: exit $status" "$log"
on 1 "$HISS" prepare wav tones/*/*.wav --length 850 --pad --output flat.h5
[ $status -eq 0 ] && grep -q 'wrote flat.h5: 9 rows .* in 0 class folders' "$log" || fail "files: exit $status" "$log"

wrong() { refused 1 "hiss: error: $1" "$HISS" prepare wav --output x.h5 "${@:2}"; }
wav other.wav 16000 100 8
wrong 'other.wav has 16000 values a second, tones/low/1.wav 8000; expected one rate' tones/low/1.wav other.wav --length 10
wrong 'prepare wav needs --length' tones
wrong 'rows of --length 0 with --overlap 0; expected a length of 1 or more' tones --length 0
wrong 'rows of --length 8 with --overlap 8; expected' tones --length 8 --overlap 8
wrong 'none of 6 files has 1000 values, the length of a row' tones --length 1000
wrong 'prepare wav needs a folder of WAV files, or such files' --length 10
wrong 'missing.wav: cannot be opened: No such file' missing.wav --length 10
mkdir empty && wrong 'empty: holds no WAV files (0 other files); expected .wav, in it or in class folders' empty --length 10
# What is advised was not given, and what is said to be left out was.
wav none.wav 8000 0 8
cp none.wav none2.wav
wrong 'none.wav: holds no sound, and no other file does (2 files)' none.wav tones/../none2.wav --length 10 --pad
wrong 'none of 1 files has 1000 values, the length of a row; choose a smaller --length, or --pad' other.wav --length 1000
left() { # TEXT ARGUMENT...
    on 1 "$HISS" prepare wav other.wav --output left.h5 "${@:2}"
    [ $status -eq 0 ] || fail "exit $status: ${*:2}" "$log"
    grep -q "class folders$1\$" "$log" || fail "not '$1': ${*:2}" "$log"
}
left '; 1 values (6.25e-05 s) behind the last whole rows left out' --length 3
left '; 36 values (0.00225 s) behind the last whole rows left out' --length 64
left '' --length 10
left '' --length 64 --pad
wrong 'config.yaml: is no WAV file' config.yaml --length 10
head -c 500 other.wav >tones/cut.wav
wrong 'tones: holds WAV files (tones/cut.wav) as well as folders (high)' tones --length 10
head -c 100 other.wav >tones/low/9.wav && rm tones/cut.wav
wrong 'tones/low/9.wav: announces 200 bytes of sound, but 56 are there: the file was cut' tones --length 10
refused 1 '--output other.wav is the file that is read' "$HISS" prepare wav other.wav --length 10 --output other.wav
[ ! -e x.h5 ] && [ -z "$(find . -name '.*.tmp*')" ] || fail 'left behind'
echo ok
