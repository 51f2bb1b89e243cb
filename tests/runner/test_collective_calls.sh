# The table of collective calls in README.md is what the headers say, and tools/collective_calls sees every kind of contract.
set -eu
fail() { echo "FAILED: $*" >&2 && exit 1; }

"$HISS_ROOT/tools/collective_calls" >rows
[ "$(wc -l <rows)" -ge 8 ] || fail 'few headers have collective calls'
sed -n '/^## Collective calls/,/^## /p' "$HISS_ROOT/README.md" | grep '^| `hiss/' >table || fail 'README.md has no table'
cmp rows table || fail "README.md has another table: $(diff rows table)"

mkdir -p include/hiss
cat >include/hiss/planted.h <<'END'
/* What the file is for. Collective calls are below. */
#ifndef HISS_PLANTED_H
#define HISS_PLANTED_H

/* Above. Collective. */
void hiss_above(int a);
void hiss_next(int a);
void hiss_behind(int a,
                 int b); /* Collective */
/* Not collective. */
int *hiss_local(int a);
/* One comment
 * of several lines. Collective: all ranks. */
typedef struct hiss_result {
    int a; /* Not collective */
} hiss_result;
hiss_result hiss_with_type(const int *a);

void hiss_far(void);
/* Collective. */
const int *hiss_pointer(void); /* this one says: Not collective */
#endif
END
[ "$("$HISS_ROOT/tools/collective_calls" .)" = '| `hiss/planted.h` | `hiss_above`, `hiss_behind`, `hiss_with_type` |' ] ||
    fail "planted: $("$HISS_ROOT/tools/collective_calls" .)"
echo ok
