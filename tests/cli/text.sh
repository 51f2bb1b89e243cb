# hiss prepare text: rows of words and of bytes that train, with a vocabulary that files share; mistakes leave nothing.
. "$HISS_ROOT/tests/cli/common"
# words SEED COUNT: lines of words, the first ones of 40 more often.
words() {
    awk -v seed="$1" -v n="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) { printf("Word%d%s", int(40 * rand() * rand()), i % 9 == 8 ? ".\n" : ", ") } }'
}
words 1 3000 >a.txt
words 2 2000 >b.txt
words 3 900 >test.txt
# How many of the words of the files (FILE...) occur 30 times, found in another way.
often() { tr 'A-Z' 'a-z' | tr -cs 'a-z0-9' '\n' | sort | uniq -c | awk '$1 >= 30 { n++ } END { print n + 0 }'; }
known=$(cat a.txt b.txt | often)
[ "$known" -gt 5 ] && [ "$known" -lt 40 ] || fail "$known words are frequent"

on 1 "$HISS" prepare text a.txt b.txt --length 32 --overlap 8 --min-count 30 --output train.h5
[ $status -eq 0 ] || fail "prepare text: exit $status" "$log"
grep -q "wrote train.h5: 207 rows of 32 words, overlap 8, of 2 files; a vocabulary of $((known + 1)), [0-9]* of 5000 words unknown; 16 words behind the last whole rows left out" "$log" ||
    fail 'what it says' "$log"
on 1 "$HISS" prepare text test.txt --length 32 --vocabulary train.h5 --output test.h5
[ $status -eq 0 ] && grep -q "wrote test.h5: 28 rows .* a vocabulary of $((known + 1))," "$log" || fail "test: exit $status" "$log"
on 1 "$HISS" prepare text a.txt b.txt --length 32 --overlap 8 --min-count 30 --output again.h5
cmp train.h5 again.h5 || fail 'the same command, another file'

cat >config.yaml <<END
data: {file: train.h5, images: /tokens, layout: NW, range: [0, $known]}
network: {layers: [flatten, {linear: 16, name: fc1}, relu]}
train: {epochs: 2, lanes: 2, lane_samples: 8}
optim: {lr: 0.1}
END
train 1 one
grep -q '207 samples of 1 x 32 x 1' "$log" || fail 'a row is no image of one row' "$log"
train 2 two
same one two
on 1 "$HISS" doctor config.yaml
[ $status -eq 0 ] || fail "doctor: exit $status" "$log"
bytes=$(wc -c <a.txt)
on 1 "$HISS" prepare text a.txt --by bytes --length 100 --pad --no-shuffle --output bytes.h5
[ $status -eq 0 ] || fail "bytes: exit $status" "$log"
grep -q "wrote bytes.h5: $(((bytes + 99) / 100)) rows of 100 bytes, overlap 0, of 1 files$" "$log" || fail 'bytes' "$log"
train 1 bytes --set data.file=bytes.h5 --set data.range=[0,255] --set train.epochs=1

wrong() { refused 1 "hiss: error: $1" "$HISS" prepare text --output x.h5 "${@:2}"; }
: >empty.txt
echo '... --- ...' >dots.txt
printf 'caf\351 noir\n' >latin.txt
echo 'quite other language' >other.txt
wrong 'prepare text needs --length' a.txt
wrong 'rows of --length 0 with --overlap 0; expected a length of 1 or more' a.txt --length 0
# A pattern that the shell has not expanded, as in data.file.
on 1 "$HISS" prepare text '[ab].txt' --length 32 --overlap 8 --min-count 30 --output pattern.h5
cmp train.h5 pattern.h5 || fail 'a pattern, another file' "$log"
wrong 'no file matches z*.txt; give the paths of files' 'z*.txt' --length 10
cp a.txt 'z*.txt'
on 1 "$HISS" prepare text 'z*.txt' --length 32 --output pattern.h5
[ $status -eq 0 ] && grep -q 'of 1 files' "$log" || fail 'a name that looks like a pattern' "$log"
rm 'z*.txt'
wrong 'rows of --length 8 with --overlap 9; expected' a.txt --length 8 --overlap 9
wrong 'prepare text needs text files' --length 10
wrong 'missing.txt: cannot be opened: No such file' a.txt missing.txt --length 10
"$odd_h5" group.h5 /vocabulary/words=u8:3
wrong '--vocabulary: group.h5: /vocabulary is a group; expected a data set; it has: /vocabulary/words' a.txt --length 10 --vocabulary group.h5
wrong 'empty.txt: is empty' a.txt empty.txt --length 10
wrong 'empty.txt: is empty' empty.txt --length 10 --by bytes
wrong '.: is a folder' . --length 10
wrong 'dots.txt: holds no words' dots.txt --length 10
wrong 'latin.txt: the word that ends before byte 4 is not UTF-8' latin.txt --length 1
for by in words bytes; do
    wrong 'train.h5: byte 8 is 0, so this is a binary file' train.h5 --length 10 --by $by
    wrong "none of 1 files has 100000 $by, the length of a row" a.txt --length 100000 --by $by
done
wrong 'none of 40 different words occurs 9999 times; choose a smaller --min-count' a.txt b.txt --length 10 --min-count 9999
wrong 'no word of the files is in the vocabulary of train.h5' other.txt --length 1 --vocabulary train.h5
wrong '--vocabulary: a.txt: not an HDF5 file' b.txt --length 10 --vocabulary a.txt
wrong '--vocabulary: none.h5: cannot be read: No such file' b.txt --length 10 --vocabulary none.h5
wrong '--vocabulary: bytes.h5: has no data set /vocabulary; expected a file by' b.txt --length 10 --vocabulary bytes.h5
wrong '--pad: the vocabulary of train.h5 has no <padding>' test.txt --length 32 --vocabulary train.h5 --pad
wrong '--min-count has no effect with --vocabulary' test.txt --length 32 --vocabulary train.h5 --min-count 3
wrong '--min-count has no effect with --by bytes' test.txt --length 32 --by bytes --min-count 3
refused 1 '--output a.txt is the file that is read' "$HISS" prepare text a.txt --length 10 --output a.txt
refused 1 '--output train.h5 is the file that is read' "$HISS" prepare text a.txt --length 10 --vocabulary train.h5 \
    --output train.h5
[ ! -e x.h5 ] && [ -z "$(find . -name '.*.tmp*')" ] || fail 'left behind'
echo ok
