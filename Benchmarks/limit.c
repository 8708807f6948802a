/*
 * What postern is held against: about the least that a responder on libfcgi can do. It gives one answer to
 * everything and looks at no parameter.
 *
 *     limit ANSWER shared|loops THREADS       (the listening socket is descriptor 0, as from spawn-fcgi)
 *
 * It owns the connections, and hands one to libfcgi only when a request is there, so that connections which the
 * web server keeps hold no thread. `shared`: the threads wait on one epoll, as postern's workers do. `loops`: each
 * thread has an epoll and connections of its own, which saves a system call for each request.
 */
#define _GNU_SOURCE
#include <fcgiapp.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const char *answer;
static int answer_length;
static int is_shared;

/* A null pointer stands for the listening socket. */
static void watch(int queue, int operation, int descriptor, FCGX_Request *request)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = request };
    if (request == NULL)
        event.events |= EPOLLEXCLUSIVE;
    else if (is_shared)
        event.events |= EPOLLONESHOT;
    if (epoll_ctl(queue, operation, descriptor, &event) != 0)
        abort();
}

static void take(int queue)
{
    int descriptor = accept4(0, NULL, NULL, SOCK_CLOEXEC);
    if (descriptor < 0)
        return;
    FCGX_Request *request = malloc(sizeof *request);
    if (request == NULL)
        abort();
    /* Without a listening socket, FCGX_Accept_r returns when the peer has closed, instead of accepting. */
    FCGX_InitRequest(request, -1, 0);
    request->ipcFd = descriptor;
    request->keepConnection = 1;
    watch(queue, EPOLL_CTL_ADD, descriptor, request);
}

static void *work(void *argument)
{
    int queue = (int)(intptr_t)argument;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(queue, &event, 1, -1) != 1)
            continue;
        FCGX_Request *request = event.data.ptr;
        if (request == NULL) {
            take(queue);
            continue;
        }
        if (FCGX_Accept_r(request) == 0) {
            FCGX_PutStr(answer, answer_length, request->out);
            FCGX_Finish_r(request);
        }
        if (request->ipcFd < 0)
            free(request);
        else if (is_shared)
            watch(queue, EPOLL_CTL_MOD, request->ipcFd, request);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 64;
    answer = arguments[1];
    answer_length = (int)strlen(answer);
    is_shared = strcmp(arguments[2], "shared") == 0;
    int threads = atoi(arguments[3]);

    FCGX_Init();
    signal(SIGTERM, SIG_DFL); /* which libfcgi has taken */
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    int queue = -1;
    for (int number = 1;; number++) {
        if (queue < 0 || !is_shared) {
            queue = epoll_create1(EPOLL_CLOEXEC);
            watch(queue, EPOLL_CTL_ADD, 0, NULL);
        }
        void *argument = (void *)(intptr_t)queue;
        pthread_t thread;
        if (number == threads)
            work(argument);
        else if (pthread_create(&thread, NULL, work, argument) != 0)
            abort();
    }
}
