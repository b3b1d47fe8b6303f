/*
 * Preloaded into a process (LD_PRELOAD), for what no file system does when a test wants it: LMDB's meta page
 * cannot be written while the file $FAULTY_META is there. And a log of what goes to the disk, in $FAULTY_LOG:
 * "sync", and "meta" or "meta-synced" for each commit. And a disk that is slow: a sync takes $FAULTY_SYNC seconds
 * while the file $FAULTY_SLOW is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* LMDB writes whole pages, but for the part of the meta page that changes. */
enum { PAGE = 4096 };

static void note(const char *word) {
  const char *path = getenv("FAULTY_LOG");
  if (!path) return;
  int saved = errno;
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd >= 0) {
    if (write(fd, word, strlen(word)) < 0) abort();
    close(fd);
  }
  errno = saved;
}

static int is_meta(int fd, size_t length) {
  char link[64], path[4096];
  if (length >= PAGE) return 0;
  strcpy(link, "/proc/self/fd/");
  char digits[16];
  int n = 0;
  do digits[n++] = '0' + fd % 10; while ((fd /= 10) > 0);
  size_t end = strlen(link);
  while (n > 0) link[end++] = digits[--n];
  link[end] = 0;
  ssize_t got = readlink(link, path, sizeof path - 1);
  return got > 8 && memcmp(path + got - 8, "data.mdb", 8) == 0;
}

#define WRITES(name, offset_t)                                               \
  ssize_t name(int fd, const void *bytes, size_t length, offset_t offset) {  \
    static ssize_t (*real)(int, const void *, size_t, offset_t);             \
    if (!real) real = dlsym(RTLD_NEXT, #name);                               \
    if (is_meta(fd, length)) {                                               \
      const char *fault = getenv("FAULTY_META");                             \
      if (fault && access(fault, F_OK) == 0) {                               \
        errno = EIO;                                                         \
        return -1;                                                           \
      }                                                                      \
      note(fcntl(fd, F_GETFL) & O_DSYNC ? "meta-synced\n" : "meta\n");       \
    }                                                                        \
    return real(fd, bytes, length, offset);                                  \
  }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)

#define SYNCS(name)                                   \
  int name(int fd) {                                  \
    static int (*real)(int);                          \
    if (!real) real = dlsym(RTLD_NEXT, #name);        \
    const char *slow = getenv("FAULTY_SLOW");         \
    if (slow && access(slow, F_OK) == 0)              \
      sleep(atoi(getenv("FAULTY_SYNC")));             \
    int done = real(fd);                              \
    note("sync\n");                                   \
    return done;                                      \
  }

SYNCS(fdatasync)
SYNCS(fsync)
