/*
 * Ways out of the pod's own view of the file system: mounts, namespaces, other roots, and control groups.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From <sys/mount.h>, which cannot be included beside <linux/mount.h>. */
extern int mount(const char *, const char *, const char *, unsigned long, const void *);
extern int umount2(const char *, int);

static const char *place(void) {
  mkdir("/tmp", 01777);
  mkdir("/tmp/red-mount", 0700);
  return "/tmp/red-mount";
}

static bool try_mount(const char *source, const char *type, unsigned long flags, const char *options) {
  bool mounted = tried(mount(source, place(), type, flags, options), "mounting %s", type ? type : source);
  if (mounted) umount2(place(), 2);
  return mounted;
}

static void mount_bind(void) {
  try_mount("/etc", NULL, MS_BIND, NULL);
  try_mount("/", NULL, MS_BIND | MS_REC, NULL);
  verdict();
}

static void mount_kernel(void) {
  try_mount("proc", "proc", 0, NULL);
  try_mount("sysfs", "sysfs", 0, NULL);
  try_mount("debugfs", "debugfs", 0, NULL);
  try_mount("tracefs", "tracefs", 0, NULL);
  try_mount("securityfs", "securityfs", 0, NULL);
  try_mount("bpf", "bpf", 0, NULL);
  verdict();
}

static void mount_overlay(void) {
  mkdir("/tmp/red-upper", 0700), mkdir("/tmp/red-work", 0700);
  try_mount("overlay", "overlay", 0, "lowerdir=/,upperdir=/tmp/red-upper,workdir=/tmp/red-work");
  verdict();
}

static void mount_tmpfs(void) {
  try_mount("tmpfs", "tmpfs", 0, NULL);
  tried(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
  tried(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE), "open_tree");
  verdict();
}

static void mount_devices(void) {
  try_mount("devtmpfs", "devtmpfs", 0, NULL);
  try_mount("/dev/vda", "ext4", MS_RDONLY, NULL);
  try_mount("/dev/sda1", "ext4", MS_RDONLY, NULL);
  try_mount("red", "fuse", 0, "fd=0,rootmode=40000,user_id=0,group_id=0");
  verdict();
}

/* What Docker hides below /proc and keeps read-only. */
static void unmask(void) {
  const char *paths[] = {"/proc/kcore", "/proc/sys", "/proc/sysrq-trigger", "/sys/firmware", "/.lium/k", "/etc/hosts", NULL};
  for (const char **path = paths; *path; path++) tried(umount2(*path, 2), "unmounting %s", *path);
  tried(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL), "remounting /proc/sys");
  tried(mount(NULL, "/sys", NULL, MS_REMOUNT, NULL), "remounting /sys");
  verdict();
}

static void in_child(void (*use)(void)) {
  int status;
  pid_t child = fork_or_end();
  if (child == 0) use(), _exit(0);
  waitpid(child, &status, 0);
  errno = EPERM;
  tried(WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : -1, "from inside it");
}

static void unshare_user(void) {
  if (unshare(CLONE_NEWUSER)) _exit(errno == EPERM ? 1 : 2);
  _exit(42);
}

/* The way by which an unprivileged user gets at file systems' code in the kernel. */
static void unshare_and_mount(void) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) _exit(1);
  _exit(mount("tmpfs", place(), "tmpfs", 0, NULL) ? 1 : 42);
}

static void user_namespace(void) {
  in_child(unshare_user);
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  tried(pid, "clone");
  verdict();
}

static void user_namespace_mount(void) {
  in_child(unshare_and_mount);
  verdict();
}

static void other_namespaces(void) {
  const struct {
    int flag;
    const char *name;
  } kinds[] = {{CLONE_NEWNS, "mount"}, {CLONE_NEWNET, "network"}, {CLONE_NEWPID, "process"}, {CLONE_NEWIPC, "IPC"},
               {CLONE_NEWUTS, "name"}, {CLONE_NEWCGROUP, "control group"}};
  for (size_t at = 0; at < sizeof kinds / sizeof *kinds; at++) tried(unshare(kinds[at].flag), "a new %s namespace", kinds[at].name);
  verdict();
}

/* Process 1 here is the pod's own; were it the host's, joining it would be the end. */
static void join_namespaces(void) {
  const char *names[] = {"mnt", "net", "pid", "ipc", "uts", "cgroup", "user", NULL};
  char path[64];
  for (const char **name = names; *name; name++) {
    snprintf(path, sizeof path, "/proc/1/ns/%s", *name);
    int one = open(path, O_RDONLY | O_CLOEXEC);
    tried(one < 0 ? -1 : setns(one, 0), "joining %s of process 1", *name);
    if (one >= 0) close(one);
  }
  verdict();
}

/* Whether a path leads to what the test put on the host. */
static bool sees_canary(const char *root) {
  char path[600];
  snprintf(path, sizeof path, "%s%s", root, arg("canaryFile"));
  return file_holds(path, arg("canaryText"));
}

static void chroot_escape(void) {
  int outside = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!chroot(place()) && !fchdir(outside)) {
    for (int up = 0; up < 64; up++)
      if (chdir("..")) break;
    note("chroot is allowed, and leads back to the pod's own root");
    if (chroot(".")) note("chroot back: %s", strerror(errno));
  } else note("chroot: %s", strerror(errno));
  errno = ENOENT;
  tried(sees_canary("") ? 0 : -1, "a file of the host");
  verdict();
}

static void pivot(void) {
  tried(syscall(SYS_pivot_root, "/", place()), "pivot_root");
  verdict();
}

static void process_root(void) {
  const char *roots[] = {"/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/1/root/../..", "/proc/self/cwd/../../../..", NULL};
  for (const char **root = roots; *root; root++) tried(sees_canary(*root) ? 0 : (errno = ENOENT, -1), "%s", *root);
  for (int file = 3; file < 64; file++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/fd/%d/../../../../../..", file);
    if (sees_canary(path)) tried(0, "a file that process 1 left open");
  }
  verdict();
}

/* Files by their numbers and not by their names, which needs no path that leads there. */
static void file_by_number(void) {
  struct {
    struct file_handle head;
    unsigned inode, generation;
  } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .inode = 2};
  int here = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
  long root = syscall(SYS_open_by_handle_at, here, &handle, O_RDONLY | O_DIRECTORY);
  tried(root < 0 && errno != ESTALE ? -1 : 0, "open_by_handle_at");
  verdict();
}

/* The program that the kernel runs on the host when a control group is empty. */
static void release_agent(void) {
  const char *paths[] = {"/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/rdma/release_agent",
                         "/sys/fs/cgroup/devices/release_agent", NULL};
  for (const char **path = paths; *path; path++) {
    int file = open(*path, O_WRONLY | O_CLOEXEC);
    tried(file, "%s", *path);
    if (file >= 0) close(file);
  }
  try_mount("cgroup", "cgroup", 0, "rdma");
  try_mount("cgroup", "cgroup", 0, "memory");
  try_mount("cgroup2", "cgroup2", 0, NULL);
  verdict();
}

/* Its own limits, which it may read but not change. */
static void own_limits(void) {
  const char *paths[] = {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/memory.max",
                         "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu.max",
                         "/sys/fs/cgroup/devices/devices.allow", "/sys/fs/cgroup/cgroup.procs", NULL};
  for (const char **path = paths; *path; path++) {
    int file = open(*path, O_WRONLY | O_CLOEXEC);
    tried(file, "%s", *path);
    if (file >= 0) close(file);
  }
  verdict();
}

const Attempt ESCAPE[] = {
    {"mount-bind", mount_bind, 0},
    {"mount-kernel", mount_kernel, 0},
    {"mount-overlay", mount_overlay, 0},
    {"mount-tmpfs", mount_tmpfs, 0},
    {"mount-devices", mount_devices, 0},
    {"unmask", unmask, 0},
    {"user-namespace", user_namespace, 0},
    {"user-namespace-mount", user_namespace_mount, 0},
    {"other-namespaces", other_namespaces, 0},
    {"join-namespaces", join_namespaces, 0},
    {"chroot-escape", chroot_escape, 0},
    {"pivot-root", pivot, 0},
    {"process-root", process_root, 0},
    {"file-by-number", file_by_number, 0},
    {"cgroup-release-agent", release_agent, 0},
    {"own-limits", own_limits, 0},
    {0},
};
