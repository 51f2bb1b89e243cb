/* The checksums that a checkpoint holds of its arrays: array_sums FILE prints `NAME SHA256` for each, in name order. */
#include <stdio.h>
#include <string.h>

#include "hiss/data.h"
#include "hiss/hash.h"

static hiss_status print(void *user, const char *dataset, const hiss_h5_info *info, hiss_error *err) {
    static const char folder[] = "/sha256";
    char sum[HISS_HASH_TEXT] = "";
    if (strncmp(dataset, folder, sizeof folder - 1) != 0) {
        return HISS_OK;
    }
    const hiss_status s = hiss_h5_read(user, dataset, info->dtype, 0, HISS_HASH_TEXT - 1, sum, err);
    printf("%s %s\n", dataset + sizeof folder - 1, sum);
    return s;
}

int main(int argc, char **argv) {
    hiss_h5 *file = NULL;
    hiss_error err = {0};
    hiss_status s = argc == 2 ? hiss_h5_open(argv[1], &file, &err) : hiss_fail(&err, HISS_EUSER, "array_sums FILE");
    s = s == HISS_OK ? hiss_h5_each(file, print, file, &err) : s;
    hiss_h5_close(file, NULL);
    if (s != HISS_OK) {
        fprintf(stderr, "%s\n", err.text);
    }
    return s != HISS_OK;
}
