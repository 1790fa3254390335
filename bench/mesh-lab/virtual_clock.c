// Gives a server the time of the laboratory. Preloaded, it tells the server that time stands still while the server
// works. When the server has nothing left to do, it says so on its channel and sleeps until the laboratory answers with
// the next moment. So both go forward in lockstep, whatever else the machine does. It also seeds what the server draws.
//
// cc -shared -fPIC -O2 -o virtual_clock.so virtual_clock.c -ldl
// LD_PRELOAD: this; VIRTUAL_CLOCK_EPOCH: milliseconds since 1970 at which time begins; VIRTUAL_CLOCK_SEED: for getrandom.
// The channel is file descriptor 3: one byte out when idle, eight bytes in (nanoseconds since the epoch above).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3 };

static int is_virtual;
static int64_t epoch;
static _Atomic int64_t passed;
static uint64_t seed;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);

__attribute__((constructor)) static void begin(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_epoll_pwait = dlsym(RTLD_NEXT, "epoll_pwait");
  const char *start = getenv("VIRTUAL_CLOCK_EPOCH"), *draw = getenv("VIRTUAL_CLOCK_SEED");
  is_virtual = start != 0;
  epoch = start ? strtoll(start, 0, 10) * INT64_C(1000000) : 0;
  seed = draw ? strtoull(draw, 0, 10) : 0;
}

static int is_wall_clock(clockid_t id) {
  return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW ||
         id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  if (!is_virtual || !is_wall_clock(id)) return real_clock_gettime ? real_clock_gettime(id, time) : -1;
  int64_t now = epoch + atomic_load(&passed);
  time->tv_sec = now / 1000000000;
  time->tv_nsec = now % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *seconds) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (seconds) *seconds = now.tv_sec;
  return now.tv_sec;
}

static void sleep_until_told(void) {
  int64_t next;
  while (write(CHANNEL, "", 1) < 0)
    if (errno != EINTR) _exit(70);
  for (;;) {
    ssize_t count = read(CHANNEL, &next, sizeof next);
    if (count == sizeof next) break;
    if (count < 0 && errno == EINTR) continue;
    _exit(70); // the laboratory is gone
  }
  atomic_store(&passed, next);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
  // Threads beside the loop, such as those of Node's own platform, keep to the real time.
  if (!is_virtual || getpid() != syscall(SYS_gettid)) return real_epoll_pwait(epoll, events, most, timeout, mask);
  int64_t until = timeout < 0 ? INT64_MAX : atomic_load(&passed) + timeout * INT64_C(1000000);
  for (;;) {
    int count = real_epoll_pwait(epoll, events, most, 0, mask);
    if (count != 0 || atomic_load(&passed) >= until) return count;
    sleep_until_told();
  }
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
  return epoll_pwait(epoll, events, most, timeout, 0);
}

// SplitMix64.
ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
  if (!is_virtual) return syscall(SYS_getrandom, bytes, size, flags);
  for (size_t at = 0; at < size; at++) {
    uint64_t mixed = seed += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    ((unsigned char *)bytes)[at] = mixed ^ (mixed >> 31);
  }
  return size;
}
