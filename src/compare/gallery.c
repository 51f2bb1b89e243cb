/* The pictures that evaluations of a study's rows have drawn, those of one kind side by side: nearest neighbours of the same
 * queries, rebuilt and made images, filters. */
#include <string.h>

#include "compare/compare_impl.h"

/* Of the row; NULL: it has none of that kind. */
static const hiss_picture *picture_titled(const hiss_compare_pictures *pictures, const char *title) {
    for (int k = 0; k < pictures->count; k++) {
        if (strcmp(pictures->picture[k].title, title) == 0) {
            return &pictures->picture[k];
        }
    }
    return NULL;
}

/* Whether a row before this one has such a picture. */
static bool shown(const hiss_compare_results *results, int row, const char *title) {
    for (int k = 0; k < row; k++) {
        if (picture_titled(&results->pictures[k], title)) {
            return true;
        }
    }
    return false;
}

static void write_kind(FILE *out, const hiss_compare_results *results, const char *title) {
    fputs("<h2>", out);
    hiss_text_write_escaped(out, title);
    fputs("</h2>\n<div class=\"pictures\">\n", out);
    for (int row = 0; row < results->study->nrows; row++) {
        const hiss_compare_pictures *p = &results->pictures[row];
        const hiss_picture *picture = picture_titled(p, title);
        if (picture) {
            hiss_picture_html(out, p->directory, results->study->rows[row].name, picture);
        }
    }
    fputs("</div>\n", out);
}

void hiss_compare_gallery(FILE *out, const hiss_compare_results *results) {
    hiss_page_begin(out, "hiss compare", results->study->name);
    for (int row = 0; row < results->study->nrows; row++) {
        const hiss_compare_pictures *p = &results->pictures[row];
        for (int k = 0; k < p->count; k++) {
            if (!shown(results, row, p->picture[k].title)) {
                write_kind(out, results, p->picture[k].title);
            }
        }
    }
    fputs("</body></html>\n", out);
}
