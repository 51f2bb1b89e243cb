/* The results as CSV and JSON. */
#include "hiss/export.h"

#include <inttypes.h>
#include <math.h>

#include "compare/compare_impl.h"

static const char *state_name(hiss_compare_state state) {
    static const char *const names[] = {"missing", "failed", "done"};
    return names[state];
}

/* NULL: a row's own run. */
static const char *transfer_name(const hiss_comparison *study, int transfer) {
    return transfer > 0 ? study->transfers[transfer - 1].name : NULL;
}

/* ---- CSV ---- */

static void csv_name(FILE *out, const char *name, const char *ending) {
    fprintf(out, ",%s%s", name, ending); /* names hold neither commas nor quotes */
}

void hiss_compare_csv(FILE *out, const hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    fputs("row,runs,seeds,images_seen,training_seconds", out);
    for (int c = 0; c < study->ncolumns; c++) {
        csv_name(out, study->columns[c].name, "");
        csv_name(out, study->columns[c].name, "_spread");
    }
    fputs(study->published_name ? ",published\n" : "\n", out);
    for (int row = 0; row < study->nrows; row++) {
        fprintf(out, "%s,%" PRId64 ",%d", study->rows[row].name, compare_done(results, row), study->nseeds);
        hiss_csv_next_number(out, results->images[row]);
        hiss_csv_next_number(out, results->seconds[row]);
        for (int c = 0; c < study->ncolumns; c++) {
            hiss_csv_next_number(out, compare_cell(results, row, c)->mean);
            hiss_csv_next_number(out, compare_cell(results, row, c)->spread);
        }
        if (study->published_name) {
            hiss_csv_next_number(out, study->published[row]);
        }
        fputc('\n', out);
    }
}

void hiss_compare_runs_csv(FILE *out, const hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    fputs("row,seed,transfer,state,images_seen,training_seconds", out);
    for (int c = 0; c < study->ncolumns; c++) {
        csv_name(out, study->columns[c].name, "");
    }
    fputs(",parameters_sha256,why\n", out);
    for (int run = 0; run < hiss_comparison_runs(study); run++) {
        const hiss_compare_run *r = &results->runs[run];
        const bool done = r->state == HISS_COMPARE_DONE;
        if (!compare_has_line(study, run)) {
            continue;
        }
        const char *transfer = transfer_name(study, hiss_comparison_transfer(study, run));
        fprintf(out, "%s,%" PRId64 ",%s,%s", study->rows[hiss_comparison_row(study, run)].name,
                study->seeds[hiss_comparison_seed(study, run)], transfer ? transfer : "", state_name(r->state));
        hiss_csv_next_number(out, done ? (double)r->images : (double)NAN);
        hiss_csv_next_number(out, done ? r->seconds : (double)NAN);
        for (int c = 0; c < study->ncolumns; c++) {
            hiss_csv_next_number(out, r->value[c]);
        }
        fprintf(out, ",%s,", done ? r->parameters : "");
        hiss_csv_text(out, r->why);
        fputc('\n', out);
    }
}

void hiss_compare_curves_csv(FILE *out, const hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    fputs("curve,row,x,runs,mean,spread\n", out);
    for (int c = 0; c < study->ncurves; c++) {
        const hiss_compare_line *line = &results->lines[c];
        for (int k = 0; k < study->nrows * line->count; k++) {
            fprintf(out, "%s,%s", study->curves[c].name, study->rows[k / line->count].name);
            hiss_csv_next_number(out, line->x[k % line->count]);
            fprintf(out, ",%" PRId64, line->cells[k].count);
            hiss_csv_next_number(out, line->cells[k].mean);
            hiss_csv_next_number(out, line->cells[k].spread);
            fputc('\n', out);
        }
    }
}

/* ---- JSON ---- */

/* Left out of studies that have none. */
static void json_transfer(FILE *out, const hiss_comparison *study, const char *name) {
    if (study->ntransfers > 0) {
        hiss_json_member_text(out, "transfer", name);
        fputs(", ", out);
    }
}

static const char *source_name(const hiss_comparison *study, const hiss_reading *reading) {
    return reading->transfers ? reading->transfers : transfer_name(study, reading->transfer);
}

static void json_summary(FILE *out, const hiss_compare_cell *cell) {
    fprintf(out, "\"count\": %" PRId64 ", ", cell->count);
    hiss_json_member_number(out, "mean", cell->mean);
    fputs(", ", out);
    hiss_json_member_number(out, "spread", cell->spread);
}

static void json_column(FILE *out, const hiss_compare_results *results, int c) {
    static const char *const best[] = {"highest", "lowest", "none"};
    const hiss_compare_column *column = &results->study->columns[c];
    fputs("    {", out);
    hiss_json_member_text(out, "name", column->name);
    fputs(", ", out);
    hiss_json_member_text(out, "reading", column->reading.text);
    fputs(", ", out);
    json_transfer(out, results->study, source_name(results->study, &column->reading));
    hiss_json_member_text(out, "unit", results->unit[c] ? results->unit[c] : "");
    fputs(", ", out);
    hiss_json_member_text(out, "best", best[column->best]);
    if (results->study->published_name) {
        fputs(", ", out);
        hiss_json_member_number(out, "rank_correlation", results->correlation[c]);
        fprintf(out, ", \"rank_correlation_rows\": %" PRId64, results->pairs[c]);
    }
    fputc('}', out);
}

static void json_line(FILE *out, const hiss_compare_results *results, int c) {
    const hiss_comparison *study = results->study;
    const hiss_compare_line *line = &results->lines[c];
    fputs("    {", out);
    hiss_json_member_text(out, "name", study->curves[c].name);
    fputs(", ", out);
    hiss_json_member_text(out, "reading", study->curves[c].reading.text);
    fputs(", ", out);
    json_transfer(out, study, source_name(study, &study->curves[c].reading));
    hiss_json_member_text(out, "x_label", line->x_label);
    fputs(", ", out);
    hiss_json_member_text(out, "y_label", line->y_label);
    fputs(", \"x\": [", out);
    for (int k = 0; k < line->count; k++) {
        fputs(k ? ", " : "", out);
        hiss_json_number(out, line->x[k]);
    }
    fputs("], \"rows\": [", out);
    for (int row = 0; row < study->nrows; row++) {
        fputs(row ? ", {" : "{", out);
        hiss_json_member_text(out, "name", study->rows[row].name);
        fputs(", \"points\": [", out);
        for (int k = 0; k < line->count; k++) {
            fputs(k ? ", {" : "{", out);
            json_summary(out, &line->cells[row * line->count + k]);
            fputc('}', out);
        }
        fputs("]}", out);
    }
    fputs("]}", out);
}

static void json_row(FILE *out, const hiss_compare_results *results, int row) {
    const hiss_comparison *study = results->study;
    fputs("    {", out);
    hiss_json_member_text(out, "name", study->rows[row].name);
    fprintf(out, ", \"runs\": %" PRId64 ", ", compare_done(results, row));
    hiss_json_member_number(out, "images_seen", results->images[row]);
    fputs(", ", out);
    hiss_json_member_number(out, "training_seconds", results->seconds[row]);
    if (study->published_name) {
        fputs(", ", out);
        hiss_json_member_number(out, "published", study->published[row]);
    }
    fputs(", \"readings\": [", out);
    for (int c = 0; c < study->ncolumns; c++) {
        const hiss_compare_cell *cell = compare_cell(results, row, c);
        fputs(c ? ", {" : "{", out);
        json_summary(out, cell);
        fprintf(out, ", \"best\": %s", cell->best ? "true" : "false");
        if (study->control >= 0) {
            fprintf(out, ", \"better_than_control\": %s", cell->fails ? "false" : "true");
        }
        fputc('}', out);
    }
    fputs("]}", out);
}

static void json_run(FILE *out, const hiss_compare_results *results, int run) {
    const hiss_comparison *study = results->study;
    const hiss_compare_run *r = &results->runs[run];
    const bool done = r->state == HISS_COMPARE_DONE;
    fputs("    {", out);
    hiss_json_member_text(out, "row", study->rows[hiss_comparison_row(study, run)].name);
    fprintf(out, ", \"seed\": %" PRId64 ", ", study->seeds[hiss_comparison_seed(study, run)]);
    json_transfer(out, study, transfer_name(study, hiss_comparison_transfer(study, run)));
    hiss_json_member_text(out, "state", state_name(r->state));
    fputs(", ", out);
    hiss_json_member_number(out, "images_seen", done ? (double)r->images : (double)NAN);
    fputs(", ", out);
    hiss_json_member_number(out, "training_seconds", done ? r->seconds : (double)NAN);
    fputs(", \"readings\": [", out);
    for (int c = 0; c < study->ncolumns; c++) {
        fputs(c ? ", " : "", out);
        hiss_json_number(out, r->value[c]);
    }
    fputs("], ", out);
    hiss_json_member_text(out, "parameters_sha256", *r->parameters ? r->parameters : NULL);
    fputs(", ", out);
    hiss_json_member_text(out, "identity", r->identity ? r->identity : "");
    fputs(", ", out);
    hiss_json_member_text(out, "why", r->why);
    fputc('}', out);
}

void hiss_compare_json(FILE *out, const hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    fputs("{\n  ", out);
    hiss_json_member_text(out, "study", study->name);
    fprintf(out, ",\n  \"done\": %" PRId64 ", \"failed\": %" PRId64 ", \"missing\": %" PRId64 ",\n  ", results->done,
            results->failed, results->missing);
    hiss_json_member_text(out, "budget", results->budget);
    fputs(",\n  ", out);
    hiss_json_member_text(out, "differences", results->alike);
    fputs(",\n  ", out);
    hiss_json_member_text(out, "published", study->published_name);
    fputs(",\n  \"columns\": [\n", out);
    for (int c = 0; c < study->ncolumns; c++) {
        json_column(out, results, c);
        fputs(c + 1 < study->ncolumns ? ",\n" : "\n  ],\n  \"rows\": [\n", out);
    }
    for (int row = 0; row < study->nrows; row++) {
        json_row(out, results, row);
        fputs(row + 1 < study->nrows ? ",\n" : "\n  ],\n", out);
    }
    for (int c = 0; c < study->ncurves; c++) {
        fputs(c ? "" : "  \"curves\": [\n", out);
        json_line(out, results, c);
        fputs(c + 1 < study->ncurves ? ",\n" : "\n  ],\n", out);
    }
    fputs("  \"runs\": [\n", out);
    for (int run = 0, n = 0; run < hiss_comparison_runs(study); run++) {
        if (compare_has_line(study, run)) {
            fputs(n++ ? ",\n" : "", out);
            json_run(out, results, run);
        }
    }
    fputs("\n  ]\n}\n", out);
}
