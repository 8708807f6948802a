#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

int linux_lock_exclusive(int fd, int64_t byte, bool lock) {
    struct flock range = {.l_type = lock ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &range);
}

int linux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

bool linux_clock_is_synchronized(void) {
    struct timex reading = {.modes = 0};
    return adjtimex(&reading) != -1 && !(reading.status & STA_UNSYNC);
}

int linux_accept(int fd) {
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

int linux_nice_thread(int nice) {
    return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}

int linux_send_descriptor(int socket, const void *address, uint32_t length, const void *bytes, size_t count, int fd) {
    struct iovec text = {.iov_base = (void *) bytes, .iov_len = count};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_name = (void *) address,
        .msg_namelen = length,
        .msg_iov = &text,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int linux_replace_descriptor(int source, int target) {
    return dup3(source, target, O_CLOEXEC) < 0 ? -1 : 0;
}

int linux_rename_new(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int linux_memory_file(const char *name) {
    return memfd_create(name, MFD_CLOEXEC);
}

int linux_processor(void) {
    return sched_getcpu();
}

struct linux_wait_counter {
    atomic_long count;
};

static _Thread_local struct linux_wait_counter *waits;

struct linux_wait_counter *linux_wait_counter_make(void) {
    return calloc(1, sizeof(struct linux_wait_counter));
}

void linux_wait_counter_free(struct linux_wait_counter *counter) {
    free(counter);
}

long linux_wait_counter_value(const struct linux_wait_counter *counter) {
    return atomic_load_explicit(&counter->count, memory_order_relaxed);
}

void linux_thread_may_not_wait(struct linux_wait_counter *counter) {
    waits = counter;
}

void linux_note_wait(void) {
    if (waits) atomic_fetch_add_explicit(&waits->count, 1, memory_order_relaxed);
}
