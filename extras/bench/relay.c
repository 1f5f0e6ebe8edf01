/* A bare relay: what is left of a chat server when it does nothing but move bytes.
 *
 * The floor that the benchmark compares servers with: C, one thread, epoll, no names, no
 * rooms, no limits.  relay.h has its language.
 *
 * SIMPLIFIED: it waits for a peer that does not read, and so do all the others. */
#include "relay.h"
#include <sys/epoll.h>

enum { EVENTS = 256 };

struct peer { int fd, number, held; char data[CHUNK]; };
static struct peer *peers[MAX_PEERS]; /* by number; NULL once gone */
static int accepted;

static void deliver(struct peer *to, const char *data, size_t n)
{
    while (n) {
        ssize_t sent = send(to->fd, data, n, MSG_NOSIGNAL);
        if (sent < 0) {
            struct pollfd full = {to->fd, POLLOUT, 0};
            if (poll(&full, 1, 1000) <= 0 || full.revents & (POLLERR | POLLHUP)) return;
        } else { data += sent; n -= sent; }
    }
}

static void pass_on(int from, int to, const char *data, size_t n)
{
    for (int i = to == EVERYBODY ? 0 : to; i < (to == EVERYBODY ? accepted : to + 1); i++)
        if (i < accepted && peers[i] && (to != EVERYBODY || i != from))
            deliver(peers[i], data, n);
}

static void serve(struct peer *p)
{
    ssize_t got = recv(p->fd, p->data + p->held, CHUNK - p->held, 0);
    if (got <= 0) { peers[p->number] = NULL; close(p->fd); free(p); return; }
    p->held += got;
    char *last = memrchr(p->data, '\n', p->held);
    if (!last) return;
    route(p->number, p->data, last + 1);
    p->held -= last + 1 - p->data;
    memmove(p->data, last + 1, p->held);
}

int main(void)
{
    int one = 1, listener = listen_somewhere(), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    if (listener < 0) return 1;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) { serve(events[i].data.ptr); continue; }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            struct peer *p = fd < 0 || accepted == MAX_PEERS ? NULL : malloc(sizeof *p);
            if (!p) { close(fd); continue; }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            p->fd = fd; p->held = 0; p->number = accepted;
            peers[accepted++] = p;
            event.data.ptr = p;
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
