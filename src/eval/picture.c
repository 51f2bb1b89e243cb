/* Pictures: contact sheets of retrievals, grids of filters, clips. Everything is painted onto one RGB canvas, pixels
 * enlarged by whole factors, and written as PNG. */
#include <assert.h>
#include <math.h>

#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"
#include "hiss/eval.h"
#include "hiss/log.h"
#include "hiss/picture.h"

enum { LEAST_IMAGE = 56, FRAME = 3, GAP = 4, LINE = 1 };
enum { PAIR_COLUMNS = 6, PAIR_GAP = 1 };
enum { LEAST_FILTER = 40, FILTER_GAP = 3 };

typedef struct colour {
    uint8_t rgb[3];
} colour;

static const colour white = {{255, 255, 255}}, line_grey = {{200, 204, 210}}, no_label = {{160, 165, 172}};
static const colour filter_ground = {{86, 108, 140}}; /* not grey: filters are white and black at their edges */
static const colour right = {{26, 152, 80}}, wrong = {{215, 48, 39}};

typedef struct canvas {
    int64_t H, W;
    uint8_t *pixels; /* [H, W, 3] */
} canvas;

static void paint(canvas *c, int64_t y, int64_t x, int64_t height, int64_t width, colour with) {
    assert(y >= 0 && x >= 0 && y + height <= c->H && x + width <= c->W);
    for (int64_t i = y; i < y + height; i++) {
        for (int64_t j = x; j < x + width; j++) {
            for (int k = 0; k < 3; k++) {
                c->pixels[(i * c->W + j) * 3 + k] = with.rgb[k];
            }
        }
    }
}

static canvas make_canvas(int64_t H, int64_t W) {
    canvas c = {H, W, hiss_alloc((size_t)(H * W * 3))};
    paint(&c, 0, 0, H, W, white);
    return c;
}

/* Whole factor that makes the longer side at least `least` pixels. */
static int64_t enlarge(int64_t H, int64_t W, int64_t least) {
    int64_t side = H > W ? H : W;
    return (least + side - 1) / side;
}

/* pixels[H,W,C]: the first three channels as colours, grey by the first one when there are fewer. */
static void paint_image(canvas *c, int64_t y, int64_t x, int64_t factor, int64_t H, int64_t W, int64_t C,
                        const uint8_t *pixels) {
    for (int64_t i = 0; i < H * W; i++) {
        const uint8_t *p = pixels + i * C;
        colour at = {{p[0], C >= 3 ? p[1] : p[0], C >= 3 ? p[2] : p[0]}};
        paint(c, y + i / W * factor, x + i % W * factor, factor, factor, at);
    }
}

typedef struct sheet {
    canvas canvas;
    int64_t H, W, C, factor, cell_height, cell_width;
    uint8_t *row; /* of a sample */
    const hiss_field *image;
    float *floats;
    uint8_t *pixels;            /* [H, W, C] */
    float least[3], largest[3]; /* what is black and white of the channels that are shown */
} sheet;

static int64_t shown_channels(const sheet *s) {
    return s->C >= 3 ? 3 : 1;
}

/* The stored image from 0 to 1, if it has the range that it should. */
static void take_values(sheet *s) {
    const hiss_field *f = s->image;
    hiss_field_floats(f, s->row + f->offset, f->low, s->floats);
    for (int64_t k = 0; k < hiss_field_count(f); k++) {
        s->floats[k] /= (float)(f->high - f->low);
    }
}

/* The same as bytes. */
static void render(sheet *s) {
    take_values(s);
    for (int64_t i = 0; i < s->H * s->W; i++) {
        for (int64_t c = 0; c < shown_channels(s); c++) {
            const float grey = 255.0f * (s->floats[i * s->C + c] - s->least[c]) / (s->largest[c] - s->least[c]);
            s->pixels[i * s->C + c] = (uint8_t)(grey <= 0.0f ? 0 : grey >= 255.0f ? 255 : grey + 0.5f);
        }
    }
}

/* Have the row count for what is black and white. */
static void widen(sheet *s) {
    take_values(s);
    for (int64_t i = 0; i < s->H * s->W; i++) {
        for (int64_t c = 0; c < shown_channels(s); c++) {
            s->least[c] = fminf(s->least[c], s->floats[i * s->C + c]);
            s->largest[c] = fmaxf(s->largest[c], s->floats[i * s->C + c]);
        }
    }
}

static void paint_cell(sheet *s, int64_t row, int64_t column, colour frame) {
    int64_t y = GAP + row * s->cell_height, x = GAP + column * s->cell_width + (column > 0 ? GAP + LINE : 0);
    paint(&s->canvas, y, x, s->H * s->factor + 2 * FRAME, s->W * s->factor + 2 * FRAME, frame);
    render(s);
    paint_image(&s->canvas, y + FRAME, x + FRAME, s->factor, s->H, s->W, s->C, s->pixels);
}

static hiss_status paint_row(sheet *s, const hiss_sample_range *queries, const hiss_sample_range *bank, int64_t row,
                             int64_t query, int64_t k, const hiss_neighbor *neighbor, hiss_error *err) {
    bool labelled = hiss_dataset_labelled(queries->set) && hiss_dataset_labelled(bank->set);
    int32_t own = 0, label = 0;
    hiss_status status = hiss_sample_read(queries, query, 1, s->row, labelled ? &own : NULL, err);
    if (status == HISS_OK) {
        paint_cell(s, row, 0, white);
    }
    for (int64_t j = 0; j < k && status == HISS_OK; j++) {
        if (neighbor[j].index >= 0) {
            status = hiss_sample_read(bank, neighbor[j].index, 1, s->row, labelled ? &label : NULL, err);
            if (status == HISS_OK) {
                paint_cell(s, row, j + 1, !labelled || own < 0 || label < 0 ? no_label : label == own ? right : wrong);
            }
        }
    }
    return status;
}

/* Black and white are 0 and 1, unless values lie beyond them: then each channel goes from its least value to its largest,
 * as networks are not told of black and white either. */
static hiss_status choose_range(sheet *s, const hiss_sample_range *queries, const hiss_sample_range *bank,
                                int64_t count, const int64_t *index, int64_t k, const hiss_neighbor *neighbor,
                                hiss_error *err) {
    hiss_status status = HISS_OK;
    bool beyond = false;
    for (int c = 0; c < 3; c++) {
        s->least[c] = HUGE_VALF;
        s->largest[c] = -HUGE_VALF;
    }
    for (int64_t i = 0; i < count * (k + 1) && status == HISS_OK; i++) {
        const int64_t row = i / (k + 1), j = i % (k + 1) - 1;
        const int64_t sample = j < 0 ? index[row] : neighbor[row * k + j].index;
        if (sample >= 0) {
            status = hiss_sample_read(j < 0 ? queries : bank, sample, 1, s->row, NULL, err);
        }
        if (sample >= 0 && status == HISS_OK) {
            widen(s);
        }
    }
    for (int c = 0; c < shown_channels(s); c++) {
        beyond = beyond || s->least[c] < 0 || s->largest[c] > 1;
    }
    for (int c = 0; c < 3; c++) {
        const bool flat = s->largest[c] <= s->least[c];
        s->least[c] = beyond && !flat ? s->least[c] : 0;
        s->largest[c] = beyond && !flat ? s->largest[c] : 1;
    }
    if (beyond) {
        hiss_info("images have values beyond black and white (data.range): pictures show each channel from its least "
                  "value to its largest");
    }
    return status;
}

hiss_status hiss_sheet_write(const char *path, const hiss_sample_range *queries, const hiss_sample_range *bank,
                             int64_t count, const int64_t *index, int64_t k, const hiss_neighbor *neighbor,
                             hiss_error *err) {
    sheet s = {0};
    hiss_dataset_shape(queries->set, &s.H, &s.W, &s.C);
    int64_t H, W, C;
    hiss_dataset_shape(bank->set, &H, &W, &C);
    assert(H == s.H && W == s.W && C == s.C);
    s.factor = enlarge(s.H, s.W, LEAST_IMAGE);
    s.cell_height = s.H * s.factor + 2 * FRAME + GAP;
    s.cell_width = s.W * s.factor + 2 * FRAME + GAP;
    s.canvas = make_canvas(GAP + count * s.cell_height, 2 * GAP + LINE + (k + 1) * s.cell_width);
    s.image = hiss_dataset_field(queries->set, HISS_FIELD_IMAGE);
    s.floats = hiss_new(float, hiss_field_count(s.image));
    s.pixels = hiss_alloc((size_t)hiss_field_count(s.image));
    s.row = hiss_alloc((size_t)hiss_dataset_row(queries->set));
    paint(&s.canvas, 0, GAP + s.cell_width, s.canvas.H, LINE, line_grey);
    hiss_status status = choose_range(&s, queries, bank, count, index, k, neighbor, err);
    if (s.C == 2 || s.C > 3) {
        hiss_info("pictures show the first %s%lld channels, as %s", s.C == 2 ? "of " : "three of ", (long long)s.C,
                  s.C == 2 ? "grey" : "red, green and blue");
    }
    for (int64_t row = 0; row < count && status == HISS_OK; row++) {
        if (row > 0) {
            paint(&s.canvas, row * s.cell_height + GAP / 2, 0, LINE, s.canvas.W, line_grey);
        }
        status = paint_row(&s, queries, bank, row, index[row], k, neighbor + row * k, err);
    }
    if (status == HISS_OK) {
        status = hiss_png_write(path, s.canvas.H, s.canvas.W, 3, s.canvas.pixels, err);
    }
    hiss_free(s.canvas.pixels);
    hiss_free(s.floats);
    hiss_free(s.pixels);
    hiss_free(s.row);
    return status;
}

hiss_status hiss_write_pairs(const char *path, int64_t count, int64_t H, int64_t W, int64_t C, const uint8_t *pixels,
                             hiss_error *err) {
    const int64_t factor = enlarge(H, W, LEAST_IMAGE), columns = count < PAIR_COLUMNS ? count : PAIR_COLUMNS;
    const int64_t height = H * factor, pair_height = 2 * height + PAIR_GAP + 2 * GAP, width = W * factor + GAP;
    canvas c = make_canvas(2 * GAP + (count + columns - 1) / columns * pair_height, GAP + columns * width);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < 2; k++) {
            paint_image(&c, 2 * GAP + i / columns * pair_height + k * (height + PAIR_GAP), GAP + i % columns * width,
                        factor, H, W, C, pixels + (2 * i + k) * H * W * C);
        }
    }
    const hiss_status status = hiss_png_write(path, c.H, c.W, 3, c.pixels, err);
    hiss_free(c.pixels);
    return status;
}

hiss_status hiss_write_grid(const char *path, int64_t rows, int64_t columns, int64_t H, int64_t W, int64_t C,
                            const uint8_t *pixels, hiss_error *err) {
    const int64_t factor = enlarge(H, W, LEAST_IMAGE), height = H * factor + PAIR_GAP, width = W * factor + PAIR_GAP;
    canvas c = make_canvas(PAIR_GAP + rows * height, PAIR_GAP + columns * width);
    for (int64_t i = 0; i < rows * columns; i++) {
        paint_image(&c, PAIR_GAP + i / columns * height, PAIR_GAP + i % columns * width, factor, H, W, C,
                    pixels + i * H * W * C);
    }
    const hiss_status status = hiss_png_write(path, c.H, c.W, 3, c.pixels, err);
    hiss_free(c.pixels);
    return status;
}

/* ---- clips ---- */

typedef struct film {
    const hiss_clips *clips;
    int64_t factor, border, cell_height, cell_width;
    uint8_t *bytes; /* [H, W, C] of a frame */
} film;

static film make_film(const hiss_clips *clips) {
    film f = {.clips = clips, .factor = enlarge(clips->H, clips->W, LEAST_IMAGE), .border = clips->border ? FRAME : 0};
    f.cell_height = clips->H * f.factor + 2 * f.border + GAP;
    f.cell_width = clips->W * f.factor + 2 * f.border + GAP;
    f.bytes = hiss_alloc((size_t)(clips->H * clips->W * clips->C));
    return f;
}

/* Frame t of a clip with its border, whose corner is y, x. */
static void paint_frame(const film *f, canvas *c, int64_t y, int64_t x, int64_t clip, int64_t t) {
    const hiss_clips *of = f->clips;
    const int64_t at = clip * of->T + t, size = of->H * of->W * of->C;
    for (int64_t k = 0; k < size; k++) {
        f->bytes[k] = eval_byte_of(of->pixels[at * size + k]);
    }
    if (of->border) {
        const colour border[] = {[HISS_BORDER_NONE] = white, [HISS_BORDER_GIVEN] = right, [HISS_BORDER_MADE] = wrong};
        paint(c, y, x, f->cell_height - GAP, f->cell_width - GAP, border[of->border[at]]);
    }
    paint_image(c, y + f->border, x + f->border, f->factor, of->H, of->W, of->C, f->bytes);
}

static void paint_moment(void *user, int64_t t, uint8_t *pixels) {
    const film *f = user;
    const int64_t rows = f->clips->rows, columns = f->clips->columns;
    canvas c = {GAP + rows * f->cell_height, GAP + columns * f->cell_width, pixels};
    if (t == 0) {
        paint(&c, 0, 0, c.H, c.W, white);
    }
    for (int64_t k = 0; k < rows * columns; k++) {
        paint_frame(f, &c, GAP + k / columns * f->cell_height, GAP + k % columns * f->cell_width, k, t);
    }
}

hiss_status hiss_write_clips(const char *path, const hiss_clips *clips, hiss_error *err) {
    film f = make_film(clips);
    const hiss_animation a = {.frames = clips->T,
                              .H = GAP + clips->rows * f.cell_height,
                              .W = GAP + clips->columns * f.cell_width,
                              .milliseconds = clips->milliseconds,
                              .paint = paint_moment,
                              .user = &f};
    const hiss_status status = hiss_animation_write(path, &a, err);
    hiss_free(f.bytes);
    return status;
}

hiss_status hiss_write_strips(const char *path, const hiss_clips *clips, hiss_error *err) {
    film f = make_film(clips);
    const int64_t strips = clips->rows * clips->columns;
    canvas c = make_canvas(GAP + strips * f.cell_height + (clips->rows - 1) * GAP, GAP + clips->T * f.cell_width);
    for (int64_t k = 0; k < strips; k++) {
        for (int64_t t = 0; t < clips->T; t++) {
            paint_frame(&f, &c, GAP + k * f.cell_height + k / clips->columns * GAP, GAP + t * f.cell_width, k, t);
        }
    }
    const hiss_status status = hiss_png_write(path, c.H, c.W, 3, c.pixels, err);
    hiss_free(c.pixels);
    hiss_free(f.bytes);
    return status;
}

/* ---- filters ---- */

/* One filter as bytes, [R,S,3] when C is 3, else its planes side by side [R, C*S, 1]; a constant one is mid-grey. */
static void stretch(int64_t R, int64_t S, int64_t C, const float *w, uint8_t *pixels) {
    float low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < R * S * C; i++) {
        low = fminf(low, w[i]);
        high = fmaxf(high, w[i]);
    }
    for (int64_t i = 0; i < R * S * C; i++) {
        float share = high > low ? (w[i] - low) / (high - low) : 0.5f;
        int64_t r = i / (S * C), s = i / C % S, c = i % C;
        pixels[C == 3 ? i : r * C * S + c * S + s] = (uint8_t)lrintf(255.0f * share);
    }
}

hiss_status hiss_filters_write(const char *path, int64_t F, int64_t R, int64_t S, int64_t C, const float *w,
                               hiss_error *err) {
    int64_t width = C == 3 ? S : C * S, factor = enlarge(R, S, LEAST_FILTER);
    int64_t cell_height = R * factor + FILTER_GAP, cell_width = width * factor + FILTER_GAP;
    int64_t columns = (int64_t)ceil(sqrt((double)(F * cell_height) / (double)cell_width));
    columns = columns < 1 ? 1 : columns > F ? F : columns;
    canvas c = make_canvas(FILTER_GAP + (F + columns - 1) / columns * cell_height, FILTER_GAP + columns * cell_width);
    uint8_t *pixels = hiss_alloc((size_t)(R * S * C));
    paint(&c, 0, 0, c.H, c.W, filter_ground);
    for (int64_t f = 0; f < F; f++) {
        stretch(R, S, C, w + f * R * S * C, pixels);
        paint_image(&c, FILTER_GAP + f / columns * cell_height, FILTER_GAP + f % columns * cell_width, factor, R, width,
                    C == 3 ? 3 : 1, pixels);
    }
    hiss_status status = hiss_png_write(path, c.H, c.W, 3, c.pixels, err);
    hiss_free(c.pixels);
    hiss_free(pixels);
    return status;
}
