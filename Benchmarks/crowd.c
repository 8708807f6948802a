/*
 * Thousands of clients at once, some of them slow, in one thread.
 *
 *     crowd PORT PATH FIELD LENGTH CLIENTS SLOW SECONDS
 *
 * All keep their connections. The fast ones ask again as soon as they have been answered; the last SLOW of them send a
 * request eight bytes at a time, ten times a second, and read an answer sixteen bytes at a time. LENGTH is that of an
 * answer, fields and all. After two seconds it counts, for so long, and prints one line of JSON: answers to the fast and to
 * the slow, what went wrong, milliseconds that the fast ones waited, and the fewest and the most answers that one of them got.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 2, TICK = 100, SLOW_WRITE = 8, SLOW_READ = 16 };

struct client {
    int descriptor;
    int is_slow;
    size_t sent, received;
    char status[12];
    double began;
    unsigned answers;
};

static char request[4096];
static size_t request_length, answer_length;
static unsigned long wrong_status, broken;
static float *waits;
static size_t waits_count, waits_room;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void give_up(struct client *client)
{
    broken++;
    close(client->descriptor);
    client->descriptor = -1;
}

static void send_some(struct client *client, size_t most)
{
    size_t rest = request_length - client->sent;
    if (client->sent == 0)
        client->began = now();
    ssize_t count = send(client->descriptor, request + client->sent, rest < most ? rest : most, MSG_NOSIGNAL);
    if (count > 0)
        client->sent += count;
    else if (errno != EAGAIN)
        give_up(client);
}

/* Whether the answer is there as a whole. */
static int receive_some(struct client *client, size_t most)
{
    char buffer[16384];
    size_t rest = answer_length - client->received;
    ssize_t count = recv(client->descriptor, buffer, rest < most ? rest : most, MSG_DONTWAIT);
    if (count <= 0) {
        if (count == 0 || errno != EAGAIN)
            give_up(client);
        return 0;
    }
    for (ssize_t i = 0; i < count && client->received + i < sizeof client->status; i++)
        client->status[client->received + i] = buffer[i];
    client->received += count;
    if (client->received >= sizeof client->status && memcmp(client->status, "HTTP/1.1 200", sizeof client->status) != 0) {
        wrong_status++;
        give_up(client);
        return 0;
    }
    return client->received == answer_length;
}

static void answered(struct client *client, double start)
{
    client->sent = client->received = 0;
    double end = now();
    if (end < start)
        return;
    client->answers++;
    if (client->is_slow)
        return;
    if (waits_count == waits_room) {
        waits_room = waits_room ? 2 * waits_room : 1 << 16;
        waits = realloc(waits, waits_room * sizeof *waits);
        if (waits == NULL)
            abort();
    }
    waits[waits_count++] = end - client->began;
}

static int compare(const void *left, const void *right)
{
    float difference = *(const float *)left - *(const float *)right;
    return (difference > 0) - (difference < 0);
}

static double percentile(double share)
{
    return waits_count ? waits[(size_t)(share * (waits_count - 1))] : 0;
}

int main(int count, char **arguments)
{
    if (count != 8)
        return 64;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(arguments[1])) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    request_length = snprintf(
        request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n%s\r\n\r\n",
        arguments[2], arguments[1], arguments[3]);
    answer_length = atoi(arguments[4]);
    int clients_count = atoi(arguments[5]), slow = atoi(arguments[6]);
    double seconds = atof(arguments[7]);
    int queue = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc(clients_count, sizeof *clients);
    if (clients == NULL || queue < 0 || request_length >= sizeof request)
        return 70;

    for (int i = 0; i < clients_count; i++) {
        struct client *client = &clients[i];
        client->is_slow = i >= clients_count - slow;
        client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (client->descriptor < 0 || connect(client->descriptor, (void *)&address, sizeof address) != 0) {
            perror("connect");
            return 69;
        }
        int one = 1;
        setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(client->descriptor, F_SETFL, O_NONBLOCK);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
        /* Slow ones are looked at with the clock. */
        if (!client->is_slow && epoll_ctl(queue, EPOLL_CTL_ADD, client->descriptor, &event) != 0)
            return 71;
    }
    for (int i = 0; i < clients_count - slow; i++)
        send_some(&clients[i], request_length);

    double start = now() + WARM_UP * 1e3, end = start + seconds * 1e3, tick = now();
    while (now() < end) {
        struct epoll_event events[256];
        int ready = epoll_wait(queue, events, 256, 10);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (receive_some(client, sizeof request * 4)) {
                answered(client, start);
                send_some(client, request_length);
            }
        }
        if (now() < tick)
            continue;
        tick += TICK;
        for (int i = clients_count - slow; i < clients_count; i++) {
            struct client *client = &clients[i];
            if (client->descriptor < 0)
                continue;
            if (client->sent < request_length)
                send_some(client, SLOW_WRITE);
            else if (receive_some(client, SLOW_READ))
                answered(client, start);
        }
    }

    unsigned long slow_answers = 0;
    unsigned fewest = UINT32_MAX, most = 0;
    for (int i = 0; i < clients_count; i++) {
        unsigned answers = clients[i].answers;
        if (clients[i].is_slow)
            slow_answers += answers;
        else {
            fewest = answers < fewest ? answers : fewest;
            most = answers > most ? answers : most;
        }
    }
    qsort(waits, waits_count, sizeof *waits, compare);
    printf("{\"answers\": %zu, \"slow_answers\": %lu, \"wrong_status\": %lu, \"broken\": %lu, \"p50\": %.3f, \"p90\": %.3f, "
           "\"p99\": %.3f, \"max\": %.3f, \"fewest\": %u, \"most\": %u}\n",
           waits_count, slow_answers, wrong_status, broken, percentile(0.5), percentile(0.9), percentile(0.99), percentile(1),
           fewest, most);
    return 0;
}
