/* SHA-256 (by OpenSSL's libcrypto), and a fast hash. Not collective. */
#ifndef HISS_HASH_H
#define HISS_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct hiss_hash hiss_hash;
enum { HISS_HASH_TEXT = 65 }; /* 64 hex digits and a zero */

hiss_hash *hiss_hash_begin(void);
void hiss_hash_add(hiss_hash *hash, const void *bytes, size_t count);
void hiss_hash_end(hiss_hash *hash, char text[HISS_HASH_TEXT]); /* writes lower-case hex; destroys hash */

/* A 64-bit hash at the speed of memory, to compare copies within one run: no defence against forgery. A change within
 * one aligned group of 8 bytes always changes the hash. Depends on the machine's byte order. bytes may be NULL when
 * count is 0. */
uint64_t hiss_hash64(const void *bytes, size_t count, uint64_t seed);

#endif
