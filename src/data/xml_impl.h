/* Inside src/data: XML of small files, as annotations of pictures are. */
#ifndef HISS_XML_IMPL_H
#define HISS_XML_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "hiss/alloc.h"
#include "hiss/status.h"

typedef struct data_element {
    const char *name;
    const char *text; /* its own, without that of its children and space around it; never NULL */
    int64_t line;     /* where it begins, from 1 */
    struct data_element *child, *next;
} data_element;

enum { DATA_XML_BYTES = 1 << 24, DATA_XML_DEPTH = 64, DATA_XML_NAME = 64 };
/* The root of a file, in arena. name is that of the file, for errors, which say FILE:LINE. Elements, attributes, which are
 * passed over, comments, processing instructions and the entities that XML itself has are read; document types and CDATA are
 * not. Errors: what is no XML of this kind; deeper than DATA_XML_DEPTH. */
hiss_status data_xml_parse(const char *name, const char *bytes, size_t size, hiss_arena *arena, data_element **root,
                           hiss_error *err);
/* The same of a file of at most DATA_XML_BYTES. */
hiss_status data_xml_read(const char *path, hiss_arena *arena, data_element **root, hiss_error *err);
/* The first child of that name behind `after`, or of all, where that is NULL; NULL: there is none. */
const data_element *data_xml_child(const data_element *parent, const char *name, const data_element *after);

#endif
