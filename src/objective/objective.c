/* The registered methods. */
#include "hiss/objective.h"

#include <stdio.h>
#include <string.h>

#define METHOD(name) extern const hiss_objective_ops objective_##name;
#include "objective/list.h"
#undef METHOD

const hiss_objective_ops *const *hiss_objectives(void) {
    static const hiss_objective_ops *const all[] = {
#define METHOD(name) &objective_##name,
#include "objective/list.h"
#undef METHOD
        NULL};
    return all;
}

const char hiss_objective_choices[] =
#define METHOD(name) "|" #name
#include "objective/list.h"
#undef METHOD
    ;

const hiss_objective_ops *hiss_objective_named(const char *name) {
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        if (strcmp((*o)->name, name) == 0) {
            return *o;
        }
    }
    return NULL;
}

static hiss_status fail_field(const hiss_objective_ops *objective, const hiss_needed_field *need,
                              const hiss_dataset *set, const hiss_field *found, hiss_error *err) {
    const bool image = strcmp(need->name, HISS_FIELD_IMAGE) == 0;
    char key[sizeof "data.fields." + HISS_FIELD_NAME], text[HISS_FIELD_TEXT];
    snprintf(key, sizeof key, image ? "data.images" : "data.fields.%s", need->name);
    if (!found) {
        return hiss_fail_key(err, HISS_EUSER, key,
                             "%s needs a field '%s' of %s in each sample; name its data set of %s, as in "
                             "`data: {fields: {%s: /%s}}`, or choose another objective",
                             objective->name, need->name, need->what, hiss_dataset_file(set), need->name, need->name);
    }
    return hiss_fail_key(err, HISS_EUSER, key,
                         "%s needs %s in field '%s', found %s in data set %s of %s; name another data set, or choose "
                         "another objective",
                         objective->name, need->what, need->name, hiss_field_text(found, text),
                         hiss_field_source(set, found), hiss_dataset_file(set));
}

hiss_status hiss_objective_expect(const hiss_objective_ops *objective, const hiss_dataset *set, hiss_error *err) {
    static const hiss_needed_field image[] = {{HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]"}, {0}};
    const hiss_needed_field *need = objective->input && objective->input->fields ? objective->input->fields : image;
    for (; need->name; need++) {
        const hiss_field *found = hiss_dataset_field(set, need->name);
        if (!found || found->ndim != need->ndim || (need->dtypes && !(need->dtypes >> found->dtype & 1u))) {
            return fail_field(objective, need, set, found, err);
        }
    }
    return HISS_OK;
}
