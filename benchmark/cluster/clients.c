/*
 * Many WebSocket clients of a pomelo connector in one process, as cheap as clients can be, so that
 * a benchmark on one machine measures the servers: real connections and handshakes, with or without
 * an offer of permessage-deflate. Each push is counted, with the time at which the last client had it.
 *
 * Messages are looked at no further than for the number `n` that the benchmark's pushes carry.
 * Compressed ones are not inflated: their number is that of the message before plus one. What is in
 * them is checked by witnesses.js. After the log-in servers send nothing but pushes (no heartbeats).
 *
 * Started by crowd.js with an IPC channel of Node, which is lines of JSON over a socket. Commands are
 * strings: `connect COUNT FIRST PREFIX DEFLATE CHAT PORT=ID …`, `begin FIRST COUNT`, `end TIMEOUT`,
 * `close`. Times are milliseconds of the monotonic clock. Linux only.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UPGRADING, SHAKING, ENTERING, READY };
enum { AT_ONCE = 30, MAX_CLIENTS = 20000, MAX_SERVERS = 16, ROOM = 1 << 18, LINE = 1 << 14, NAME = 512 };
/* A second copy of a push would come right after the first; this long is waited for it. */
static const double SETTLE = 100;

struct client {
  int fd, state, server;
  unsigned index, seen;
  unsigned char *rest; /* the beginning of a frame whose end did not come yet */
  size_t held;
};

struct server { int port; char id[64]; };
struct arrival { unsigned copies; double last; };

static struct client clients[MAX_CLIENTS];
static unsigned client_count, wanted, ready, naming;
static struct server servers[MAX_SERVERS];
static int server_count, deflate, poller, channel;
static char prefix[NAME], chat[64];
static struct arrival *arrivals;
static unsigned first, expected, compressed, uncompressed, disorder;
static double deadline, settled; /* of `end`, 0 without one */
static int connecting;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void tell(const char *text, size_t length) {
  while (length > 0) {
    ssize_t sent = write(channel, text, length);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) exit(1);
    text += sent;
    length -= sent;
  }
}

static void fail(const char *format, ...) {
  char reason[400], line[500];
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
  tell(line, snprintf(line, sizeof line, "{\"error\":\"%s\"}\n", reason));
  exit(1);
}

/* A masked frame, as servers ask for, with a mask that leaves the bytes as they are. */
static void send_package(struct client *c, int type, const void *body, size_t length) {
  unsigned char frame[NAME + 300] = {0x82};
  size_t whole = length + 4, at = 2;
  if (whole < 126) frame[1] = 0x80 | whole;
  else frame[1] = 0x80 | 126, frame[2] = whole >> 8, frame[3] = whole & 255, at = 4;
  memset(frame + at, 0, 4);
  at += 4;
  frame[at++] = type;
  frame[at++] = 0;
  frame[at++] = length >> 8;
  frame[at++] = length & 255;
  memcpy(frame + at, body, length);
  if (send(c->fd, frame, at + length, MSG_NOSIGNAL) != (ssize_t)(at + length)) fail("send: %s", strerror(errno));
}

static void enter(struct client *c) {
  static const char route[] = "connector.entryHandler.enter";
  char body[NAME + 200];
  size_t at = 0;
  body[at++] = 0; /* a request, its route in full */
  body[at++] = 1;
  body[at++] = sizeof route - 1;
  memcpy(body + at, route, sizeof route - 1);
  at += sizeof route - 1;
  at += snprintf(body + at, sizeof body - at, "{\"uid\":\"%s%05u\",\"chat\":\"%s\"}", prefix, c->index, chat);
  send_package(c, 2, "", 0);
  send_package(c, 4, body, at);
}

static void open_client(void) {
  struct client *c = &clients[client_count];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char request[400];
  int one = 1;
  *c = (struct client){.index = naming++, .server = client_count % server_count};
  client_count += 1;
  address.sin_port = htons(servers[c->server].port);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address) < 0) fail("connect: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  int length = snprintf(request, sizeof request,
                        "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                        servers[c->server].port,
                        deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
  if (send(c->fd, request, length, MSG_NOSIGNAL) != length) fail("upgrade: %s", strerror(errno));
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

/* The number of an uncompressed push: the first field of its protobuf, or "n" of its JSON. */
static unsigned number_of(const unsigned char *data, size_t length) {
  if (length < 9 || data[0] != 4 || (data[4] >> 1 & 7) != 3) fail("a package of type %d is no push", length ? data[0] : -1);
  size_t at = data[4] & 1 ? 7 : 6 + data[5];
  unsigned n = 0;
  if (at < length && data[at] == 0x08) {
    for (int shift = 0; ++at < length; shift += 7) {
      n |= (unsigned)(data[at] & 127) << shift;
      if (data[at] < 128) return n;
    }
  }
  const char *field = at < length ? memmem(data + at, length - at, "\"n\":", 4) : NULL;
  if (!field) fail("a push without a number");
  return strtoul(field + 4, NULL, 10);
}

static void on_frame(struct client *c, unsigned char head, const unsigned char *data, size_t length) {
  if ((head & 15) == 8) fail("a server closed the connection of client %u", c->index);
  if ((head & 0xbf) != 0x82) fail("a frame that begins with %02x", head);
  if (c->state == SHAKING) {
    c->state = ENTERING;
    enter(c);
  } else if (c->state == ENTERING) {
    if (!(head & 0x40) && !memmem(data, length, "200", 3)) fail("client %u may not enter", c->index);
    c->state = READY;
    ready += 1;
    if (client_count < wanted) open_client();
  } else {
    unsigned n = head & 0x40 ? c->seen + 1 : number_of(data, length);
    *(head & 0x40 ? &compressed : &uncompressed) += 1;
    if (n != c->seen + 1) disorder += 1;
    c->seen = n;
    if (n < first || n >= first + expected) {
      disorder += 1;
      return;
    }
    arrivals[n - first].copies += 1;
    arrivals[n - first].last = now();
  }
}

/* Takes whole frames (or the answer to the upgrade) and returns how many bytes they were. */
static size_t take(struct client *c, const unsigned char *data, size_t length) {
  size_t at = 0;
  if (c->state == UPGRADING) {
    const unsigned char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12) != 0) fail("the upgrade was refused");
    if (deflate != !!memmem(data, end - data, "permessage-deflate", 18)) fail("permessage-deflate: %s", deflate ? "refused" : "not offered");
    static const char hello[] = "{\"sys\":{\"type\":\"benchmark\",\"version\":\"1\"}}";
    c->state = SHAKING;
    send_package(c, 1, hello, sizeof hello - 1);
    at = end + 4 - data;
  }
  while (length - at >= 2) {
    size_t head = 2, size = data[at + 1] & 127;
    if (size == 127) fail("a frame above 64 KiB");
    if (size == 126) {
      if (length - at < 4) break;
      head = 4;
      size = data[at + 2] << 8 | data[at + 3];
    }
    if (length - at < head + size) break;
    on_frame(c, data[at], data + at + head, size);
    at += head + size;
  }
  return at;
}

static void on_data(struct client *c) {
  static unsigned char room[ROOM];
  if (c->held > 0) memcpy(room, c->rest, c->held);
  ssize_t got = recv(c->fd, room + c->held, ROOM - c->held, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) fail("client %u lost its connection", c->index);
  size_t length = c->held + got, used = take(c, room, length);
  c->held = length - used;
  if (c->held == 0) return;
  if (!c->rest) c->rest = malloc(1 << 17);
  if (!c->rest || c->held > 1 << 17) fail("out of memory");
  memcpy(c->rest, room + used, c->held);
}

static void on_command(char *line) {
  char *word = strtok(line, "\" \n");
  if (!word) return;
  if (!strcmp(word, "connect")) {
    unsigned more = atoi(strtok(NULL, "\" "));
    naming = atoi(strtok(NULL, "\" "));
    snprintf(prefix, sizeof prefix, "%s", strtok(NULL, "\" "));
    deflate = atoi(strtok(NULL, "\" "));
    snprintf(chat, sizeof chat, "%s", strtok(NULL, "\" "));
    for (server_count = 0; server_count < MAX_SERVERS && (word = strtok(NULL, "\" \n")); server_count += 1) {
      if (sscanf(word, "%d=%63s", &servers[server_count].port, servers[server_count].id) != 2) fail("connect: %s", word);
    }
    wanted = client_count + more;
    if (wanted > MAX_CLIENTS || server_count == 0) fail("connect: too many clients, or no server");
    connecting = 1;
    for (int i = 0; i < AT_ONCE && client_count < wanted; i += 1) open_client();
  } else if (!strcmp(word, "begin")) {
    first = atoi(strtok(NULL, "\" "));
    expected = atoi(strtok(NULL, "\" \n"));
    free(arrivals);
    arrivals = calloc(expected, sizeof *arrivals);
    compressed = uncompressed = disorder = 0;
    for (unsigned i = 0; i < client_count; i += 1) clients[i].seen = first - 1;
    tell("{\"value\":true}\n", 15);
  } else if (!strcmp(word, "end")) {
    deadline = now() + atof(strtok(NULL, "\" \n"));
    settled = 0;
  } else if (!strcmp(word, "close")) {
    exit(0);
  } else {
    fail("unknown command %s", word);
  }
}

static void report(void) {
  static char line[200];
  tell(line, snprintf(line, sizeof line, "{\"value\":{\"compressed\":%u,\"uncompressed\":%u,\"disorder\":%u,\"arrived\":[",
                      compressed, uncompressed, disorder));
  for (unsigned i = 0; i < expected; i += 1) {
    tell(line, snprintf(line, sizeof line, "%s[%u,%u,%.3f]", i ? "," : "", first + i, arrivals[i].copies, arrivals[i].last));
  }
  tell("]}}\n", 4);
}

/* Answers `connect` and `end` when what they wait for has come. */
static void settle(void) {
  if (connecting && ready == wanted) {
    connecting = 0;
    tell("{\"value\":true}\n", 15);
  }
  if (deadline == 0) return;
  if (!settled && (compressed + uncompressed >= client_count * expected || now() >= deadline)) settled = now() + SETTLE;
  if (!settled || now() < settled) return;
  deadline = 0;
  report();
}

int main(void) {
  static char line[LINE];
  static struct epoll_event events[512];
  size_t length = 0;
  const char *fd = getenv("NODE_CHANNEL_FD");
  channel = fd ? atoi(fd) : 0;
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, channel, &event);
  for (;;) {
    int count = epoll_wait(poller, events, 512, deadline ? 20 : 1000);
    for (int i = 0; i < count; i += 1) {
      if (events[i].data.ptr) {
        on_data(events[i].data.ptr);
        continue;
      }
      ssize_t got = read(channel, line + length, sizeof line - 1 - length);
      if (got <= 0) exit(0);
      line[length += got] = 0;
      char *end = strchr(line, '\n');
      if (!end) continue;
      *end = 0;
      on_command(line);
      length = 0;
    }
    settle();
  }
}
