/* The curves of a training run: one chart per quantity that was logged, over a common x. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

enum { HEAD = 34, HEIGHT = 260, CARD_WIDTH = 360, CARD_HEIGHT = 230, SPARSE = 12 };

/* Whether the axis begins at 0: values that are not negative and come near it. */
static bool near_zero(int64_t count, const double *y) {
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(y[i])) {
            least = fmin(least, y[i]);
            most = fmax(most, y[i]);
        }
    }
    return least >= 0.0 && least <= 0.5 * most;
}

/* Few points show as dots: a line through one is a speck. */
static bool is_sparse(int64_t count, const double *y) {
    int64_t finite = 0;
    for (int64_t i = 0; i < count; i++) {
        finite += isfinite(y[i]) != 0;
    }
    return finite <= SPARSE;
}

typedef struct panel {
    char label[64];
    hiss_series series;
    hiss_chart chart;
} panel;

/* "images_per_second" is shown as "images per second": as the title of a card, else beside the axis. */
static void make_panel(panel *p, const hiss_curves *c, int k, bool card) {
    const hiss_curve *curve = &c->curve[k];
    const int64_t count = curve->x ? curve->count : c->count;
    snprintf(p->label, sizeof p->label, "%s", curve->name);
    for (char *at = p->label; (at = strchr(at, '_')) != NULL;) {
        *at = ' ';
    }
    p->series = (hiss_series){
        .count = count, .x = curve->x ? curve->x : c->x, .y = curve->y, .dots = is_sparse(count, curve->y)};
    p->chart = (hiss_chart){.title = card ? p->label : NULL,
                            .x_label = c->x_label,
                            .y_label = card ? NULL : p->label,
                            .series = 1,
                            .serie = &p->series,
                            .zero_y = near_zero(count, curve->y),
                            .width = card ? CARD_WIDTH : 0,
                            .height = card ? CARD_HEIGHT : HEIGHT};
}

hiss_status hiss_curves_write(const char *path, const hiss_curves *curves, hiss_error *err) {
    panel *panels = hiss_new(panel, curves->curves);
    hiss_chart *charts = hiss_new(hiss_chart, curves->curves);
    for (int k = 0; k < curves->curves; k++) {
        make_panel(&panels[k], curves, k, false);
        charts[k] = panels[k].chart;
        charts[k].title = k == 0 ? curves->title : NULL;
        charts[k].height += charts[k].title ? HEAD : 0;
    }
    const hiss_status s = hiss_charts_write(path, curves->curves, charts, err);
    hiss_free(panels);
    hiss_free(charts);
    return s;
}

void hiss_curves_html(FILE *stream, const hiss_curves *curves) {
    fputs("<div class=\"cards\">\n", stream);
    for (int k = 0; k < curves->curves; k++) {
        panel p;
        make_panel(&p, curves, k, true);
        fputs("<figure class=\"card\">", stream);
        hiss_charts_render(stream, 1, &p.chart);
        fputs("</figure>\n", stream);
    }
    fputs("</div>\n", stream);
}
