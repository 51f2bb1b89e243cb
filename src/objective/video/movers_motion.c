/* Masks of what moves in a clip, of its pixels alone. They stand in for the ones of Pathak et al. 2017, which come from optical
 * flow and saliency (uNLC).
 *
 * The ground is the temporal median of each pixel. The difference d of the middle frame from it, the largest over channels,
 * makes motion (d - low) / (high - low), cut to 0..1; that of a pixel becomes the mean over its window of 3 x 3, and that of
 * a cell the mean over its pixels. So masks err as such masks do: they have holes where a thing is as light as the ground; the
 * inside of what moves little is its own median, and is missed; and what stood there is seen as a ghost beside it. */
#include <string.h>

#include "objective/video/movers.h"

int64_t video_movers_cell(const movers *v, int64_t y, int64_t x) {
    if (v->options->head == MOVERS_LINEAR) {
        return y * v->columns + x;
    }
    const int64_t down = v->rows / v->h, across = v->columns / v->w;
    return ((y / down * v->w + x / across) * down + y % down) * across + x % across;
}

static int median_apart(const uint8_t *pixel, int64_t frames, int64_t stride, int64_t middle) {
    uint8_t sorted[VIDEO_MOST_FRAMES];
    for (int64_t t = 0; t < frames; t++) {
        const uint8_t value = pixel[t * stride];
        int64_t k = t;
        for (; k > 0 && sorted[k - 1] > value; k--) {
            sorted[k] = sorted[k - 1];
        }
        sorted[k] = value;
    }
    const int apart = pixel[middle * stride] - sorted[frames / 2];
    return apart < 0 ? -apart : apart;
}

static void motion_of_row(const movers *v, const uint8_t *clip, int64_t y, float *out) {
    const hiss_task *t = v->task;
    const double low = 255.0 * v->options->low, range = 255.0 * v->options->high - low;
    for (int64_t x = 0; x < t->W; x++) {
        int most = 0;
        for (int64_t c = 0; c < t->C; c++) {
            const int apart = median_apart(clip + (y * t->W + x) * t->C + c, v->frames, t->H * t->W * t->C, v->middle);
            most = apart > most ? apart : most;
        }
        const double motion = ((double)most - low) / range;
        out[x] = (float)(motion < 0.0 ? 0.0 : motion > 1.0 ? 1.0 : motion);
    }
}

void video_movers_motion(const movers *v, const hiss_lane *lane, int64_t i, float *out) {
    const hiss_task *t = v->task;
    const uint8_t *clip = hiss_batch_values(lane->batch, i, hiss_task_field(t, VIDEO_FIELD_CLIP));
    const int64_t cell = v->options->cell;
    float row[3][MOVERS_MOST_SIDE];
    memset(out, 0, sizeof *out * (size_t)(v->rows * v->columns));
    motion_of_row(v, clip, 0, row[0]);
    for (int64_t y = 0; y < t->H; y++) {
        const int64_t first = y > 0 ? y - 1 : 0, end = y + 2 < t->H ? y + 2 : t->H;
        if (y + 1 < t->H) {
            motion_of_row(v, clip, y + 1, row[(y + 1) % 3]);
        }
        for (int64_t x = 0; x < t->W; x++) {
            const int64_t left = x > 0 ? x - 1 : 0, right = x + 2 < t->W ? x + 2 : t->W;
            float sum = 0.0f;
            for (int64_t r = first; r < end; r++) {
                for (int64_t c = left; c < right; c++) {
                    sum += row[r % 3][c];
                }
            }
            out[video_movers_cell(v, y / cell, x / cell)] +=
                sum / (float)((end - first) * (right - left) * cell * cell);
        }
    }
}

bool video_movers_credible(const movers *v, const float *motion) {
    const int64_t cells = v->rows * v->columns;
    int64_t moving = 0;
    for (int64_t k = 0; k < cells; k++) {
        moving += (double)motion[k] > v->options->moves;
    }
    const double share = (double)moving / (double)cells;
    return share >= v->options->least && share <= v->options->most;
}

void video_movers_weights(const movers *v, const hiss_lane *lane, int64_t i, float *weight, float *left_out) {
    video_movers_motion(v, lane, i, weight);
    const bool counts = video_movers_credible(v, weight);
    *left_out = counts ? 0.0f : 1.0f;
    for (int64_t k = 0; k < v->rows * v->columns; k++) {
        const double motion = (double)weight[k];
        weight[k] = !counts ? 0.0f : motion > v->options->moves ? 1.0f : motion <= v->options->still ? -1.0f : 0.0f;
    }
}
