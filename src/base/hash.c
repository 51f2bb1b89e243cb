/* SHA-256 through OpenSSL's EVP interface. Its calls fail only when memory is out or the library is broken, so a
 * failure here is not the caller's to handle. */
#include "hiss/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "hiss/alloc.h"
#include "hiss/log.h"

struct hiss_hash {
    EVP_MD_CTX *context;
};

static void must(int worked, const char *step) {
    if (worked != 1) {
        hiss_error_line("SHA-256: %s of libcrypto failed", step);
        abort();
    }
}

hiss_hash *hiss_hash_begin(void) {
    hiss_hash *hash = hiss_new(hiss_hash, 1);
    hash->context = EVP_MD_CTX_new();
    must(hash->context != NULL, "EVP_MD_CTX_new");
    must(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL), "EVP_DigestInit_ex");
    return hash;
}

void hiss_hash_add(hiss_hash *hash, const void *bytes, size_t count) {
    must(EVP_DigestUpdate(hash->context, bytes, count), "EVP_DigestUpdate");
}

void hiss_hash_end(hiss_hash *hash, char text[HISS_HASH_TEXT]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    must(EVP_DigestFinal_ex(hash->context, digest, NULL), "EVP_DigestFinal_ex");
    for (int i = 0; i < HISS_HASH_TEXT / 2; i++) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    text[HISS_HASH_TEXT - 1] = '\0';
    EVP_MD_CTX_free(hash->context);
    hiss_free(hash);
}
