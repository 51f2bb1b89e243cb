/* Annotations of PASCAL VOC: <annotation> with <size> and any number of <object>, each with <name>, <bndbox> and maybe
 * <difficult>, in any order; whatever else is there, such as the <part>s of an object with boxes of their own, is passed
 * over. Boxes name their first and last pixel, counted from 1, in integers or with decimals. */
#include <math.h>
#include <string.h>

#include "hiss/number.h"
#include "voc_impl.h"
#include "xml_impl.h"

/* The one child of that name; NULL and no error: there is none, which may be. */
static hiss_status find(const data_voc *v, const data_element *parent, const char *name, bool needed,
                        const data_element **out, hiss_error *err) {
    *out = data_xml_child(parent, name, NULL);
    const data_element *second = *out ? data_xml_child(parent, name, *out) : NULL;
    return second ? hiss_fail(err, HISS_EUSER, "%s:%lld: a second <%s> in the <%s> of line %lld; expected one", v->path,
                              (long long)second->line, name, parent->name, (long long)parent->line)
           : needed && !*out ? hiss_fail(err, HISS_EUSER, "%s:%lld: <%s> has no <%s>; expected one", v->path,
                                         (long long)parent->line, parent->name, name)
                             : HISS_OK;
}

static hiss_status find_number(const data_voc *v, const data_element *parent, const char *name, double *out,
                               hiss_error *err) {
    const data_element *e;
    const hiss_status status = find(v, parent, name, true, &e, err);
    return status ? status
           : hiss_real_parse(e->text, out) && fabs(*out) < 1e9
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s:%lld: <%s> is '%.40s'; expected a number of pixels", v->path,
                           (long long)e->line, name, e->text);
}

static hiss_status read_box(const data_voc *v, const data_element *object, data_voc_object *out, hiss_error *err) {
    const data_element *box;
    hiss_status status = find(v, object, "bndbox", true, &box, err);
    status = status ? status : find_number(v, box, "xmin", &out->x0, err);
    status = status ? status : find_number(v, box, "ymin", &out->y0, err);
    status = status ? status : find_number(v, box, "xmax", &out->x1, err);
    status = status ? status : find_number(v, box, "ymax", &out->y1, err);
    if (!status && (out->x1 < out->x0 || out->y1 < out->y0)) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s:%lld: a <bndbox> from x %g to %g, y %g to %g; expected xmin <= xmax and ymin <= ymax",
                           v->path, (long long)box->line, out->x0, out->x1, out->y0, out->y1);
    }
    out->x0--; /* from the first of VOC's pixels, 1, to behind the last */
    out->y0--;
    return status;
}

static hiss_status read_object(const data_voc *v, const data_element *object, data_voc_object *out, hiss_error *err) {
    const data_element *name, *difficult = NULL;
    hiss_status status = find(v, object, "name", true, &name, err);
    status = status ? status : find(v, object, "difficult", false, &difficult, err);
    if (status) {
        return status;
    }
    for (const char *c = name->text; *c; c++) {
        if ((unsigned char)*c < ' ') {
            return hiss_fail(err, HISS_EUSER, "%s:%lld: a class of several lines; expected a name in one", v->path,
                             (long long)name->line);
        }
    }
    const char *flag = difficult ? difficult->text : "0";
    out->class = name->text;
    out->line = name->line;
    out->difficult = strcmp(flag, "1") == 0;
    if (!*name->text) {
        status = hiss_fail(err, HISS_EUSER, "%s:%lld: <name> is empty; expected the class of the object", v->path,
                           (long long)name->line);
    } else if (!out->difficult && strcmp(flag, "0") != 0) {
        status = hiss_fail(err, HISS_EUSER, "%s:%lld: <difficult> is '%.40s'; expected 0 or 1", v->path,
                           (long long)difficult->line, flag);
    }
    return status ? status : read_box(v, object, out, err);
}

static hiss_status read_size(data_voc *v, const data_element *root, hiss_error *err) {
    const data_element *size;
    double width = 0, height = 0;
    hiss_status status = find(v, root, "size", false, &size, err);
    if (status || !size) {
        return status;
    }
    status = find_number(v, size, "width", &width, err);
    status = status ? status : find_number(v, size, "height", &height, err);
    v->W = (int64_t)width;
    v->H = (int64_t)height;
    return status;
}

hiss_status data_voc_read(const char *path, hiss_arena *arena, data_voc *out, hiss_error *err) {
    data_element *root;
    *out = (data_voc){.path = path};
    hiss_status status = data_xml_read(path, arena, &root, err);
    if (!status && strcmp(root->name, "annotation") != 0) {
        status = hiss_fail(err, HISS_EUSER, "%s:%lld: <%s>; expected an <annotation> of PASCAL VOC", path,
                           (long long)root->line, root->name);
    }
    if (status || (status = read_size(out, root, err))) {
        return status;
    }
    int64_t room = 0;
    for (const data_element *e = NULL; (e = data_xml_child(root, "object", e));) {
        room++;
    }
    out->all = hiss_arena_alloc(arena, sizeof *out->all * (size_t)(room + 1));
    for (const data_element *e = NULL; !status && (e = data_xml_child(root, "object", e));) {
        status = read_object(out, e, &out->all[out->count++], err);
    }
    return status;
}

/* ---- on the stored picture ---- */

static double within(double x, double most) {
    return x < 0 ? 0 : x > most ? most : x;
}

bool data_voc_place(const data_voc_object *o, int32_t class, int64_t H, int64_t W, int64_t height, int64_t width,
                    data_object *out) {
    const double across = (double)W / (double)width, down = (double)H / (double)height;
    const double ratio = across < down ? across : down;
    const double left = 0.5 * ((double)W - ratio * (double)width), top = 0.5 * ((double)H - ratio * (double)height);
    const double x0 = (within(o->x0, (double)W) - left) / ratio, x1 = (within(o->x1, (double)W) - left) / ratio;
    const double y0 = (within(o->y0, (double)H) - top) / ratio, y1 = (within(o->y1, (double)H) - top) / ratio;
    *out = (data_object){.class = class,
                         .x0 = within(x0, (double)width),
                         .y0 = within(y0, (double)height),
                         .x1 = within(x1, (double)width),
                         .y1 = within(y1, (double)height)};
    const double inside = (out->x1 - out->x0) * (out->y1 - out->y0), all = (x1 - x0) * (y1 - y0);
    out->judged = !o->difficult && 2 * inside >= all;
    return inside > 0;
}
