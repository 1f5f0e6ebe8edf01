/* What both relays have in common: their language, and how they begin.
 *
 * A line's first byte says where it goes; consecutive lines of one chunk that go to the same
 * place leave in one send.
 *
 *     *text      to everybody else
 *     17 text    to the connection that was accepted as number 17, from 0
 *     else       back to its sender */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_PEERS = 1 << 20, CHUNK = 65536, EVERYBODY = -1 };

/* Send whole lines to one peer, or to EVERYBODY but the sender; each relay has its own way. */
static void pass_on(int from, int to, const char *data, size_t n);

static int destination(const char *line, int from)
{
    return *line == '*' ? EVERYBODY : *line >= '0' && *line <= '9' ? atoi(line) : from;
}

/* Pass on the lines of a chunk, of which the last ends at `end`. */
static void route(int from, const char *data, const char *end)
{
    while (data < end) {
        int to = destination(data, from);
        const char *next = data;
        do next = (char *)memchr(next, '\n', end - next) + 1;
        while (next < end && destination(next, from) == to);
        pass_on(from, to, data, next - data);
        data = next;
    }
}

/* Listen on a free port and say which; -1 if that fails. */
static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1024)) return -1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}
