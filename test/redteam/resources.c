/*
 * What a pod may use up: its own share, and what all pods of a host have together. What was taken is given back at once.
 * `limited` says at which point it stopped; `succeeded` that it went beyond what the test names as this pod's share.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024L * 1024)
#define MANY 8192
#define ENOUGH 1024
#define FILES 4096

static char block[MIB];

static void fork_bomb(void) {
  long limit = number("pids", 4096), made = 0;
  while (made < limit + 512) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
    made++;
  }
  const char *why = strerror(errno);
  if (made >= limit + 512) succeeded("%ld processes, %ld are the pod's share", made, limit);
  limited("stopped at %ld processes of %ld: %s", made, limit, why);
}

/* The child is made the first to be killed, so that nothing else of the pod is. */
static void memory_bomb(void) {
  long *touched = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  long limit = number("memoryBytes", 128 * MIB) / MIB;
  int status;
  pid_t child = fork_or_end();
  if (child == 0) {
    int score = open("/proc/self/oom_score_adj", O_WRONLY);
    if (score < 0 || write(score, "1000", 4) != 4) _exit(3);
    while (*touched < limit + 64) {
      void *more = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (more == MAP_FAILED) _exit(4);
      memset(more, 1, MIB);
      ++*touched;
    }
    _exit(0);
  }
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) succeeded("%ld MiB, %ld are the pod's share", *touched, limit);
  limited("stopped at %ld MiB of %ld by %s %d", *touched, limit, WIFSIGNALED(status) ? "signal" : "status",
          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Writes until it fails or there is enough. Removes what it wrote, and returns how many MiB there were. */
static long fill(const char *path, long most) {
  long written = 0;
  int file = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return -1;
  while (written < most) {
    ssize_t length = write(file, block, sizeof block);
    if (length != sizeof block) break;
    written++;
  }
  int why = errno;
  if (ftruncate(file, 0)) note("%s could not be emptied", path);
  close(file);
  unlink(path);
  errno = why;
  return written;
}

static void shared_memory(void) {
  long limit = number("shmBytes", 64 * MIB) / MIB, written = fill("/dev/shm/red", limit + 16);
  if (written >= limit + 16) succeeded("%ld MiB, %ld are the pod's share", written, limit);
  limited("stopped at %ld MiB of %ld: %s", written, limit, strerror(errno));
}

static void memory_folders(void) {
  const char *folders[] = {"/dev", "/.lium/run", "/run/lock", "/dev/mqueue", NULL};
  char path[64];
  long most = number("memoryBytes", 128 * MIB) / MIB / 2 + 16;
  for (const char **folder = folders; *folder; folder++) {
    snprintf(path, sizeof path, "%s/red", *folder);
    long written = fill(path, most);
    if (written >= most) tried(0, "%ld MiB in %s", written, *folder);
    else note("%s stopped at %ld MiB: %s", *folder, written, strerror(errno));
  }
  verdict();
}

static void disk_filling(void) {
  long limit = number("diskBytes", 64 * MIB) / MIB, more = limit + limit / 50 + 16, written = fill("/red-disk", more);
  if (written < 0) refused("/red-disk: %s", strerror(errno));
  if (written >= more) succeeded("%ld MiB, %ld are the pod's share", written, limit);
  limited("stopped at %ld MiB of %ld: %s", written, limit, strerror(errno));
}

/* The engine mounts these from its own folder on the host, beyond any quota of the pod. */
static void engine_files(void) {
  const char *paths[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", NULL};
  for (const char **path = paths; *path; path++) {
    char before[8192];
    long written = 0;
    int file = open(*path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
      tried(-1, "%s", *path);
      continue;
    }
    ssize_t length = pread(file, before, sizeof before, 0);
    while (written < 8 && pwrite(file, block, sizeof block, 8192 + written * MIB) == sizeof block) written++;
    tried(written == 8 ? 0 : -1, "%ld MiB into %s", written, *path);
    if (ftruncate(file, length > 0 ? length : 0)) note("%s could not be put back", *path);
    close(file);
  }
  verdict();
}

/* Counted for each user, and root is one user for the host and all its pods. No more are taken than it takes to know:
   the kernel is slow to let go of them. */
static void inotify_instances(void) {
  static int taken[ENOUGH];
  int count = 0, why;
  while (count < ENOUGH && (taken[count] = inotify_init1(IN_CLOEXEC)) >= 0) count++;
  why = errno;
  for (int at = 0; at < count; at++) close(taken[at]);
  if (count < ENOUGH) succeeded("none is left for others after %d: %s", count, strerror(why));
  limited("%d were had, and there are more", count);
}

/* The same file watched by many instances: each counts, and few files are needed. */
static void inotify_watches(void) {
  static int taken[MANY];
  char path[64];
  long watches = 0, most = number("watches", 200000);
  int count = 0, why = 0;
  mkdir("/tmp", 01777), mkdir("/tmp/red-watch", 0700);
  for (int at = 0; at < FILES; at++) {
    snprintf(path, sizeof path, "/tmp/red-watch/%d", at);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
  }
  while (count < MANY && watches < most && !why && (taken[count] = inotify_init1(IN_CLOEXEC)) >= 0) {
    for (int at = 0; at < FILES && !why; at++) {
      snprintf(path, sizeof path, "/tmp/red-watch/%d", at);
      if (inotify_add_watch(taken[count], path, IN_MODIFY) < 0) why = errno;
      else watches++;
    }
    count++;
  }
  for (int at = 0; at < count; at++) close(taken[at]);
  if (why == ENOSPC) succeeded("none is left for others after %ld", watches);
  limited("%ld were had, %s", watches, why ? strerror(why) : "and there are more");
}

static void aio_contexts(void) {
  static aio_context_t taken[64];
  int count = 0, why;
  while (count < 64 && syscall(SYS_io_setup, 4000, &taken[count]) == 0) count++;
  why = errno;
  for (int at = 0; at < count; at++) syscall(SYS_io_destroy, taken[at]);
  if (count < 64 && why == EAGAIN) succeeded("none is left for others after %d of 4000 events", count);
  if (count == 0) refused("io_setup: %s", strerror(why));
  limited("%d of 4000 events were had, %s", count, count == 64 ? "and there are more" : strerror(why));
}

static void terminals(void) {
  static int taken[MANY];
  int count = 0, why;
  while (count < MANY && (taken[count] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0) count++;
  why = errno;
  for (int at = 0; at < count; at++) close(taken[at]);
  if (count < MANY && why == ENOSPC) succeeded("none is left for others after %d", count);
  limited("%d were had, %s", count, count == MANY ? "and there are more" : strerror(why));
}

/* The host follows every connection of its pods in one table. The test looks at its size; an address that answers is not needed. */
static void connections(void) {
  long flows = number("flows", 0), sent = 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  if (!flows || inet_pton(AF_INET, arg("flowsTo"), &to.sin_addr) != 1) refused("no address to send to");
  for (int peer; sent < flows; sent++) {
    to.sin_port = htons((unsigned short)(1024 + sent % 60000));
    if ((peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0) break;
    sendto(peer, "", 0, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
    close(peer);
  }
  limited("%ld flows were begun", sent);
}

static void processor(void) {
  long until = now_ms() + 1000 * number("seconds", 5), spent;
  for (int at = 0; at < 7; at++)
    if (fork_or_end() == 0)
      for (;;) __asm__ volatile("");
  while (now_ms() < until) __asm__ volatile("");
  struct timespec own;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  spent = own.tv_sec * 1000 + own.tv_nsec / 1000000;
  limited("8 busy processes for %ld s; one of them had %ld ms", number("seconds", 5), spent);
}

/* The pod's own standard output, as fast as it can. The test looks at what becomes of it on the host. */
static void log_flooding(void) {
  int out = open("/proc/1/fd/1", O_WRONLY | O_CLOEXEC);
  long bytes = 0, began = now_ms(), until = began + 1000 * number("seconds", 5);
  if (out < 0) refused("the pod's standard output: %s", strerror(errno));
  memset(block, 'x', sizeof block);
  for (size_t at = 99; at < sizeof block; at += 100) block[at] = '\n';
  while (now_ms() < until) {
    ssize_t length = write(out, block, 65500);
    if (length < 0) refused("the pod's standard output: %s", strerror(errno));
    bytes += length;
  }
  limited("%ld MB in %ld ms", bytes / 1000000, now_ms() - began);
}

const Attempt RESOURCES[] = {
    {"fork-bomb", fork_bomb, 30},
    {"memory-bomb", memory_bomb, 30},
    {"shared-memory", shared_memory, 30},
    {"memory-folders", memory_folders, 30},
    {"disk-filling", disk_filling, 60},
    {"engine-files", engine_files, 30},
    {"inotify-instances", inotify_instances, 0},
    {"inotify-watches", inotify_watches, 30},
    {"aio-contexts", aio_contexts, 0},
    {"terminals", terminals, 0},
    {"connections", connections, 30},
    {"processor", processor, 60},
    {"log-flooding", log_flooding, 90},
    {0},
};
