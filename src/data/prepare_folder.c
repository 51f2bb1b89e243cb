/* hiss prepare of a folder of pictures, whose sub-folders are classes. Pictures are decoded in the order of their names. */
#include "hiss/alloc.h"
#include "hiss/log.h"
#include "listing.h"
#include "prepare_impl.h"

static hiss_status write_folder(const hiss_prepare_options *o, const char *folder, const data_listing *list,
                                hiss_error *err) {
    data_rows rows;
    data_rows_create(o, &rows);
    hiss_status status = data_rows_begin(&rows, o->height, o->width, o->channels, err);
    for (int64_t i = 0; i < list->count && !status; i++) {
        data_image image;
        hiss_error why;
        const bool read = data_image_read(list->all[i].path, &image, &why) == HISS_OK;
        status = data_rows_add_picture(&rows, &image, read ? NULL : &why, list->all[i].label, err);
        data_rows_progress(&rows, (double)(i + 1) / (double)list->count);
    }
    const bool labelled = list->folders > 0;
    status = status ? status
                    : data_rows_write(&rows, labelled ? rows.label : NULL, folder,
                                      labelled ? data_listing_classes(list) : NULL, err);
    data_rows_destroy(&rows);
    return status;
}

hiss_status hiss_prepare_folder(const hiss_prepare_options *o, const char *folder, hiss_error *err) {
    hiss_status status = data_prepare_check_size(o, err);
    status = status ? status : data_prepare_check_output(o, err);
    if (status) {
        return status;
    }
    const data_wanted pictures = {data_image_named, "pictures", ".jpg, .jpeg, .png, .ppm or .pgm", false};
    data_listing list = {.arena = hiss_arena_create()};
    status = data_listing_scan(&list, &pictures, folder, err);
    for (int64_t k = 0; k < list.count && !status; k++) {
        status = data_prepare_expect_other(o, list.all[k].path, err);
    }
    if (!status) {
        hiss_info("prepare: %s: %lld pictures in %lld class folders, %lld other files skipped", folder,
                  (long long)list.count, (long long)list.folders, (long long)list.skipped);
        status = write_folder(o, folder, &list, err);
    }
    data_listing_free(&list);
    return status;
}
