// The few calls of Linux that Swift's Glibc module does not show, because they stand behind
// _GNU_SOURCE or in headers that it leaves out, and the one instruction that Swift has no name for.
#ifndef CLINUX_H
#define CLINUX_H

// These headers bring types of the C library with them, as struct timespec. Which module the compiler takes them to be of
// depends on what it reads first: a file of Swift that uses one imports this module beside Glibc.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>

/// Takes (`true`) or drops (`false`) an exclusive open-file-description lock on one byte of the file,
/// without waiting. Returns 0, or -1 with errno (EAGAIN or EACCES: another holds it). fcntl(2).
int linux_lock_exclusive(int fd, int64_t byte, bool lock);

/// The process at the other end of a connected Unix socket. Returns 0, or -1 with errno. unix(7).
int linux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

/// Whether somebody keeps the system's clock right, as far as the kernel knows. adjtimex(2).
bool linux_clock_is_synchronized(void);

/// accept4(2) with SOCK_CLOEXEC; the connection is blocking.
int linux_accept(int fd);

/// Sends a datagram to the `struct sockaddr` at `address`, with a descriptor beside it. Returns 0, or -1 with errno.
/// sendmsg(2), unix(7).
int linux_send_descriptor(int socket, const void *address, uint32_t length, const void *bytes, size_t count, int fd);

/// dup3(2) with O_CLOEXEC: `target` stands for what `source` stands for from now on. Returns 0, or -1 with
/// errno.
int linux_replace_descriptor(int source, int target);

/// Gives a file a name that no other has. Returns 0, or -1 with errno (EEXIST: there is one). renameat2(2).
int linux_rename_new(const char *from, const char *to);

/// A file in memory alone, which ends with its descriptor (close-on-exec). Returns that, or -1 with errno. memfd_create(2).
int linux_memory_file(const char *name);

/// Lowers the priority of the calling thread alone. Returns 0, or -1 with errno. setpriority(2).
int linux_nice_thread(int nice);

/// The processor on which the calling thread runs just now; -1 where the system does not say. sched_getcpu(3).
int linux_processor(void);

/// Counts waits that must not be.
struct linux_wait_counter;

/// NULL where there is no memory.
struct linux_wait_counter *linux_wait_counter_make(void);
void linux_wait_counter_free(struct linux_wait_counter *counter);
long linux_wait_counter_value(const struct linux_wait_counter *counter);

/// Says that others wait for the calling thread, so that it must wait for nothing slow itself. `counter`, which outlives
/// the thread, counts how often it does so all the same.
void linux_thread_may_not_wait(struct linux_wait_counter *counter);

/// To be called where a thread is about to wait for a disk, a lock or a hash.
void linux_note_wait(void);

/// A file in memory whose pages may go without an end to the process: who cuts the file leaves zeros, and a note of it.
typedef struct linux_mapping linux_mapping;

/// Maps the first `count` bytes of a file, shared with all who have it mapped. Returns NULL with errno. mmap(2).
linux_mapping *linux_map(int fd, size_t count, bool is_writable, void **address);

/// Puts another file in the place of the one that is mapped, at the same address and of the same size, in one step. Returns
/// 0, or -1 with errno.
int linux_map_again(linux_mapping *mapping, int fd);

/// Where an atomic word of 64 bits is whose halves differ while a part of the file was gone when somebody looked at it: all of
/// the memory is zeros then, of this process alone.
const void *linux_mapping_note(const linux_mapping *mapping);

/// To be called by the last who uses it.
void linux_unmap(linux_mapping *mapping);

/// How many mappings there are in this process.
int linux_mapping_count(void);

/// Whether the processor computes CRC-32C by itself (SSE 4.2, ARMv8 CRC).
bool cpu_has_crc32c(void);

/// The CRC-32C of bytes that go on after those whose checksum is `seed`. Only where `cpu_has_crc32c`.
uint32_t cpu_crc32c(uint32_t seed, const void *bytes, size_t count);

#endif
