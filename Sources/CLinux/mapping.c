// What a fault in a mapped file does. Whoever cuts a file in place takes pages away from all that have it mapped, and the
// system answers the next look at one with SIGBUS, which would end the process.
//
// Each mapping is in a table of fixed size. The handler looks the faulting address up there; where it finds it, it notes that
// the mapping is lost, puts zeros in the place of all of it with one mmap(2), and returns: the instruction is done once more
// and meets zeros. Whoever reads sees by the note that what he read means nothing. All other faults go to the handler that
// was there before.
//
// Why that is safe: the handler makes one system call, and touches atomics and memory that never moves. It takes no lock, so
// it cannot wait for the thread that it interrupts. A fault inside of a mapping comes from a thread that uses it, and nobody
// removes a mapping that is in use: so its entry stays as it is while the handler runs. An entry that is another's, and is
// just being changed, is told by its version, as in a seqlock.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct linux_mapping {
    /// Even: the two that follow belong together.
    _Atomic uint32_t version;
    /// How many faults there were, times 2^32, and of how many it was seen that they are mended: it is lost while these differ.
    _Atomic uint64_t note;
    /// How many faults have left zeros.
    _Atomic uint32_t done;
    bool is_writable;
    /// 0: nobody has the entry.
    _Atomic uintptr_t start;
    _Atomic size_t count;
};

enum { CAPACITY = 4096 };

static struct linux_mapping mappings[CAPACITY];
/// No entry from here on has ever been used.
static _Atomic int used;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;

static struct linux_mapping *find(uintptr_t address) {
    int end = atomic_load_explicit(&used, memory_order_acquire);
    for (int number = 0; number < end; number++) {
        struct linux_mapping *mapping = &mappings[number];
        uint32_t version;
        uintptr_t start;
        size_t count;
        do {
            version = atomic_load_explicit(&mapping->version, memory_order_acquire);
            start = atomic_load_explicit(&mapping->start, memory_order_relaxed);
            count = atomic_load_explicit(&mapping->count, memory_order_relaxed);
            atomic_thread_fence(memory_order_acquire);
            // An odd one is another's that is being changed: it is not the one in which we are.
        } while (!(version & 1) && version != atomic_load_explicit(&mapping->version, memory_order_relaxed));
        if (!(version & 1) && start != 0 && address - start < count) return mapping;
    }
    return NULL;
}

static const uint64_t FAULT = (uint64_t) 1 << 32;

static bool replace(struct linux_mapping *mapping) {
    // In this order: who reads a zero sees the note.
    atomic_fetch_add_explicit(&mapping->note, FAULT, memory_order_seq_cst);
    void *start = (void *) atomic_load_explicit(&mapping->start, memory_order_relaxed);
    size_t count = atomic_load_explicit(&mapping->count, memory_order_relaxed);
    int protection = PROT_READ | (mapping->is_writable ? PROT_WRITE : 0);
    bool is_replaced = mmap(start, count, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == start;
    atomic_fetch_add_explicit(&mapping->done, 1, memory_order_seq_cst);
    return is_replaced;
}

static void handle(int number, siginfo_t *information, void *context) {
    int error = errno;
    if (information->si_code == BUS_ADRERR || information->si_code == BUS_MCEERR_AR) {
        struct linux_mapping *mapping = find((uintptr_t) information->si_addr);
        if (mapping != NULL && replace(mapping)) {
            errno = error;
            return;
        }
    }
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, information, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        // What was interrupted faults once more, or is sent once more, and ends the process.
        signal(SIGBUS, SIG_DFL);
        if (information->si_code <= 0) raise(SIGBUS);
    }
    errno = error;
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

static void set(struct linux_mapping *mapping, uintptr_t start, size_t count) {
    uint32_t version = atomic_load_explicit(&mapping->version, memory_order_relaxed);
    atomic_store_explicit(&mapping->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&mapping->start, start, memory_order_relaxed);
    atomic_store_explicit(&mapping->count, count, memory_order_relaxed);
    atomic_store_explicit(&mapping->version, version + 2, memory_order_release);
}

linux_mapping *linux_map(int fd, size_t count, bool is_writable, void **address) {
    pthread_once(&once, install);
    int protection = PROT_READ | (is_writable ? PROT_WRITE : 0);
    void *start = mmap(NULL, count, protection, MAP_SHARED, fd, 0);
    if (start == MAP_FAILED) return NULL;
    pthread_mutex_lock(&changing);
    int end = atomic_load_explicit(&used, memory_order_relaxed);
    int number = 0;
    while (number < end && atomic_load_explicit(&mappings[number].start, memory_order_relaxed) != 0) number++;
    struct linux_mapping *mapping = NULL;
    if (number < CAPACITY) {
        mapping = &mappings[number];
        atomic_store_explicit(&mapping->note, 0, memory_order_relaxed);
        atomic_store_explicit(&mapping->done, 0, memory_order_relaxed);
        mapping->is_writable = is_writable;
        set(mapping, (uintptr_t) start, count);
        if (number == end) atomic_store_explicit(&used, end + 1, memory_order_release);
    }
    pthread_mutex_unlock(&changing);
    if (mapping == NULL) {
        munmap(start, count);
        errno = ENOMEM;
        return NULL;
    }
    *address = start;
    return mapping;
}

int linux_map_again(linux_mapping *mapping, int fd) {
    void *start = (void *) atomic_load_explicit(&mapping->start, memory_order_relaxed);
    size_t count = atomic_load_explicit(&mapping->count, memory_order_relaxed);
    int protection = PROT_READ | (mapping->is_writable ? PROT_WRITE : 0);
    // Where this file is cut, too, somebody may look at it each time.
    for (int round = 0; round < 100; round++) {
        uint64_t note = atomic_load_explicit(&mapping->note, memory_order_seq_cst);
        uint32_t faults = (uint32_t) (note >> 32);
        // A handler that has not put its zeros there yet would put them in the place of what comes now. More may be done than
        // were seen, where another came meanwhile: the note says so below.
        while ((int32_t) (atomic_load_explicit(&mapping->done, memory_order_seq_cst) - faults) < 0) sched_yield();
        if (mmap(start, count, protection, MAP_SHARED | MAP_FIXED, fd, 0) != start) {
            int error = errno;
            atomic_fetch_add_explicit(&mapping->note, FAULT, memory_order_seq_cst);
            atomic_fetch_add_explicit(&mapping->done, 1, memory_order_seq_cst);
            errno = error;
            return -1;
        }
        // Only where no fault came meanwhile, whose zeros may be there.
        uint64_t mended = note >> 32 << 32 | faults;
        if (atomic_compare_exchange_strong_explicit(&mapping->note, &note, mended, memory_order_seq_cst, memory_order_seq_cst))
            return 0;
    }
    errno = EAGAIN;
    return -1;
}

const void *linux_mapping_note(const linux_mapping *mapping) { return (const void *) &mapping->note; }

void linux_unmap(linux_mapping *mapping) {
    void *start = (void *) atomic_load_explicit(&mapping->start, memory_order_relaxed);
    size_t count = atomic_load_explicit(&mapping->count, memory_order_relaxed);
    pthread_mutex_lock(&changing);
    // Before the addresses can be another's.
    set(mapping, 0, 0);
    pthread_mutex_unlock(&changing);
    munmap(start, count);
}

int linux_mapping_count(void) {
    int count = 0;
    int end = atomic_load_explicit(&used, memory_order_acquire);
    for (int number = 0; number < end; number++) {
        if (atomic_load_explicit(&mappings[number].start, memory_order_relaxed) != 0) count++;
    }
    return count;
}
