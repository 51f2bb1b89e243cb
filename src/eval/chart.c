/* Line charts and stacked bars as SVG text.
 *
 * One <svg> holds the charts one under the other; each is a frame with title, legend line, grid, axes and one <path>
 * per unbroken stretch of a series. Nothing but elements and presentation attributes is used, so that browsers, rsvg
 * and inlining into HTML agree.
 *
 * Ticks: the step is 1, 2 or 5 times a power of ten, the smallest that gives at most the wanted number of ticks
 * (Heckbert, "Nice numbers for graph labels", Graphics Gems 1990). On log axes: powers of ten, thinned when they are
 * many, and 2 and 5 times them when they are few; a range without two such ticks gets linear ones. */
#include <math.h>
#include <string.h>

#include "hiss/eval.h"
#include "hiss/file.h"

enum { MARGIN_LEFT = 68, MARGIN_RIGHT = 20, MARGIN_BOTTOM = 50, TITLE = 34, LEGEND = 20, MAX_TICKS = 64 };
enum { WIDTH = 720, HEIGHT = 360, FONT = 12, CHARACTER = 7 /* pixels, about */ };

/* Okabe and Ito's colours, told apart by colour-blind readers too. */
static const char *const palette[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444"};
/* By hiss_stroke; shorter in the legend. Line ends are round on lines, which makes dots of what is hardly long. */
static const char *const line_dashes[] = {"", " stroke-dasharray=\"6 5\"", " stroke-dasharray=\"0.5 4.5\""};
static const char *const legend_dashes[] = {"", " stroke-dasharray=\"6 4\"", " stroke-dasharray=\"2 3\""};

typedef struct axis {
    double low, high; /* in the axis's own scale: log10 of values when log */
    bool log;
    double from, to; /* pixels */
    int ticks;
    double tick[MAX_TICKS]; /* values */
    double step;            /* linear ticks: their distance; 0 on log axes */
} axis;

static double scaled(const axis *a, double value) {
    return a->log ? (value > 0.0 ? log10(value) : NAN) : value;
}

static double place(const axis *a, double value) {
    return a->from + (scaled(a, value) - a->low) / (a->high - a->low) * (a->to - a->from);
}

void hiss_text_write_escaped(FILE *out, const char *s) {
    for (; *s; s++) {
        switch (*s) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*s < ' ' && *s != '\n' ? ' ' : *s, out);
        }
    }
}

static int text_width(const char *s) {
    int letters = 0;
    for (; *s; s++) {
        letters += ((unsigned char)*s & 0xC0) != 0x80; /* not the inner bytes of UTF-8 */
    }
    return letters * CHARACTER;
}

/* ---- axes ---- */

static void add_tick(axis *a, double value) {
    double s = scaled(a, value), slack = 1e-9 * (a->high - a->low);
    if (a->ticks < MAX_TICKS && s >= a->low - slack && s <= a->high + slack) {
        a->tick[a->ticks++] = value;
    }
}

static void linear_ticks(axis *a, double low, double high, int wanted) {
    double raw = (high - low) / wanted, power = pow(10.0, floor(log10(raw)));
    double nice[] = {1.0, 2.0, 5.0, 10.0};
    int i = 0;
    while (i < 3 && nice[i] * power < raw * (1.0 - 1e-9)) {
        i++;
    }
    a->step = nice[i] * power;
    for (double k = ceil(low / a->step - 1e-9); k * a->step <= high + 1e-9 * a->step; k++) {
        add_tick(a, k * a->step);
    }
}

static void log_ticks(axis *a, int wanted) {
    double decades = a->high - a->low, every = ceil(decades / wanted);
    for (double e = floor(a->low); e <= a->high + 1e-9; e++) {
        if (decades > 2.5) {
            if (fmod(e, every) == 0.0) {
                add_tick(a, pow(10.0, e));
            }
        } else {
            add_tick(a, pow(10.0, e));
            add_tick(a, 2.0 * pow(10.0, e));
            add_tick(a, 5.0 * pow(10.0, e));
        }
    }
    if (a->ticks < 2) {
        a->ticks = 0;
        linear_ticks(a, pow(10.0, a->low), pow(10.0, a->high), wanted);
    }
}

static void include(axis *a, double value) {
    if (isfinite(value)) {
        a->low = fmin(a->low, value);
        a->high = fmax(a->high, value);
    }
}

/* Height of the bar at a place, up to and without one series. */
static double stack_height(const hiss_chart *chart, int series, int64_t at) {
    double sum = 0.0;
    for (int i = 0; i < series; i++) {
        const hiss_series *s = &chart->serie[i];
        sum += at < s->count && s->y[at] > 0.0 ? s->y[at] : 0.0;
    }
    return sum;
}

/* The range of what is drawn along an axis. */
static void find_range(axis *a, const hiss_chart *chart, bool vertical) {
    axis other = {.log = vertical ? chart->log_x : chart->log_y};
    for (int i = 0; i < chart->series; i++) {
        const hiss_series *s = &chart->serie[i];
        for (int64_t j = 0; j < s->count && !chart->stacked; j++) {
            double partner = scaled(&other, vertical ? s->x[j] : s->y[j]);
            if (isfinite(partner)) {
                include(a, scaled(a, vertical ? s->y[j] : s->x[j]));
                include(a, vertical && s->low ? scaled(a, s->low[j]) : (double)NAN);
                include(a, vertical && s->high ? scaled(a, s->high[j]) : (double)NAN);
            }
        }
    }
    for (int j = 0; j < chart->ticks && chart->stacked; j++) {
        include(a, vertical ? stack_height(chart, chart->series, j) : j - 0.5);
        include(a, vertical ? 0.0 : j + 0.5);
    }
}

static void set_ticks(axis *a, const hiss_chart *chart, bool vertical, int wanted) {
    if (!vertical && chart->ticks > 0) {
        for (int i = 0; i < chart->ticks; i++) {
            add_tick(a, chart->tick ? chart->tick[i] : i);
        }
    } else if (a->log) {
        log_ticks(a, wanted);
    } else {
        linear_ticks(a, a->low, a->high, wanted);
    }
}

/* Range of one coordinate of the points that can be drawn, widened a little, and its ticks. */
static void set_axis(axis *a, const hiss_chart *chart, bool vertical, int wanted) {
    a->log = vertical ? chart->log_y : chart->log_x;
    a->low = INFINITY;
    a->high = -INFINITY;
    find_range(a, chart, vertical);
    if (a->low > a->high) {
        a->low = 0.0;
        a->high = 1.0;
    }
    bool zero = vertical && (chart->zero_y || chart->stacked) && !a->log;
    if (zero) {
        a->low = fmin(a->low, 0.0);
        a->high = fmax(a->high, 0.0);
    }
    double range = a->high - a->low;
    if (range <= 1e-12 * fmax(fabs(a->low), fabs(a->high))) {
        range = a->log ? 0.5 : (a->low == 0.0 ? 1.0 : 0.1 * fabs(a->low));
        a->low -= 0.5 * range;
        a->high += 0.5 * range;
    } else if (vertical) {
        a->low -= zero && a->low == 0.0 ? 0.0 : 0.05 * range;
        a->high += zero && a->high == 0.0 ? 0.0 : 0.05 * range;
    }
    set_ticks(a, chart, vertical, wanted);
}

/* As few digits as tell the ticks apart; thousands and millions get a letter. */
static void tick_text(const axis *a, double value, char out[32]) {
    double size = fabs(value), largest = fmax(fabs(a->tick[0]), fabs(a->tick[a->ticks - 1]));
    double unit = largest >= 1e7 ? 1e6 : largest >= 1e4 ? 1e3 : 1.0;
    const char *letter = unit == 1.0 || value == 0.0 ? "" : unit == 1e3 ? "k" : "M";
    if (a->step == 0.0 || largest >= 1e10 || largest < 1e-4) {
        snprintf(out, 32, size >= 1e4 || size < 1e-3 ? "%.3g" : "%g", value);
    } else {
        int decimals = (int)fmax(0.0, -floor(log10(a->step / unit) + 1e-9));
        snprintf(out, 32, "%.*f%s", value == 0.0 ? 0 : decimals, value / unit + 0.0, letter);
    }
}

static void draw_axes(FILE *out, const hiss_chart *chart, const axis *x, const axis *y) {
    char label[32];
    fputs("<g stroke=\"#e3e6ea\" stroke-width=\"1\">\n", out);
    for (int i = 0; i < x->ticks && !chart->stacked; i++) {
        double at = place(x, x->tick[i]);
        fprintf(out, "<path d=\"M%.1f %.1fV%.1f\"/>\n", at, y->from, y->to);
    }
    for (int i = 0; i < y->ticks; i++) {
        double at = place(y, y->tick[i]);
        fprintf(out, "<path d=\"M%.1f %.1fH%.1f\"/>\n", x->from, at, x->to);
    }
    fprintf(out, "</g>\n<path d=\"M%.1f %.1fV%.1fH%.1f\" fill=\"none\" stroke=\"#8a9099\"/>\n<g fill=\"#444b55\">\n",
            x->from, y->to, y->from, x->to);
    for (int i = 0; i < x->ticks; i++) {
        tick_text(x, x->tick[i], label);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", place(x, x->tick[i]), y->from + 17.0);
        hiss_text_write_escaped(out, chart->label && x->ticks == chart->ticks ? chart->label[i] : label);
        fputs("</text>\n", out);
    }
    for (int i = 0; i < y->ticks; i++) {
        tick_text(y, y->tick[i], label);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", x->from - 8.0,
                place(y, y->tick[i]) + 4.0, label);
    }
    if (chart->x_label) {
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", 0.5 * (x->from + x->to), y->from + 37.0);
        hiss_text_write_escaped(out, chart->x_label);
        fputs("</text>\n", out);
    }
    if (chart->y_label) {
        double middle = 0.5 * (y->from + y->to);
        fprintf(out, "<text transform=\"translate(16 %.1f) rotate(-90)\" text-anchor=\"middle\">", middle);
        hiss_text_write_escaped(out, chart->y_label);
        fputs("</text>\n", out);
    }
    fputs("</g>\n", out);
}

/* ---- series ---- */

/* Points nearer than half a pixel to the last one drawn are skipped, but for the end of a stretch. */
static void draw_line(FILE *out, const hiss_series *s, const char *colour, const axis *x, const axis *y) {
    bool open = false;
    double last_x = 0.0, last_y = 0.0;
    for (int64_t i = 0; i < s->count; i++) {
        double px = place(x, s->x[i]), py = place(y, s->y[i]);
        if (!isfinite(px) || !isfinite(py)) {
            fputs(open ? "\"/>\n" : "", out);
            open = false;
            continue;
        }
        bool ends = i + 1 == s->count || !isfinite(place(x, s->x[i + 1])) || !isfinite(place(y, s->y[i + 1]));
        if (!open) {
            fprintf(out,
                    "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-linejoin=\"round\" "
                    "stroke-linecap=\"round\"%s d=\"M%.1f %.1f",
                    colour, line_dashes[s->stroke], px, py);
            fputs(ends ? "h0" : "", out); /* a lone point shows as a dot of the line's width */
            open = true;
        } else if (ends || fabs(px - last_x) >= 0.5 || fabs(py - last_y) >= 0.5) {
            fprintf(out, "L%.1f %.1f", px, py);
        } else {
            continue;
        }
        last_x = px;
        last_y = py;
    }
    fputs(open ? "\"/>\n" : "", out);
}

static void draw_dots(FILE *out, const hiss_series *s, const char *colour, const axis *x, const axis *y) {
    for (int64_t i = 0; i < s->count; i++) {
        double px = place(x, s->x[i]), py = place(y, s->y[i]);
        if (isfinite(px) && isfinite(py)) {
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", px, py, colour);
        }
    }
}

static void draw_whiskers(FILE *out, const hiss_series *s, const char *colour, const axis *x, const axis *y) {
    for (int64_t i = 0; s->low && s->high && i < s->count; i++) {
        double px = place(x, s->x[i]), low = place(y, s->low[i]), high = place(y, s->high[i]);
        if (isfinite(px) && isfinite(low) && isfinite(high)) {
            fprintf(out, "<path fill=\"none\" stroke=\"%s\" d=\"M%.1f %.1fh8m-4 0V%.1fm-4 0h8\"/>\n", colour, px - 4.0,
                    low, high);
        }
    }
}

static const char *colour_of(const hiss_chart *chart, int series) {
    const int chosen = chart->serie[series].colour;
    return palette[(chosen > 0 ? chosen - 1 : series) % HISS_COUNT(palette)];
}

static void draw_bars(FILE *out, const hiss_chart *chart, const axis *x, const axis *y) {
    const double width = 0.6 * (x->to - x->from) / chart->ticks;
    for (int i = 0; i < chart->series; i++) {
        const hiss_series *s = &chart->serie[i];
        for (int64_t j = 0; j < s->count && j < chart->ticks; j++) {
            const double from = place(y, stack_height(chart, i, j)), to = place(y, stack_height(chart, i + 1, j));
            if (from > to) {
                fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                        place(x, (double)j) - 0.5 * width, to, width, from - to, colour_of(chart, i));
            }
        }
    }
}

/* The legend, wrapped to the width; out NULL only measures. Returns the height it takes. */
static int draw_legend(FILE *out, const hiss_chart *chart, double left, double right, double top) {
    double at = left, y = top;
    bool any = false;
    for (int i = 0; i < chart->series; i++) {
        const hiss_series *s = &chart->serie[i];
        if (!s->name) {
            continue;
        }
        double need = 30.0 + text_width(s->name) + 16.0;
        if (any && at + need > right) {
            at = left;
            y += LEGEND;
        }
        any = true;
        if (out) {
            fprintf(out, "<path d=\"M%.1f %.1fh22\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n", at, y + 8.0,
                    colour_of(chart, i), chart->stacked ? "10" : "2.4", legend_dashes[s->stroke]);
            fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"#222\">", at + 28.0, y + 12.0);
            hiss_text_write_escaped(out, s->name);
            fputs("</text>\n", out);
        }
        at += need;
    }
    return any ? (int)(y - top) + LEGEND + 8 : 0;
}

static int chart_width(const hiss_chart *chart) {
    return chart->width > 0 ? chart->width : WIDTH;
}

static int chart_height(const hiss_chart *chart) {
    return chart->height > 0 ? chart->height : HEIGHT;
}

static void render(FILE *out, const hiss_chart *chart, int top) {
    double width = chart_width(chart), head = chart->title ? TITLE : 14;
    axis x = {.from = MARGIN_LEFT, .to = width - MARGIN_RIGHT};
    axis y = {.from = top + chart_height(chart) - MARGIN_BOTTOM};
    if (chart->title) {
        fprintf(out, "<text x=\"%d\" y=\"%d\" font-size=\"15\" font-weight=\"600\" fill=\"#111\">", MARGIN_LEFT,
                top + 22);
        hiss_text_write_escaped(out, chart->title);
        fputs("</text>\n", out);
    }
    y.to = top + head + draw_legend(out, chart, x.from, x.to, top + head);
    set_axis(&x, chart, false, (int)fmax(4.0, (x.to - x.from) / 80.0));
    set_axis(&y, chart, true, (int)fmax(4.0, (y.from - y.to) / 42.0));
    draw_axes(out, chart, &x, &y);
    if (chart->stacked) {
        draw_bars(out, chart, &x, &y);
        return;
    }
    for (int i = 0; i < chart->series; i++) {
        const hiss_series *s = &chart->serie[i];
        if (!s->no_line) {
            draw_line(out, s, colour_of(chart, i), &x, &y);
        }
        draw_whiskers(out, s, colour_of(chart, i), &x, &y);
        if (s->dots || s->count == 1) {
            draw_dots(out, s, colour_of(chart, i), &x, &y);
        }
    }
}

void hiss_charts_render(FILE *stream, int count, const hiss_chart *charts) {
    int width = 0, height = 0;
    for (int i = 0; i < count; i++) {
        width = chart_width(&charts[i]) > width ? chart_width(&charts[i]) : width;
        height += chart_height(&charts[i]);
    }
    fprintf(stream,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"%d\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            width, height, width, height, FONT, width, height);
    for (int i = 0, top = 0; i < count; top += chart_height(&charts[i]), i++) {
        render(stream, &charts[i], top);
    }
    fputs("</svg>\n", stream);
}

typedef struct charts {
    int count;
    const hiss_chart *chart;
} charts;

static void write_charts(FILE *stream, const void *user) {
    const charts *c = user;
    hiss_charts_render(stream, c->count, c->chart);
}

hiss_status hiss_charts_write(const char *path, int count, const hiss_chart *chart, hiss_error *err) {
    return hiss_file_write_by(path, write_charts, &(charts){count, chart}, err);
}
