/*
 * Preloaded into a process (LD_PRELOAD): it stops (SIGSTOP) while it holds a lock of LMDB, which is a mutex that the
 * processes share. $HOLDING_AT says when: 1 at the first such lock that it releases, 2 at the second, and so on; before
 * it is released.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* In glibc's `__kind`: PTHREAD_PROCESS_SHARED. */
enum { SHARED = 128 };

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
  static int (*real)(pthread_mutex_t *);
  static int released;
  if (!real) real = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
  if (mutex->__data.__kind & SHARED) {
    const char *at = getenv("HOLDING_AT");
    if (at && __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST) == atoi(at)) {
      /* To this thread, not to the process: handled before it returns, so the lock is held, however busy the machine is. */
      raise(SIGSTOP);
    }
  }
  return real(mutex);
}
