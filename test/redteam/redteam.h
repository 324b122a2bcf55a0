/*
 * What every attempt of the red team uses. An attempt is a function that runs in a process of its own and says what came
 * of it, once, with one of refused(), succeeded(), limited() or verdict(). Each must be harmless where it succeeds.
 */
#ifndef REDTEAM_H
#define REDTEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
  const char *name;
  void (*run)(void);
  int seconds; /* its time limit; 0 stands for the usual one */
} Attempt;

extern const Attempt NETWORK[], HOST[], KERNEL[], ESCAPE[], RESOURCES[], POD[];

/* The value of NAME=VALUE on the command line; "" when it was not given. */
const char *arg(const char *name);
long number(const char *name, long otherwise);
/* Calls `use` with each part of a comma-separated argument. */
void each(const char *name, void (*use)(const char *part));

/* Each ends the attempt. */
void refused(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void succeeded(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void limited(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Notes one try: a result of 0 or more is a success, else errno says why it failed. Returns whether it succeeded. */
bool tried(long result, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds to the detail without changing the outcome. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Succeeded when any try did, refused otherwise; the detail names them. */
void verdict(void) __attribute__((noreturn));

/* As fork(), but ends the attempt where no process can be made. */
pid_t fork_or_end(void);
/* Whether the first 64 KiB of a file hold `text`. */
bool file_holds(const char *path, const char *text);
/* Milliseconds on a clock that never jumps. */
long now_ms(void);

#endif
