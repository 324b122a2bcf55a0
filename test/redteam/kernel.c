/*
 * Calls of the kernel that act on the whole host or widen what can be attacked. Each is made so that nothing happens where
 * it is allowed: a module that is none, the time that it is, a file that does not exist.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Whoever may do it hears that there is no such thing; whoever may not hears that first. */
static bool may(long result, const char *what) {
  bool refusal = errno == EPERM || errno == EACCES || errno == ENOSYS;
  return tried(result < 0 && refusal ? -1 : 0, "%s", what);
}

static void load_module(void) {
  char bytes[] = "not a module";
  int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  may(syscall(SYS_init_module, bytes, sizeof bytes, ""), "init_module");
  may(syscall(SYS_finit_module, own, "", 0), "finit_module");
  may(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK), "delete_module");
  verdict();
}

static void load_kernel(void) {
  may(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load");
  verdict();
}

static void keys(void) {
  tried(syscall(SYS_add_key, "user", "red team", "x", 1, KEY_SPEC_PROCESS_KEYRING), "add_key");
  tried(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0), "keyctl");
  tried(syscall(SYS_request_key, "user", "red team", NULL, KEY_SPEC_PROCESS_KEYRING), "request_key");
  verdict();
}

static void bpf(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  tried(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map), "a map");
  verdict();
}

static void perf_event(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK};
  tried(syscall(SYS_perf_event_open, &event, -1, 0, -1, 0), "of a whole processor");
  tried(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0), "of this process");
  verdict();
}

static void userfaultfd(void) {
  tried(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
  verdict();
}

static void io_uring(void) {
  struct io_uring_params params = {0};
  tried(syscall(SYS_io_uring_setup, 1, &params), "io_uring_setup");
  verdict();
}

/* Asks that Ctrl-Alt-Del stay without effect, which in a container means nothing; who may ask may also restart. */
static void restart(void) {
  may(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL), "reboot");
  verdict();
}

static void set_time(void) {
  struct timespec now;
  struct timex none = {.modes = ADJ_OFFSET_SINGLESHOT};
  clock_gettime(CLOCK_REALTIME, &now);
  tried(clock_settime(CLOCK_REALTIME, &now), "clock_settime");
  tried(adjtimex(&none), "adjtimex");
  verdict();
}

static void swap(void) {
  may(swapon("/no/such/file", 0), "swapon");
  may(swapoff("/no/such/file"), "swapoff");
  verdict();
}

static void accounting(void) {
  may(acct("/no/such/file"), "acct");
  may(syscall(SYS_quotactl, 0x800002 << 8, "/no/such/file", 0, NULL), "quotactl");
  verdict();
}

static void kernel_log(void) {
  char bytes[64];
  tried(klogctl(3, bytes, sizeof bytes), "reading the kernel's log");
  verdict();
}

static void priority(void) {
  struct sched_param first = {.sched_priority = 1};
  tried(sched_setscheduler(0, SCHED_FIFO, &first), "real-time scheduling");
  errno = 0;
  tried(setpriority(PRIO_PROCESS, 0, -20), "nice -20");
  tried(syscall(SYS_ioprio_set, 1, 0, 1 << 13), "real-time disk priority");
  verdict();
}

static void raise_limits(void) {
  const struct {
    int which;
    const char *name;
  } limits[] = {{RLIMIT_NOFILE, "open files"}, {RLIMIT_MEMLOCK, "locked memory"}, {RLIMIT_MSGQUEUE, "message queues"},
                {RLIMIT_SIGPENDING, "pending signals"}};
  for (size_t at = 0; at < sizeof limits / sizeof *limits; at++) {
    struct rlimit old, wider;
    getrlimit(limits[at].which, &old);
    if (old.rlim_max == RLIM_INFINITY) {
      note("%s: without a limit already", limits[at].name);
      continue;
    }
    wider = (struct rlimit){.rlim_cur = old.rlim_cur, .rlim_max = old.rlim_max + 1};
    tried(setrlimit(limits[at].which, &wider), "%s beyond %lu", limits[at].name, (unsigned long)old.rlim_max);
  }
  verdict();
}

/* A program whose owner is root, run by another user, must not become root again. */
static void setuid_gain(void) {
  char path[] = "/tmp/red-setuid", bytes[65536];
  int status, from = open("/proc/self/exe", O_RDONLY), to = (mkdir("/tmp", 01777), open(path, O_CREAT | O_TRUNC | O_WRONLY, 0700));
  for (ssize_t length; to >= 0 && (length = read(from, bytes, sizeof bytes)) > 0;)
    if (write(to, bytes, (size_t)length) != length) break;
  if (to < 0 || fchmod(to, 04755)) refused("no set-uid program could be made: %s", strerror(errno));
  close(to);
  pid_t child = fork_or_end();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534)) _exit(3);
    execl(path, path, "run", "only=whoami", NULL);
    _exit(4);
  }
  waitpid(child, &status, 0);
  unlink(path);
  note("the program ended with %d", WEXITSTATUS(status));
  tried(WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : (errno = EPERM, -1), "root again by a set-uid program");
  verdict();
}

/* Processes that are not the pod's: by their names, and by acting on process 1 of the host, which is not ours. */
static void host_processes(void) {
  const char *names[] = {"dockerd", "containerd", "containerd-shim", "systemd", "sshd: /usr", "kthreadd", "node", NULL};
  DIR *list = opendir("/proc");
  struct dirent *entry;
  char path[300];
  int seen = 0;
  while (list && (entry = readdir(list))) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    seen++;
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    for (const char **name = names; *name; name++)
      if (file_holds(path, *name)) tried(kill(atoi(entry->d_name), 0), "signal to %s %s", *name, entry->d_name);
  }
  note("%d processes seen", seen);
  verdict();
}

/* The parent of process 1 is outside: a pod that shares no process with its host sees none. */
static void trace_host(void) {
  pid_t outside = (pid_t)number("hostPid", 0);
  tried(outside ? kill(outside, 0) : (errno = ESRCH, -1), "signal to process %d of the host", outside);
  tried(outside ? ptrace(PTRACE_SEIZE, outside, 0, 0) : (errno = ESRCH, -1), "tracing process %d of the host", outside);
  verdict();
}

/* Not an attempt of its own: what the set-uid program runs. */
__attribute__((constructor)) static void whoami(void) {
  char line[200];
  int file = open("/proc/self/cmdline", O_RDONLY);
  ssize_t length = file < 0 ? 0 : read(file, line, sizeof line);
  if (file >= 0) close(file);
  if (length > 0 && memmem(line, (size_t)length, "only=whoami", 11)) _exit(geteuid() == 0 ? 42 : 0);
}

const Attempt KERNEL[] = {
    {"load-module", load_module, 0},
    {"load-kernel", load_kernel, 0},
    {"keys", keys, 0},
    {"bpf", bpf, 0},
    {"perf-event", perf_event, 0},
    {"userfaultfd", userfaultfd, 0},
    {"io-uring", io_uring, 0},
    {"restart-host", restart, 0},
    {"set-time", set_time, 0},
    {"swap", swap, 0},
    {"accounting", accounting, 0},
    {"kernel-log", kernel_log, 0},
    {"priority", priority, 0},
    {"raise-limits", raise_limits, 0},
    {"setuid-gain", setuid_gain, 0},
    {"host-processes", host_processes, 0},
    {"trace-host", trace_host, 0},
    {0},
};
