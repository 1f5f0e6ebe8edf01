/* A correct echo server, a process for each client: cc -o echo echo.c && ./echo PORT */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 9000)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    signal(SIGCHLD, SIG_IGN); /* no zombies */
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 100) < 0)
        return 1;
    for (;;) {
        int sock = accept(listener, NULL, NULL);
        if (sock < 0)
            continue;
        if (fork() == 0) {
            char chunk[5000];
            ssize_t size, sent;
            close(listener);
            while ((size = read(sock, chunk, sizeof chunk)) > 0)
                for (ssize_t at = 0; at < size; at += sent)
                    if ((sent = write(sock, chunk + at, size - at)) <= 0)
                        _exit(0);
            _exit(0);
        }
        close(sock);
    }
}
