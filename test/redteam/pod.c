/*
 * The pod's own machinery: the kit that all pods of the host run from, the files that the executor writes for this pod,
 * and the program that the engine starts in it.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Everything that changes a file or its folder, without changing what it holds. */
static int attack(const char *path, const struct stat *info, int kind, struct FTW *place) {
  char beside[600];
  (void)kind, (void)place;
  if (S_ISDIR(info->st_mode)) {
    snprintf(beside, sizeof beside, "%s/red", path);
    int made = open(beside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (made >= 0) close(made), unlink(beside);
    if (made >= 0 || place->level < 2) tried(made, "creating %s", beside);
    if (!symlink("/etc/shadow", beside)) tried(0, "a link %s", beside), unlink(beside);
    return 0;
  }
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file >= 0) tried(0, "writing %s", path), close(file);
  if (!chmod(path, info->st_mode & 07777)) tried(0, "chmod %s", path);
  if (!utimensat(AT_FDCWD, path, NULL, 0)) tried(0, "touching %s", path);
  if (!setxattr(path, "user.red", "", 0, 0)) tried(0, "setxattr %s", path), removexattr(path, "user.red");
  snprintf(beside, sizeof beside, "%s.red", path);
  if (!link(path, beside)) tried(0, "linking %s", path), unlink(beside);
  return 0;
}

static void kit_write(void) {
  nftw("/.lium/k", attack, 32, FTW_PHYS | FTW_MOUNT);
  verdict();
}

static void kit_remount(void) {
  const char *paths[] = {"/.lium/k", "/.lium/pod", "/.lium/secret", NULL};
  for (const char **path = paths; *path; path++) {
    bool open = tried(mount(NULL, *path, NULL, MS_REMOUNT | MS_BIND, NULL), "remounting %s", *path);
    if (open) mount(NULL, *path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
    tried(mount("tmpfs", *path, "tmpfs", 0, NULL), "covering %s", *path);
  }
  verdict();
}

/* The executor writes these as root on the host while the pod runs: a link in their place would make it write elsewhere. */
static void pod_files(void) {
  const char *paths[] = {"/.lium/pod", "/.lium/pod/.ssh", "/.lium/secret", NULL};
  char aside[100];
  for (const char **path = paths; *path; path++) {
    nftw(*path, attack, 32, FTW_PHYS);
    snprintf(aside, sizeof aside, "%s.aside", *path);
    if (tried(rename(*path, aside), "renaming %s", *path)) rename(aside, *path);
    snprintf(aside, sizeof aside, "%s/red-link", *path);
    if (!symlink("/etc/shadow", aside)) {
      tried(0, "a link in %s", *path);
      unlink(aside);
    }
  }
  verdict();
}

static int look(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)kind, (void)place;
  if (S_ISREG(info->st_mode) && info->st_size < 65536 && file_holds(path, arg("othersSecret"))) tried(0, "%s", path);
  return 0;
}

/* The value of a neighbour's secret, in every file and process that the pod can read. */
static void others_secrets(void) {
  const char *roots[] = {"/.lium", "/run", "/dev/shm", "/etc", "/tmp", "/var", NULL};
  char path[300];
  DIR *list = opendir("/proc");
  struct dirent *entry;
  if (!*arg("othersSecret")) refused("no secret to look for");
  for (const char **root = roots; *root; root++) nftw(*root, look, 32, FTW_PHYS);
  while (list && (entry = readdir(list))) {
    if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid() || atoi(entry->d_name) == getppid()) continue;
    snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
    if (file_holds(path, arg("othersSecret"))) tried(0, "%s", path);
  }
  note("looked for %zu bytes", strlen(arg("othersSecret")));
  verdict();
}

static bool writable(const char *path) {
  struct stat info;
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  int seals = fcntl(file, F_GET_SEALS);
  bool open = !fstat(file, &info) && info.st_nlink > 0 && (seals < 0 || !(seals & F_SEAL_WRITE));
  close(file);
  errno = EPERM;
  return open;
}

/* Process 1 is a program of the engine's, mounted from the host. */
static void init_overwrite(void) {
  const char *paths[] = {"/proc/1/exe", "/sbin/docker-init", "/proc/1/map_files", NULL};
  for (const char **path = paths; *path; path++) tried(writable(*path) ? 0 : -1, "%s", *path);
  verdict();
}

/*
 * CVE-2019-5736: while the engine starts a program in the pod, its own program is a process here. Holds on to every such
 * program until it may be written to. The test makes the engine start programs meanwhile.
 */
static void runtime_overwrite(void) {
  long until = now_ms() + 1000 * number("seconds", 5);
  char path[300], held[64], target[300];
  int caught = 0, closed = 0;
  while (now_ms() < until) {
    DIR *list = opendir("/proc");
    struct dirent *entry;
    while (list && (entry = readdir(list))) {
      if (atoi(entry->d_name) <= getpid()) continue;
      snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
      int file = open(path, O_RDONLY | O_CLOEXEC);
      if (file < 0) {
        if (errno == EACCES || errno == EPERM) closed++;
        continue;
      }
      snprintf(held, sizeof held, "/proc/self/fd/%d", file);
      ssize_t length = readlink(held, target, sizeof target - 1);
      target[length > 0 ? length : 0] = 0;
      if (strstr(target, "runc") || strstr(target, "memfd")) {
        if (!caught++) note("caught %.80s", target);
        for (int again = 0; again < 200 && !writable(held); again++) usleep(1000);
        if (writable(held)) tried(0, "writing %.80s", target);
      }
      close(file);
    }
    closedir(list);
  }
  note("%d times open, %d times closed to us", caught, closed);
  verdict();
}

const Attempt POD[] = {
    {"kit-write", kit_write, 30},
    {"kit-remount", kit_remount, 0},
    {"pod-files", pod_files, 0},
    {"others-secrets", others_secrets, 30},
    {"init-overwrite", init_overwrite, 0},
    {"runtime-overwrite", runtime_overwrite, 60},
    {0},
};
