// SQLite's half of `make bench-store`, doing what store-benchmark does, in C and with prepared statements.
//
//     sqlite fill PATH COUNT | open PATH COUNT | write PATH WRITERS COUNT | compact PATH
//
// WAL, synchronous=FULL: a commit is on disk when it returns, as an answer of the store is.
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

static const char *path;

static void check(int code, sqlite3 *database) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    fprintf(stderr, "sqlite: %s\n", database ? sqlite3_errmsg(database) : "no memory");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static sqlite3 *connect_to(const char *file) {
    sqlite3 *database;
    check(sqlite3_open(file, &database), database);
    sqlite3_busy_timeout(database, 60000);
    check(sqlite3_exec(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL, NULL), database);
    return database;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *text) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v2(database, text, -1, &statement, NULL), database);
    return statement;
}

static void digest_of(uint64_t number, unsigned char digest[32]) {
    char text[32];
    int length = snprintf(text, sizeof text, "token %llu", (unsigned long long)number);
    crypto_hash_sha256(digest, (const unsigned char *)text, (unsigned long long)length);
}

static const char *insert =
    "INSERT INTO token (digest, user, epoch, created, expires, label) VALUES (?, 1, 0, 1767225600000000, NULL, ?)";
static const char *find = "SELECT id, user, epoch, created, expires, label FROM token WHERE digest = ?";

static void add(sqlite3 *database, sqlite3_stmt *statement, const unsigned char digest[32], const char *label) {
    check(sqlite3_bind_blob(statement, 1, digest, 32, SQLITE_TRANSIENT), database);
    check(sqlite3_bind_text(statement, 2, label, -1, SQLITE_STATIC), database);
    check(sqlite3_step(statement), database);
    check(sqlite3_reset(statement), database);
}

static void fill(uint64_t count) {
    sqlite3 *database = connect_to(path);
    check(sqlite3_exec(database,
                       "CREATE TABLE token (id INTEGER PRIMARY KEY, digest BLOB UNIQUE, user INTEGER, epoch INTEGER, "
                       "created INTEGER, expires INTEGER, label TEXT); BEGIN",
                       NULL, NULL, NULL), database);
    sqlite3_stmt *statement = prepare(database, insert);
    for (uint64_t number = 1; number <= count; number++) {
        unsigned char digest[32];
        digest_of(number, digest);
        add(database, statement, digest, "benchmark");
    }
    check(sqlite3_exec(database, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), database);
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static int look(sqlite3 *database, sqlite3_stmt *statement, const unsigned char digest[32]) {
    check(sqlite3_bind_blob(statement, 1, digest, 32, SQLITE_STATIC), database);
    int code = sqlite3_step(statement);
    check(code, database);
    check(sqlite3_reset(statement), database);
    return code == SQLITE_ROW;
}

// Seconds to open, nanoseconds a lookup.
static void open_and_look(uint64_t count) {
    enum { lookups = 100000 };
    unsigned char first[32], (*digests)[32] = malloc(lookups * sizeof *digests);
    if (!digests) exit(1);
    digest_of(1, first);
    double start = now();
    sqlite3 *database = connect_to(path);
    sqlite3_stmt *statement = prepare(database, find);
    int hits = look(database, statement, first);
    double opened = now() - start;
    for (int number = 0; number < lookups; number++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random) exit(1);
        digest_of(1 + random % count, digests[number]);
    }
    start = now();
    for (int number = 0; number < lookups; number++) hits += look(database, statement, digests[number]);
    double looked = now() - start;
    if (hits != lookups + 1) exit(1);
    printf("%f %.0f\n", opened, looked / lookups * 1e9);
}

struct writer {
    pthread_t thread;
    uint64_t share;
    sqlite3_int64 *ids;
};

static void *issue_all(void *argument) {
    struct writer *writer = argument;
    sqlite3 *database = connect_to(path);
    sqlite3_stmt *statement = prepare(database, insert);
    for (uint64_t number = 0; number < writer->share; number++) {
        unsigned char digest[32];
        if (getrandom(digest, sizeof digest, 0) != sizeof digest) exit(1);
        add(database, statement, digest, "");
        writer->ids[number] = sqlite3_last_insert_rowid(database);
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return NULL;
}

static void *revoke_all(void *argument) {
    struct writer *writer = argument;
    sqlite3 *database = connect_to(path);
    sqlite3_stmt *statement = prepare(database, "DELETE FROM token WHERE id = ?");
    for (uint64_t number = 0; number < writer->share; number++) {
        check(sqlite3_bind_int64(statement, 1, writer->ids[number]), database);
        check(sqlite3_step(statement), database);
        check(sqlite3_reset(statement), database);
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return NULL;
}

static double rate(struct writer *writers, int count, uint64_t share, void *(*body)(void *)) {
    double start = now();
    for (int number = 0; number < count; number++) {
        writers[number].share = share;
        if (pthread_create(&writers[number].thread, NULL, body, &writers[number])) exit(1);
    }
    for (int number = 0; number < count; number++) pthread_join(writers[number].thread, NULL);
    return (double)share * count / (now() - start);
}

// Issues and revocations a second, by threads with a connection each.
static void write_all(int count, uint64_t total) {
    struct writer *writers = calloc((size_t)count, sizeof *writers);
    if (!writers) exit(1);
    uint64_t share = total / (uint64_t)count;
    for (int number = 0; number < count; number++) {
        writers[number].ids = calloc(share, sizeof *writers[number].ids);
        if (!writers[number].ids) exit(1);
    }
    double issues = rate(writers, count, share, issue_all);
    printf("%.0f %.0f\n", issues, rate(writers, count, share, revoke_all));
}

// Seconds to make the file small again, when every other token is gone.
static void compact(void) {
    sqlite3 *database = connect_to(path);
    check(sqlite3_exec(database, "DELETE FROM token WHERE id % 2 = 0", NULL, NULL, NULL), database);
    double start = now();
    check(sqlite3_exec(database, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), database);
    printf("%f\n", now() - start);
}

int main(int count, char **arguments) {
    if (count < 3 || sodium_init() < 0) return 64;
    const char *verb = arguments[1];
    path = arguments[2];
    uint64_t first = count > 3 ? strtoull(arguments[3], NULL, 10) : 0;
    uint64_t second = count > 4 ? strtoull(arguments[4], NULL, 10) : 0;
    if (!strcmp(verb, "fill")) fill(first);
    else if (!strcmp(verb, "open")) open_and_look(first);
    else if (!strcmp(verb, "write")) write_all((int)first, second);
    else if (!strcmp(verb, "compact")) compact();
    else return 64;
    return 0;
}
