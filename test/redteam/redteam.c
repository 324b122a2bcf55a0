/*
 * A renter with root in a pod who wants out. Prints one line of JSON for each attempt:
 * {"attempt": NAME, "outcome": "refused" | "succeeded" | "limited" | "unclear", "detail": TEXT}
 *
 *   redteam list                       the names of all attempts
 *   redteam run [NAME=VALUE...]        all of them, or those in only=A,B
 *   redteam serve PORT                 sends back what it is sent: the neighbour whose latency is measured
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USUAL_SECONDS 10

static const Attempt *const GROUPS[] = {NETWORK, HOST, KERNEL, ESCAPE, RESOURCES, POD, NULL};
static char **arguments;
static const char *current;
static char tale[3000];
static int successes;

const char *arg(const char *name) {
  size_t length = strlen(name);
  for (char **at = arguments; at && *at; at++)
    if (!strncmp(*at, name, length) && (*at)[length] == '=') return *at + length + 1;
  return "";
}

long number(const char *name, long otherwise) {
  const char *text = arg(name);
  return *text ? atol(text) : otherwise;
}

void each(const char *name, void (*use)(const char *part)) {
  char copy[4096], *rest = copy, *part;
  snprintf(copy, sizeof copy, "%s", arg(name));
  while ((part = strsep(&rest, ",")))
    if (*part) use(part);
}

static void print_line(const char *outcome, const char *detail) {
  char line[2 * sizeof tale + 400];
  int at = snprintf(line, sizeof line, "{\"attempt\":\"%s\",\"outcome\":\"%s\",\"detail\":\"", current, outcome);
  for (; *detail; detail++) {
    unsigned char c = (unsigned char)*detail;
    if (c == '"' || c == '\\') line[at++] = '\\';
    line[at++] = (c < 32 || c > 126) ? ' ' : (char)c;
  }
  at += snprintf(line + at, sizeof line - at, "\"}\n");
  if (write(STDOUT_FILENO, line, at) != at) _exit(2);
}

#define SAY(outcome)                              \
  va_list list;                                   \
  char text[sizeof tale];                         \
  va_start(list, format);                         \
  vsnprintf(text, sizeof text, format, list);     \
  va_end(list);                                   \
  print_line(outcome, text);                      \
  _exit(0)

void refused(const char *format, ...) { SAY("refused"); }
void succeeded(const char *format, ...) { SAY("succeeded"); }
void limited(const char *format, ...) { SAY("limited"); }

static void add(const char *text) {
  size_t at = strlen(tale);
  snprintf(tale + at, sizeof tale - at, "%s%s", at ? "; " : "", text);
}

bool tried(long result, const char *format, ...) {
  int why = errno;
  char what[300], text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(what, sizeof what, format, list);
  va_end(list);
  snprintf(text, sizeof text, "%s: %s", what, result >= 0 ? "SUCCEEDED" : strerror(why));
  add(text);
  if (result >= 0) successes++;
  return result >= 0;
}

void note(const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  add(text);
}

void verdict(void) {
  print_line(successes ? "succeeded" : "refused", tale);
  _exit(0);
}

bool file_holds(const char *path, const char *text) {
  char buffer[65536];
  if (!*text) return false;
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, buffer, sizeof buffer);
  close(file);
  return length > 0 && memmem(buffer, (size_t)length, text, strlen(text)) != NULL;
}

long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whatever an attempt left running: the next one must find a pod at rest. */
static void clear_away(pid_t group) {
  long until = now_ms() + 3000;
  kill(-group, SIGKILL);
  while (now_ms() < until) {
    pid_t ended = waitpid(-1, NULL, WNOHANG);
    if (ended < 0) return;
    if (ended == 0) usleep(1000);
  }
}

pid_t fork_or_end(void) {
  pid_t child = fork();
  if (child < 0) {
    print_line("unclear", "no process could be made for it");
    _exit(0);
  }
  return child;
}

static void carry_out(const Attempt *attempt) {
  int status;
  long until = now_ms() + 1000L * (attempt->seconds ? attempt->seconds : USUAL_SECONDS);
  current = attempt->name;
  pid_t child = fork();
  if (child < 0) return print_line("unclear", strerror(errno));
  if (child == 0) {
    setpgid(0, 0);
    attempt->run();
    print_line("unclear", "the attempt said nothing");
    _exit(0);
  }
  setpgid(child, child);
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (now_ms() > until) {
      clear_away(child);
      return print_line("unclear", "it took longer than its time limit");
    }
    usleep(2000);
  }
  clear_away(child);
  char text[80];
  snprintf(text, sizeof text, "the attempt ended by signal %d", WTERMSIG(status));
  if (WIFSIGNALED(status)) print_line("unclear", text);
}

static bool wanted(const char *name) {
  char list[4096], needle[200];
  if (!*arg("only")) return true;
  snprintf(list, sizeof list, ",%s,", arg("only"));
  snprintf(needle, sizeof needle, ",%s,", name);
  return strstr(list, needle) != NULL;
}

/* One process for all connections, so that an answer costs as little as it can. */
static int serve(int port) {
  struct pollfd open[64] = {0};
  int count = 1, yes = 1;
  char bytes[4096];
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  open[0] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
  setsockopt(open[0].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(open[0].fd, (struct sockaddr *)&any, sizeof any) || listen(open[0].fd, 64)) return perror("serve"), 1;
  for (;;) {
    poll(open, (nfds_t)count, -1);
    if (open[0].revents && count < 64) open[count++] = (struct pollfd){.fd = accept(open[0].fd, NULL, NULL), .events = POLLIN};
    for (int at = 1; at < count; at++) {
      if (!open[at].revents) continue;
      ssize_t length = read(open[at].fd, bytes, sizeof bytes);
      if (length > 0 && write(open[at].fd, bytes, (size_t)length) == length) continue;
      close(open[at].fd);
      open[at--] = open[--count];
    }
  }
}

int main(int count, char **words) {
  bool list = count > 1 && !strcmp(words[1], "list");
  if (count > 2 && !strcmp(words[1], "serve")) return serve(atoi(words[2]));
  if (!list && (count < 2 || strcmp(words[1], "run"))) return fprintf(stderr, "redteam list | run | serve\n"), 64;
  arguments = words + 2;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int group = 0; GROUPS[group]; group++)
    for (const Attempt *attempt = GROUPS[group]; attempt->name; attempt++) {
      if (list) puts(attempt->name);
      else if (wanted(attempt->name)) carry_out(attempt);
    }
  return 0;
}
