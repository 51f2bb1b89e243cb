/* SHA-256 (by OpenSSL's libcrypto). Not collective. */
#ifndef HISS_HASH_H
#define HISS_HASH_H

#include <stddef.h>

typedef struct hiss_hash hiss_hash;
enum { HISS_HASH_TEXT = 65 }; /* 64 hex digits and a zero */

hiss_hash *hiss_hash_begin(void);
void hiss_hash_add(hiss_hash *hash, const void *bytes, size_t count);
void hiss_hash_end(hiss_hash *hash, char text[HISS_HASH_TEXT]); /* writes lower-case hex; destroys hash */

#endif
