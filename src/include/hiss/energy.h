/* The energy that the processors and memories of this machine use, by the system's counters (RAPL). Not collective. */
#ifndef HISS_ENERGY_H
#define HISS_ENERGY_H

#define HISS_ENERGY_TREE "/sys/class/powercap" /* where Linux has the counters */

typedef struct hiss_energy hiss_energy;

/* Begin to count. Never NULL: where nothing can be read the energy is not known.
 *   tree  HISS_ENERGY_TREE, or a directory like it */
hiss_energy *hiss_energy_create(const char *tree);
void hiss_energy_destroy(hiss_energy *e); /* NULL is allowed */
/* Add what was used since the last look. Counters start again after some 50,000 to 300,000 J, minutes on a large machine:
 * between two looks that may happen once at most. Allocates nothing. */
void hiss_energy_look(hiss_energy *e);
double hiss_energy_joules(const hiss_energy *e); /* of all counters, up to the last look; NaN: not known */
/* What is counted, "package-0, dram"; or why it is not known, in half a sentence. */
const char *hiss_energy_says(const hiss_energy *e);

#endif
