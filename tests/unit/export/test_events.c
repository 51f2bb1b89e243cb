/* Event files: the bytes that TensorBoard's own writer gives. Lines of MLPerf logging. tools/oracle_events reads both by
 * those packages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/config.h"
#include "hiss/events.h"

/* The second line is of a process that went on: its seconds begin again. */
static const char lines[] = "{\"step\": 300, \"loss\": 0.25, \"probe/z/knn\": 87.5, \"seconds\": 1.5, \"x\": null, "
                            "\"step_seconds\": [1, 2, 3]}\n"
                            "{\"step\": 301, \"loss\": -1, \"seconds\": 0.5, \"step_seconds\": [1, 2, 3]}\n";

/* By tensorboard 2.21: version; event of 1.5 s, step 300; event of 2 s, step 301. */
static const unsigned char events[] = {
    0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6d, 0x53, 0x2b, 0x09, 0x1a, 0x0d, 0x62, 0x72, 0x61, 0x69, 0x6e,
    0x2e, 0x45, 0x76, 0x65, 0x6e, 0x74, 0x3a, 0x32, 0xfc, 0x98, 0x51, 0x29, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x51, 0x65, 0x76, 0x61, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f, 0x10, 0xac, 0x02, 0x2a, 0x31,
    0x0a, 0x0b, 0x0a, 0x04, 0x6c, 0x6f, 0x73, 0x73, 0x15, 0x00, 0x00, 0x80, 0x3e, 0x0a, 0x12, 0x0a, 0x0b, 0x70, 0x72,
    0x6f, 0x62, 0x65, 0x2f, 0x7a, 0x2f, 0x6b, 0x6e, 0x6e, 0x15, 0x00, 0x00, 0xaf, 0x42, 0x0a, 0x0e, 0x0a, 0x07, 0x73,
    0x65, 0x63, 0x6f, 0x6e, 0x64, 0x73, 0x15, 0x00, 0x00, 0xc0, 0x3f, 0x27, 0x9b, 0x57, 0x5c, 0x2b, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x86, 0x1b, 0xc3, 0x4b, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x10, 0xad,
    0x02, 0x2a, 0x1d, 0x0a, 0x0b, 0x0a, 0x04, 0x6c, 0x6f, 0x73, 0x73, 0x15, 0x00, 0x00, 0x80, 0xbf, 0x0a, 0x0e, 0x0a,
    0x07, 0x73, 0x65, 0x63, 0x6f, 0x6e, 0x64, 0x73, 0x15, 0x00, 0x00, 0x00, 0x3f, 0x69, 0xe9, 0x4a, 0xf1};

static hiss_metrics metrics_of(hiss_arena *arena, const char *text) {
    hiss_metrics metrics;
    hiss_error err = {0};
    char path[] = "metrics-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) && close(file) == 0);
    assert_int_equal(hiss_metrics_read(arena, path, &metrics, &err), HISS_OK);
    unlink(path);
    return metrics;
}

static void test_events(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    const hiss_metrics metrics = metrics_of(arena, lines);
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&bytes, &count);
    hiss_events_write(&metrics, stream);
    fclose(stream);
    assert_int_equal(count, sizeof events);
    assert_memory_equal(bytes, events, sizeof events);
    free(bytes);
    hiss_arena_destroy(arena);
}

static void test_mllog(void **state) {
    (void)state;
    static const char text[] = "{\"step\": 2, \"epoch\": 0, \"probe/z/ridge\": 50, \"seconds\": 1}\n"
                               "{\"step\": 4, \"epoch\": 1, \"loss\": 3, \"images_per_second\": 9, \"seconds\": 2}\n";
    static const char *const expected[] = {
        "0, \"event_type\": \"POINT_IN_TIME\", \"key\": \"submission_benchmark\", \"value\": \"a\\\"b\\\\\"",
        "0, \"event_type\": \"POINT_IN_TIME\", \"key\": \"seed\", \"value\": 3",
        "0, \"event_type\": \"INTERVAL_START\", \"key\": \"run_start\", \"value\": null",
        "0, \"event_type\": \"INTERVAL_START\", \"key\": \"epoch_start\", \"value\": null",
        "1000, \"event_type\": \"POINT_IN_TIME\", \"key\": \"tracked_stats\", \"value\": {\"epoch\": 0, "
        "\"probe/z/ridge\": 50, ",
        "1000, \"event_type\": \"POINT_IN_TIME\", \"key\": \"eval_accuracy\", \"value\": 0.5",
        "1000, \"event_type\": \"INTERVAL_END\", \"key\": \"epoch_stop\", \"value\": null",
        "1000, \"event_type\": \"INTERVAL_START\", \"key\": \"epoch_start\", \"value\": null",
        "2000, \"event_type\": \"POINT_IN_TIME\", \"key\": \"tracked_stats\", \"value\": {\"epoch\": 1, \"seconds\": "
        "2, \"loss\": 3, "
        "\"throughput\": 9}, \"metadata\": {\"file\": \"f\", \"lineno\": 2, \"epoch_num\": 2, \"step\": 4}}\n",
        "2000, \"event_type\": \"INTERVAL_END\", \"key\": \"epoch_stop\", \"value\": null",
        "2000, \"event_type\": \"INTERVAL_END\", \"key\": \"run_stop\", \"value\": null, \"metadata\": {\"file\": "
        "\"f\", "
        "\"lineno\": 2, \"status\": \"success\"}}\n"};
    hiss_arena *arena = hiss_arena_create();
    const hiss_metrics metrics = metrics_of(arena, text);
    const hiss_mllog_run run = {
        .benchmark = "a\"b\\", .file = "f", .rate = -1.0, .seed = 3.0, .batch = -1.0, .ended = true};
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&bytes, &count);
    hiss_mllog_write(&metrics, &run, stream);
    fclose(stream);
    const char *at = bytes, begin[] = ":::MLLOG {\"namespace\": \"\", \"time_ms\": ";
    for (int k = 0; k < HISS_COUNT(expected); k++) {
        assert_memory_equal(at, begin, strlen(begin));
        assert_memory_equal(at + strlen(begin), expected[k], strlen(expected[k]));
        at = strchr(at, '\n') + 1;
    }
    assert_string_equal(at, "");
    free(bytes);
    hiss_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_mllog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
