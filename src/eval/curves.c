/* The curves of a training run: one chart per quantity that there is, over a common x. */
#include "hiss/eval.h"

enum { PANELS = 3, HEAD = 34, HEIGHT = 260 };

typedef struct panels {
    int count;
    hiss_chart chart[PANELS];
    hiss_series series[PANELS][2];
} panels;

static void add_panel(panels *p, const hiss_curves *c, const char *label, bool zero, const double *first,
                      const char *first_name, const double *second, const char *second_name) {
    hiss_series *series = p->series[p->count];
    int used = 0;
    if (first) {
        series[used++] = (hiss_series){.name = first_name, .count = c->count, .x = c->x, .y = first};
    }
    if (second) {
        series[used++] = (hiss_series){.name = second_name, .count = c->count, .x = c->x, .y = second};
    }
    if (used > 0) {
        bool titled = p->count == 0 && c->title;
        p->chart[p->count++] = (hiss_chart){.title = titled ? c->title : NULL,
                                            .x_label = c->x_label,
                                            .y_label = label,
                                            .series = used,
                                            .serie = series,
                                            .zero_y = zero,
                                            .height = HEIGHT + (titled ? HEAD : 0)};
    }
}

static void make_panels(panels *p, const hiss_curves *c) {
    p->count = 0;
    add_panel(p, c, "loss", false, c->loss, NULL, NULL, NULL);
    add_panel(p, c, "cosine", true, c->cosine, "mean cosine to the target", c->alignment,
              "alignment, chance-corrected");
    add_panel(p, c, c->rate_label ? c->rate_label : "rate", true, c->rate, NULL, NULL, NULL);
}

void hiss_curves_render(FILE *stream, const hiss_curves *curves) {
    panels p;
    make_panels(&p, curves);
    hiss_charts_render(stream, p.count, p.chart);
}

hiss_status hiss_curves_write(const char *path, const hiss_curves *curves, hiss_error *err) {
    panels p;
    make_panels(&p, curves);
    return hiss_charts_write(path, p.count, p.chart, err);
}
