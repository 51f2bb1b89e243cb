/* Which values stand for black and white: by their type, or by data.range; and whether what the file holds are numbers, and
 * fit that. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/number.h"

/* Pixels of a sample that no image of this range has. */
static hiss_status fail_beyond(const hiss_dataset *set, int64_t row, const void *values, hiss_error *err) {
    const hiss_field *image = &set->field[DATA_IMAGE];
    const data_source *source = &set->source[DATA_IMAGE];
    const int64_t count = hiss_field_count(image);
    float *number = hiss_new(float, count);
    double low = HUGE_VAL, high = -HUGE_VAL;
    char expected[160];
    int64_t there;
    const char *path = data_joined_place(source->joined, row, &there);
    hiss_field_floats(image, values, 0, number);
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, (double)number[i]);
        high = fmax(high, (double)number[i]);
    }
    hiss_free(number);
    if (set->limits.words) {
        snprintf(expected, sizeof expected,
                 "0..%g, the numbers of words in /vocabulary: prepare the file anew with hiss prepare text",
                 set->limits.most);
    } else if (set->limits.unit_for) {
        snprintf(expected, sizeof expected,
                 "%g..%g, which are 0..1 to %s: replace them, or set data.range to values that hold all", image->low,
                 image->high, set->limits.unit_for);
    } else if (set->limits.further) {
        snprintf(expected, sizeof expected,
                 "about 0..1, as data.range is not set for the training samples: write these in the same range");
    } else {
        snprintf(expected, sizeof expected,
                 "about 0..1: replace them, or set data.range to the values for black and white, or to [0, 1] to take "
                 "them as they are");
    }
    return hiss_fail(err, HISS_EUSER, "%s: row %lld of data set %s has values from %g to %g; expected %s", path,
                     (long long)there, source->dataset, low, high, expected);
}

static hiss_status check_targets(const hiss_dataset *set, int k, int64_t row, const uint8_t *target, hiss_error *err) {
    const data_source *source = &set->source[k];
    int64_t there;
    for (int64_t c = 0; c < hiss_field_count(&set->field[k]); c++) {
        if (target[c] > 1 && target[c] != HISS_NOT_JUDGED) {
            const char *path = data_joined_place(source->joined, row, &there);
            return hiss_fail(
                err, HISS_EUSER,
                "%s: row %lld of data set %s has %d for class %lld; targets are 1 (present), 0 (absent) or "
                "%d (not judged)",
                path, (long long)there, source->dataset, target[c], (long long)c, HISS_NOT_JUDGED);
        }
    }
    return HISS_OK;
}

/* The values of a field in one row, after missing ones were replaced, must be numbers: one that is not would be in all
 * parameters after the next step. */
hiss_status data_check_sample(const hiss_dataset *set, int k, int64_t row, void *values, hiss_error *err) {
    const hiss_field *field = &set->field[k];
    const data_source *source = &set->source[k];
    const char *wrong = data_packing_unpack(source, field, row, values);
    const struct data_limits *limits = &set->limits;
    if (!wrong && field->dtype == HISS_U8 && field->ndim == 1 && strcmp(field->name, HISS_FIELD_TARGETS) == 0) {
        return check_targets(set, k, row, values, err);
    }
    if (!wrong) {
        const bool within = k != DATA_IMAGE || limits->least == limits->most ||
                            data_values_within(field, values, limits->least, limits->most);
        return within ? HISS_OK : fail_beyond(set, row, values, err);
    }
    int64_t there;
    const char *path = data_joined_place(source->joined, row, &there);
    double value;
    if (data_packing_overflows(source, field, row, &value)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: row %lld of data set %s has values that are too large for float32, such as %g; expected "
                         "numbers up to 3.4e38: replace them, or leave the row out",
                         path, (long long)there, source->dataset, value);
    }
    const bool replaced = source->replaced && field->dtype != HISS_F16;
    const bool replaceable = k == DATA_IMAGE && field->dtype != HISS_F16 && !replaced;
    return hiss_fail(
        err, HISS_EUSER,
        "%s: row %lld of data set %s has values that are %s; expected numbers: replace them, %sor leave the "
        "row out",
        path, (long long)there, source->dataset, replaced ? "infinite" : wrong,
        replaceable       ? "set data.missing to what shall stand for NaN and missing values, "
        : k != DATA_IMAGE ? "in the file (data.missing is for pixels only), "
                          : "");
}

/* The smallest and the largest value of the image in some rows. */
static hiss_status look_at_some(const hiss_dataset *set, double *low, double *high, hiss_error *err) {
    enum { ROWS = 16 };
    const hiss_field *image = &set->field[DATA_IMAGE];
    const int64_t count = hiss_field_count(image), rows = set->rows < ROWS ? set->rows : ROWS;
    void *row = hiss_alloc((size_t)image->bytes);
    float *values = hiss_new(float, count);
    hiss_status status = HISS_OK;
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (int64_t k = 0; k < rows; k++) {
        status = data_packing_read(&set->source[DATA_IMAGE], image, k * (set->rows / rows), 1, 0, row, err);
        status = status ? status : data_check_sample(set, DATA_IMAGE, k * (set->rows / rows), row, err);
        if (status) {
            break;
        }
        hiss_field_floats(image, row, 0, values);
        for (int64_t i = 0; i < count; i++) {
            *low = fmin(*low, (double)values[i]);
            *high = fmax(*high, (double)values[i]);
        }
    }
    hiss_free(values);
    hiss_free(row);
    return status;
}

enum { MOST = 16 }; /* that pixels of no known range may be away from 0 */

/* Whether the type of pixels says nothing of their range. */
static bool is_open(const hiss_field *image) {
    return image->dtype == HISS_F32 || image->dtype == HISS_F16 || image->dtype == HISS_I64 || image->dtype == HISS_U64;
}

/* Pixels whose type says nothing of their range are of 0..1, or standardised, unless data.range says otherwise: look at
 * some of them. */
hiss_status data_range_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    hiss_field *image = &set->field[DATA_IMAGE];
    const data_source *source = &set->source[DATA_IMAGE];
    const bool further = options->keys.images != NULL; /* samples to evaluate: what is set for training holds */
    double low = 0.0, high = 0.0;
    image->least = image->low;
    image->most = image->high;
    if (options->range || !is_open(image)) {
        return HISS_OK;
    }
    hiss_status status = look_at_some(set, &low, &high, err);
    image->least = low;
    image->most = high;
    if (!status && (low < -MOST || high > MOST) && further) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: data set %s has values from %g to %g; expected about 0..1, as data.range is not set for "
                      "the training samples: write these in the same range",
                      set->path, source->dataset, low, high);
    } else if (!status && (low < -MOST || high > MOST)) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: data set %s has values from %g to %g; expected about 0..1: set data.range to "
                           "the values for black and white, such as [%g, %g], or to [0, 1] to take them as they are",
                           set->path, source->dataset, low, high, low < 0 || low > high / 2 ? low : 0.0,
                           high > 16 && high <= 255 && low >= 0 ? 255.0 : high);
    }
    return status;
}

/* Why no pixels are well between black and white; NULL: they may be. */
static const char *range_fault(const hiss_field *image) {
    enum { DIGITS = 1 << 24 }; /* float32 has 24 bits */
    const double low = image->low, high = image->high, width = high - low;
    double least, most;
    if (!(fabs(low) <= (double)FLT_MAX && fabs(high) <= (double)FLT_MAX)) {
        return "both must be finite as float32, up to 3.4e38";
    }
    const bool whole = data_packing_limits(image->dtype, &least, &most);
    if (width > 1 / (double)FLT_MIN || (whole && (most - least) * DIGITS < width)) {
        return "they are so far from each other that all pixels would be equal";
    }
    if (width < (double)FLT_MIN || (whole ? (float)(most - low) == (float)(least - low) : (float)low == (float)high)) {
        return "they are so close to each other that all pixels would be equal, or infinite";
    }
    return NULL;
}

/* data.range, of the image. */
hiss_status data_range_read(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    hiss_field *image = &set->field[DATA_IMAGE];
    const hiss_yaml *range = options->range, *low = range ? range->first : NULL, *high = low ? low->next : NULL;
    if (!range) {
        return HISS_OK;
    }
    const bool two = range->kind == HISS_YAML_LIST && low && high && !high->next && low->text && high->text;
    if (!two || !hiss_real_parse(low->text, &image->low) || !hiss_real_parse(high->text, &image->high) ||
        !(image->high > image->low)) {
        return data_blame(options->keys.config, NULL, "data.range",
                          hiss_fail(err, HISS_EUSER, "must be a list of two numbers, [LOW, HIGH], the lower first"),
                          err);
    }
    const char *fault = range_fault(image);
    if (fault) {
        return data_blame(options->keys.config, NULL, "data.range",
                          hiss_fail(err, HISS_EUSER,
                                    "[%.40s, %.40s] for pixels of %s: %s; give the values for black and white",
                                    low->text, high->text, hiss_dtype_name(image->dtype), fault),
                          err);
    }
    return look_at_some(set, &image->least, &image->most, err); /* what the values lie between that it is said of */
}

void data_range_limit(hiss_dataset *set, const hiss_data_options *options) {
    static const double tolerance = 1e-3; /* of the width: numbers that were rounded */
    const hiss_field *image = &set->field[DATA_IMAGE];
    const double room = tolerance * (image->high - image->low);
    struct data_limits *limits = &set->limits;
    double least, most;
    const bool whole = data_packing_limits(image->dtype, &least, &most);
    limits->further = options->keys.images != NULL;
    if (options->unit_pixels) {
        limits->unit_for = options->unit_pixels;
        limits->least = image->low - room;
        limits->most = image->high + room;
    } else if (!options->range && is_open(image)) {
        limits->least = -MOST;
        limits->most = MOST;
    }
    if (whole && limits->least <= least && limits->most >= most) { /* no value of the type is beyond */
        limits->least = limits->most = 0;
    }
}
