/* An annotation from a stranger: its tree, its objects, and where they are on a stored picture. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "data/voc_impl.h"
#include "data/xml_impl.h"

int fuzz_read;

static size_t count(const data_element *e) {
    size_t bytes = 0;
    for (; e; e = e->next) {
        bytes += strlen(e->name) + strlen(e->text) + count(e->child);
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    hiss_arena *arena = hiss_arena_create();
    data_element *root;
    data_voc voc;
    hiss_error err;
    if (data_xml_parse("input", (const char *)data, size, arena, &root, &err) == HISS_OK && count(root) > size) {
        abort();
    }
    if (data_voc_read(path, arena, &voc, &err) == HISS_OK) {
        const int64_t H = voc.H > 0 ? voc.H : 100, W = voc.W > 0 ? voc.W : 100;
        for (int64_t k = 0; k < voc.count; k++) {
            data_object o;
            if (data_voc_place(&voc.all[k], 0, H, W, 64, 48, &o) &&
                !(o.x0 >= 0 && o.y0 >= 0 && o.x0 < o.x1 && o.y0 < o.y1 && o.x1 <= 48 && o.y1 <= 64)) {
                abort();
            }
        }
        fuzz_read++;
    }
    hiss_arena_destroy(arena);
    close(file);
    return 0;
}
