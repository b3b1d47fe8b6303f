/*
 * The least that it can cost to give some bytes to many loopback sockets: one `send()` for each.
 *
 *   floor send SOCKETS BYTES PUSHES INTERVAL   sends, to readers of its own; prints CPU µs per push
 *   floor read PORT SOCKETS                    connects and drains; ends when the other side does
 *
 * INTERVAL is the milliseconds from push to push. Started by floor.js. Linux only.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int drain(int port, int count) {
  static char room[1 << 16];
  struct epoll_event events[256];
  int poller = epoll_create1(0), open = count;
  for (int i = 0; i < count; i += 1) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (void *)&address, sizeof address) < 0) die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
  while (open > 0) {
    int ready = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready; i += 1) {
      if (recv(events[i].data.fd, room, sizeof room, MSG_DONTWAIT) > 0) continue;
      close(events[i].data.fd);
      open -= 1;
    }
  }
  return 0;
}

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int serve(int count, int bytes, int pushes, int interval) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (bind(listener, (void *)&address, sizeof address) < 0 || listen(listener, count) < 0) die("listen");
  getsockname(listener, (void *)&address, &size);
  pid_t reader = fork();
  if (reader == 0) {
    close(listener);
    exit(drain(ntohs(address.sin_port), count));
  }
  int *sockets = calloc(count, sizeof *sockets);
  char *frame = calloc(1, bytes);
  for (int i = 0; i < count; i += 1) {
    sockets[i] = accept(listener, NULL, NULL);
    if (sockets[i] < 0) die("accept");
    setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  double spent = 0;
  for (int push = 0; push < pushes; push += 1) {
    double before = cpu();
    for (int i = 0; i < count; i += 1) {
      if (send(sockets[i], frame, bytes, MSG_NOSIGNAL) != bytes) die("send");
    }
    spent += cpu() - before;
    struct timespec pause = {interval / 1000, interval % 1000 * 1000000L};
    nanosleep(&pause, NULL);
  }
  printf("%.1f\n", spent / pushes);
  for (int i = 0; i < count; i += 1) close(sockets[i]);
  waitpid(reader, NULL, 0);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "read")) return drain(atoi(argv[2]), atoi(argv[3]));
  if (argc == 6 && !strcmp(argv[1], "send")) return serve(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
  fprintf(stderr, "floor send SOCKETS BYTES PUSHES INTERVAL | floor read PORT SOCKETS\n");
  return 2;
}
