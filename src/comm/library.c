/* Which MPI library this is. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "comm/comm_impl.h"
#include "hiss/config.h"

/* How libraries call themselves in MPI_Get_library_version, and how hiss does. The version is the first word after that
 * which begins with a digit, or with v and a digit. */
static const struct {
    const char *own, *name;
} known[] = {{"Open MPI", "Open MPI"},
             {"Intel(R) MPI Library", "Intel MPI"},
             {"CRAY MPICH", "Cray MPICH"},
             {"MVAPICH", "MVAPICH"},
             {"MPICH", "MPICH"}};

void comm_library_shorten(const char *text, char out[HISS_LIBRARY_TEXT]) {
    for (int k = 0; k < HISS_COUNT(known); k++) {
        const char *at = strstr(text, known[k].own);
        if (at) {
            at += strlen(known[k].own);
            while (*at && *at != '\n' && !(isspace((unsigned char)at[-1]) && isdigit((unsigned char)at[*at == 'v']))) {
                at++;
            }
            at += *at == 'v';
            const int length = (int)strcspn(at, " ,;\t\n");
            snprintf(out, HISS_LIBRARY_TEXT, "%s%s%.*s", known[k].name, length ? " " : "", length, at);
            return;
        }
    }
    snprintf(out, HISS_LIBRARY_TEXT, "%.*s", (int)strcspn(text, ",\n"), text);
}

void hiss_comm_library(char running[HISS_LIBRARY_TEXT], char built[HISS_LIBRARY_TEXT]) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(text, &length);
    comm_library_shorten(text, running);
#if defined OMPI_MAJOR_VERSION
    snprintf(built, HISS_LIBRARY_TEXT, "Open MPI %d.%d.%d", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION,
             OMPI_RELEASE_VERSION);
#elif defined I_MPI_VERSION
    snprintf(built, HISS_LIBRARY_TEXT, "Intel MPI %s", I_MPI_VERSION);
#elif defined MVAPICH_VERSION || defined MVAPICH2_VERSION
    built[0] = 0;
#elif defined MPICH_VERSION
    snprintf(built, HISS_LIBRARY_TEXT, "MPICH %s", MPICH_VERSION);
#else
    built[0] = 0;
#endif
}
