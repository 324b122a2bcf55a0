/*
 * What belongs to the host and lies within a pod's reach as a file: the engine's socket, devices, and the kernel's own
 * files. What can be opened is closed again; nothing is written but what was there before.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static long open_and_close(const char *path, int flags) {
  int file = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return -1;
  close(file);
  return 0;
}

/* Sockets that are the pod's own. */
static bool is_own(const char *path) { return !strncmp(path, "/.lium/run/", 11) || !strncmp(path, "/tmp/", 5); }

static int knock(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)kind, (void)place;
  if (!S_ISSOCK(info->st_mode) || is_own(path)) return 0;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  tried(connect(peer, (struct sockaddr *)&name, sizeof name), "%.90s", path);
  close(peer);
  return 0;
}

/* Looks on every file system but /proc and /sys, where no socket can be. */
static void docker_socket(void) {
  const char *roots[] = {"/.lium", "/dev", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/usr", "/var", NULL};
  const char *known[] = {"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", NULL};
  for (const char **path = known; *path; path++) tried(access(*path, F_OK), "%s", *path);
  for (const char **root = roots; *root; root++) nftw(*root, knock, 32, FTW_PHYS);
  verdict();
}

/* Makes a node of its own and reads a few bytes through it. */
static void through_node(const char *name, mode_t kind, unsigned major, unsigned minor) {
  char path[64], bytes[512];
  int made = 0;
  snprintf(path, sizeof path, "/tmp/red-%s", name);
  if (mknod(path, kind | 0600, makedev(major, minor)) == 0) made = 1;
  else tried(-1, "mknod %s", name);
  if (!made) return;
  note("mknod %s made a node", name);
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (tried(file, "opening %s", name)) {
    if (S_ISBLK(kind)) tried(read(file, bytes, sizeof bytes), "reading %s", name);
    close(file);
  }
  unlink(path);
}

/* Every disk that the kernel lists, which it does for pods too. */
static void block_device(void) {
  DIR *disks = opendir("/sys/class/block");
  struct dirent *entry;
  char path[400], text[64];
  int seen = 0;
  mkdir("/tmp", 01777);
  while (disks && (entry = readdir(disks)) && seen < 12) {
    unsigned major, minor;
    snprintf(path, sizeof path, "/sys/class/block/%s/dev", entry->d_name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    if (sscanf(text, "%u:%u", &major, &minor) == 2) through_node(entry->d_name, S_IFBLK, major, minor), seen++;
  }
  if (!seen) through_node("sda", S_IFBLK, 8, 0), through_node("loop0", S_IFBLK, 7, 0);
  verdict();
}

static void character_device(void) {
  mkdir("/tmp", 01777);
  through_node("mem", S_IFCHR, 1, 1);
  through_node("port", S_IFCHR, 1, 4);
  through_node("kmsg", S_IFCHR, 1, 11);
  through_node("fuse", S_IFCHR, 10, 229);
  through_node("kvm", S_IFCHR, 10, 232);
  through_node("nvidia0", S_IFCHR, 195, 0);
  through_node("nvidiactl", S_IFCHR, 195, 255);
  through_node("dri-card0", S_IFCHR, 226, 0);
  through_node("ttyS0", S_IFCHR, 4, 64);
  verdict();
}

/* Nodes that every container has, and those that the test says are this pod's own. */
static bool is_usual(const char *name) {
  const char *usual[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", NULL};
  for (const char **at = usual; *at; at++)
    if (!strcmp(name, *at)) return true;
  char list[2000], needle[300];
  snprintf(list, sizeof list, ",%s,", arg("ownDevices"));
  snprintf(needle, sizeof needle, ",%s,", name);
  return strstr(list, needle) != NULL;
}

static int open_node(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)kind;
  if (!S_ISCHR(info->st_mode) && !S_ISBLK(info->st_mode)) return 0;
  if (is_usual(path + place->base) || !strncmp(path, "/dev/pts/", 9)) return 0;
  tried(open_and_close(path, O_RDONLY), "%.90s", path);
  return 0;
}

static void device_nodes(void) {
  const char *known[] = {"/dev/mem",   "/dev/kmsg",      "/dev/sda",      "/dev/vda", "/dev/nvme0n1", "/dev/nvidia0",
                         "/dev/loop0", "/dev/nvidiactl", "/dev/dri/card0", "/dev/fuse", "/dev/kvm",    "/dev/loop-control", NULL};
  for (const char **path = known; *path; path++)
    if (!is_usual(*path + 5)) tried(open_and_close(*path, O_RDONLY), "%s", *path);
  nftw("/dev", open_node, 32, FTW_PHYS);
  verdict();
}

/* Files of /proc and /sys that act on the whole host. Opening for writing is enough to know. */
static void proc_and_sys(void) {
  const char *paths[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
                         "/proc/sys/kernel/panic", "/proc/sys/fs/inotify/max_user_instances", "/proc/sys/kernel/hostname",
                         "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/irq/0/smp_affinity",
                         "/proc/mtrr", "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/ksm/run",
                         "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/devices/system/cpu/cpu1/online",
                         "/sys/module/nf_conntrack/parameters/hashsize", "/sys/bus/pci/rescan", NULL};
  for (const char **path = paths; *path; path++)
    if (!access(*path, F_OK)) tried(open_and_close(*path, O_WRONLY), "%s", *path);
  verdict();
}

static void sysrq_trigger(void) {
  tried(open_and_close("/proc/sysrq-trigger", O_WRONLY), "/proc/sysrq-trigger");
  verdict();
}

static void kernel_memory(void) {
  const char *paths[] = {"/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/timer_list", "/sys/firmware/dmi/tables/DMI",
                         "/sys/kernel/debug/sched", "/sys/kernel/tracing/trace", NULL};
  char bytes[256];
  for (const char **path = paths; *path; path++) {
    int file = open(*path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, bytes, sizeof bytes);
    /* The masked ones are empty, and addresses that are all zeros tell nothing. */
    if (length > 0 && !(strstr(*path, "kallsyms") && !strncmp(bytes, "0000000000000000", 16))) tried(length, "%s", *path);
    else note("%s: %s", *path, file < 0 ? strerror(errno) : "empty");
    if (file >= 0) close(file);
  }
  verdict();
}

/* Characters typed into a terminal that somebody else sits at. */
static void terminal_injection(void) {
  const char *paths[] = {"/dev/console", "/dev/tty", "/dev/tty1", "/proc/1/fd/0", NULL};
  char bytes[] = " ";
  for (const char **path = paths; *path; path++) {
    int file = open(*path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    tried(file < 0 ? -1 : ioctl(file, TIOCSTI, bytes), "TIOCSTI on %s", *path);
    if (file >= 0) close(file);
  }
  verdict();
}

const Attempt HOST[] = {
    {"docker-socket", docker_socket, 30},
    {"block-device", block_device, 0},
    {"character-device", character_device, 0},
    {"device-nodes", device_nodes, 0},
    {"proc-and-sys", proc_and_sys, 0},
    {"sysrq-trigger", sysrq_trigger, 0},
    {"kernel-memory", kernel_memory, 0},
    {"terminal-injection", terminal_injection, 0},
    {0},
};
