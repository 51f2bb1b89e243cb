/* Runs a fuzz target on files and folders of files: what libFuzzer does with a corpus, for compilers without it. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed;

static void replay(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        exit(2);
    }
    if (S_ISDIR(info.st_mode)) {
        DIR *folder = opendir(path);
        for (struct dirent *e; folder && (e = readdir(folder));) {
            char inside[4096];
            snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
            if (e->d_name[0] != '.') {
                replay(inside);
            }
        }
        closedir(folder);
        return;
    }
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc((size_t)info.st_size + 1);
    if (!file || !bytes || fread(bytes, 1, (size_t)info.st_size, file) != (size_t)info.st_size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)info.st_size);
    free(bytes);
    replayed++;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%d inputs, %d of them read\n", replayed, fuzz_read);
    return replayed == 0 || fuzz_read == 0;
}
