/*
 * What a check costs by itself, without a server around it.
 *
 *     alone hashes THREADS SECONDS NICENESS     Argon2id hashes a second, with postern's parameters
 *     alone signatures BYTES                    microseconds to verify the signature of so many bytes: HS256, EdDSA, ES256
 */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char password[] = "correct horse battery staple";
static char hash[crypto_pwhash_STRBYTES];
static atomic_ulong hashes;
static double end;

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void *verify_hashes(void *unused)
{
    while (now(CLOCK_MONOTONIC) < end) {
        if (crypto_pwhash_str_verify(hash, password, strlen(password)) != 0)
            abort();
        hashes++;
    }
    return unused;
}

static int count_hashes(int threads, double seconds, int niceness)
{
    /* The figures of Sources/Postern/Passwords/Argon2id.swift. */
    if (crypto_pwhash_str_alg(hash, password, strlen(password), 2, 19 * 1024 * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return 71;
    setpriority(PRIO_PROCESS, 0, niceness);
    double start = now(CLOCK_MONOTONIC);
    end = start + seconds;
    pthread_t all[threads];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, verify_hashes, NULL) != 0)
            return 71;
    for (int i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    printf("%f\n", hashes / (now(CLOCK_MONOTONIC) - start));
    return 0;
}

/* Runs `body` for a third of a second of CPU, and prints microseconds a time. */
#define TIME(body)                                                                \
    do {                                                                          \
        double start = now(CLOCK_PROCESS_CPUTIME_ID), used;                       \
        long times = 0;                                                           \
        do {                                                                      \
            for (int i = 0; i < 100; i++, times++)                                \
                if (!(body))                                                      \
                    abort();                                                      \
            used = now(CLOCK_PROCESS_CPUTIME_ID) - start;                         \
        } while (used < 0.33);                                                    \
        printf("%f ", used / times * 1e6);                                        \
    } while (0)

static int is_hs256(const unsigned char *text, size_t length)
{
    unsigned char digest[32], expected[32] = { 0 };
    HMAC(EVP_sha256(), password, sizeof password, text, length, digest, NULL);
    return sodium_memcmp(digest, expected, 32) != 0;
}

static int is_signed(EVP_PKEY *key, const EVP_MD *hash, const unsigned char *signature, size_t signature_length,
                     const unsigned char *text, size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int is_right = context != NULL && EVP_DigestVerifyInit(context, NULL, hash, NULL, key) == 1
        && EVP_DigestVerify(context, signature, signature_length, text, length) == 1;
    EVP_MD_CTX_free(context);
    return is_right;
}

static size_t sign(EVP_PKEY *key, const EVP_MD *hash, unsigned char signature[128], const unsigned char *text, size_t length)
{
    size_t signature_length = 128;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (key == NULL || context == NULL || EVP_DigestSignInit(context, NULL, hash, NULL, key) != 1
        || EVP_DigestSign(context, signature, &signature_length, text, length) != 1)
        abort();
    EVP_MD_CTX_free(context);
    return signature_length;
}

static int time_signatures(size_t length)
{
    unsigned char *text = calloc(1, length), signature[128];
    TIME(is_hs256(text, length));
    EVP_PKEY *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    size_t signature_length = sign(edwards, NULL, signature, text, length);
    TIME(is_signed(edwards, NULL, signature, signature_length, text, length));
    EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    signature_length = sign(curve, EVP_sha256(), signature, text, length);
    TIME(is_signed(curve, EVP_sha256(), signature, signature_length, text, length));
    printf("\n");
    return 0;
}

int main(int count, char **arguments)
{
    if (sodium_init() < 0)
        return 71;
    if (count == 5 && strcmp(arguments[1], "hashes") == 0)
        return count_hashes(atoi(arguments[2]), atof(arguments[3]), atoi(arguments[4]));
    if (count == 3 && strcmp(arguments[1], "signatures") == 0)
        return time_signatures(atoi(arguments[2]));
    return 64;
}
