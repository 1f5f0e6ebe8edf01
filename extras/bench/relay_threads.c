/* The bare relay again, with a thread for each connection: what is left of our servers without Python.
 *
 * Each thread blocks in recv, finds the peers that a line is for, and sends to them itself.
 * relay.h has its language.
 *
 * SIMPLIFIED: it waits for a peer that does not read, and so does who else sends to that one. */
#include "relay.h"
#include <pthread.h>
#include <stdint.h>

enum { STACK = 2 * CHUNK }; /* twice the chunk that is on it; what is not used costs no memory */

/* `sending` guards fd, -1 once gone: two threads must not mix their bytes, nor write to a number that is reused. */
struct peer { pthread_mutex_t sending; int fd; };
static struct peer peers[MAX_PEERS]; /* by number; a place is never used again */
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER; /* guards accepted: nobody sends while holding it */
static int accepted;

static void deliver(struct peer *to, const char *data, size_t n)
{
    pthread_mutex_lock(&to->sending);
    while (n && to->fd >= 0) {
        ssize_t sent = send(to->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            struct pollfd full = {to->fd, POLLOUT, 0};
            if (poll(&full, 1, 1000) <= 0 || full.revents & (POLLERR | POLLHUP)) break;
        } else { data += sent; n -= sent; }
    }
    pthread_mutex_unlock(&to->sending);
}

static void pass_on(int from, int to, const char *data, size_t n)
{
    pthread_mutex_lock(&table);
    int known = accepted;
    pthread_mutex_unlock(&table);
    for (int i = to == EVERYBODY ? 0 : to; i < known && (to == EVERYBODY || i == to); i++)
        if (to != EVERYBODY || i != from) deliver(&peers[i], data, n);
}

static void *serve(void *number)
{
    int me = (intptr_t)number, fd = peers[me].fd;
    char data[CHUNK];
    size_t held = 0;
    ssize_t got;
    while ((got = recv(fd, data + held, CHUNK - held, 0)) > 0) {
        char *last = memrchr(data, '\n', held += got);
        if (!last) continue;
        route(me, data, last + 1);
        held -= last + 1 - data;
        memmove(data, last + 1, held);
    }
    pthread_mutex_lock(&peers[me].sending);
    peers[me].fd = -1;
    close(fd);
    pthread_mutex_unlock(&peers[me].sending);
    return NULL;
}

int main(void)
{
    int one = 1, listener = listen_somewhere();
    pthread_attr_t how;
    pthread_t thread;
    pthread_attr_init(&how);
    pthread_attr_setstacksize(&how, STACK);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    if (listener < 0) return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 || accepted == MAX_PEERS) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_mutex_init(&peers[accepted].sending, NULL);
        peers[accepted].fd = fd;
        pthread_mutex_lock(&table);
        intptr_t number = accepted++;
        pthread_mutex_unlock(&table);
        if (pthread_create(&thread, &how, serve, (void *)number)) shutdown(fd, SHUT_RDWR);
    }
}
