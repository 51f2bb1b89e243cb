/* Inside src/data: distinct values of labels, and the classes that they are. */
#ifndef HISS_DATA_CLASSES_H
#define HISS_DATA_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct data_class {
    char *name;    /* can be shown: one line of UTF-8 */
    int64_t value; /* 0 where labels are texts */
} data_class;

typedef struct data_classes {
    int64_t count;
    data_class *at; /* [count] */
    bool named;     /* by more than their numbers */
    bool numbered;  /* value is the label's */
} data_classes;

typedef enum data_kind { DATA_SIGNED, DATA_UNSIGNED, DATA_TEXT } data_kind;

/* Distinct values, numbered from 0 as they come, at most so many. */
typedef struct data_values data_values;
data_values *data_values_create(data_kind kind, int64_t most);
void data_values_destroy(data_values *v);
int64_t data_values_count(const data_values *v);
/* Number of a value; -1: it would be one too many. Unsigned ones are cast. */
int64_t data_values_number(data_values *v, int64_t number);
int64_t data_values_text(data_values *v, const char *text, size_t length);

/* Names of numbers. */
typedef struct data_names {
    int64_t count, room;
    data_class *at;
    bool sorted;
} data_names;
void data_names_add(data_names *names, int64_t number, const char *text, size_t length);
void data_names_free(data_names *names);

/* The classes of values in order of value, without the one that is called ignored (NULL, "": none); class_of [values]
 * is that of each, -1 for the one ignored. */
void data_classes_of(const data_values *v, data_names *names, const char *ignored, data_classes *out,
                     int32_t *class_of);
data_classes data_classes_numbered(int64_t count); /* 0 .. count - 1 */
void data_classes_free(data_classes *c);
/* Make own the known classes and, behind them, those of its own that are not known; class_of [own]: where they are. */
void data_classes_match(data_classes *own, const data_classes *known, int32_t *class_of);

#endif
