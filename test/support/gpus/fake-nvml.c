/**
 * A stand-in for NVIDIA's management library, written from its public interface: it answers from the state file that
 * FAKE_NVML_STATE names and reads it again whenever it changes. A device may be lost, need a reset, fail, hang or crash.
 * One line each:
 *   driver 580.105.08            the driver's version
 *   init CODE                    what nvmlInit_v2 returns; "init hang" never returns
 *   gpu INDEX UUID BUSID TOTAL_MIB USED_MIB CELSIUS MILLIWATTS UTIL STATE
 *                                STATE: ok lost reset fail hang crash hang-handle slow
 *   mig GPU INDEX GI CI UUID SLICES MIB
 *   link GPU INDEX ACTIVE gpu|switch BUSID
 *   process GPU PID MIB
 *   field GPU ID VALUE
 *   event SEQUENCE GPU TYPE DATA
 * Build: cc -shared -fPIC -O1 -o libnvidia-ml.so.1 fake-nvml.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMED_OUT = 10, LOST = 15, RESET = 16,
       WRONG_VERSION = 25, UNKNOWN = 999 };
enum { MAX_GPUS = 16, MAX_PARTS = 112, MAX_LINKS = 320, MAX_PROCESSES = 4096, MAX_FIELDS = 64 };

typedef unsigned int u32;
typedef unsigned long long u64;

typedef struct { char uuid[96], bus[32], state[16]; u64 total, used; u32 celsius, power, util; } Gpu;
typedef struct { int gpu; u32 index, gi, ci, slices; char uuid[96]; u64 bytes; } Part;
typedef struct { int gpu; u32 index, active; char kind[8], bus[32]; } Link;
typedef struct { int gpu; u32 pid; u64 bytes; } Process;
typedef struct { int gpu; u32 id; u64 value; } Field;

static struct {
    Gpu gpus[MAX_GPUS]; Part parts[MAX_PARTS]; Link links[MAX_LINKS]; Process processes[MAX_PROCESSES]; Field fields[MAX_FIELDS];
    int gpuCount, partCount, linkCount, processCount, fieldCount, initCode, initHangs;
    char driver[80];
    long eventSequence; int eventGpu; u64 eventType, eventData;
} S;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct timespec seen;
static ino_t seenInode;
static long eventTold;

static void sleepForEver(void) { for (;;) sleep(3600); }

static void readLine(const char *line) {
    Gpu g; Part p; Link l; Process r; Field f; int i; char word[16];
    memset(&g, 0, sizeof g);
    if (sscanf(line, "driver %79s", S.driver) == 1) return;
    if (sscanf(line, "init %15s", word) == 1) { S.initHangs = !strcmp(word, "hang"); S.initCode = atoi(word); return; }
    if (sscanf(line, "gpu %d %95s %31s %llu %llu %u %u %u %15s", &i, g.uuid, g.bus, &g.total, &g.used, &g.celsius, &g.power, &g.util,
               g.state) == 9 && i >= 0 && i < MAX_GPUS) {
        g.total <<= 20; g.used <<= 20; S.gpus[i] = g;
        if (i + 1 > S.gpuCount) S.gpuCount = i + 1;
        return;
    }
    if (sscanf(line, "mig %d %u %u %u %95s %u %llu", &p.gpu, &p.index, &p.gi, &p.ci, p.uuid, &p.slices, &p.bytes) == 7) {
        p.bytes <<= 20;
        if (S.partCount < MAX_PARTS) S.parts[S.partCount++] = p;
        return;
    }
    if (sscanf(line, "link %d %u %u %7s %31s", &l.gpu, &l.index, &l.active, l.kind, l.bus) == 5) {
        if (S.linkCount < MAX_LINKS) S.links[S.linkCount++] = l;
        return;
    }
    if (sscanf(line, "process %d %u %llu", &r.gpu, &r.pid, &r.bytes) == 3) {
        r.bytes <<= 20;
        if (S.processCount < MAX_PROCESSES) S.processes[S.processCount++] = r;
        return;
    }
    if (sscanf(line, "field %d %u %llu", &f.gpu, &f.id, &f.value) == 3) {
        if (S.fieldCount < MAX_FIELDS) S.fields[S.fieldCount++] = f;
        return;
    }
    sscanf(line, "event %ld %d %llu %llu", &S.eventSequence, &S.eventGpu, &S.eventType, &S.eventData);
}

static void load(void) {
    const char *path = getenv("FAKE_NVML_STATE");
    struct stat now;
    char line[512];
    if (!path || stat(path, &now)) return;
    pthread_mutex_lock(&lock);
    if (now.st_mtim.tv_sec != seen.tv_sec || now.st_mtim.tv_nsec != seen.tv_nsec || now.st_ino != seenInode) {
        FILE *file = fopen(path, "r");
        if (file) {
            memset(&S, 0, sizeof S);
            while (fgets(line, sizeof line, file)) readLine(line);
            fclose(file);
            seen = now.st_mtim; seenInode = now.st_ino;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Handles: 1..16 are devices, 100 and up are MIG instances. */
static long gpuOf(void *h) { long n = (long)h; return n >= 100 ? S.parts[n - 100].gpu : n - 1; }
static Part *partOf(void *h) { long n = (long)h; return n >= 100 && n - 100 < S.partCount ? &S.parts[n - 100] : NULL; }

static int check(void *h) {
    load();
    long i = gpuOf(h);
    if (i < 0 || i >= S.gpuCount) return INVALID;
    const char *state = S.gpus[i].state;
    if (!strcmp(state, "lost")) return LOST;
    if (!strcmp(state, "reset")) return RESET;
    if (!strcmp(state, "fail")) return UNKNOWN;
    if (!strcmp(state, "hang") || !strcmp(state, "hang-handle")) sleepForEver();
    if (!strcmp(state, "crash")) *(volatile int *)0 = 1;
    if (!strcmp(state, "slow")) usleep(60000);
    return SUCCESS;
}

#define CHECK(h) do { int code = check(h); if (code) return code; } while (0)
#define GPU(h) (&S.gpus[gpuOf(h)])

static int copyText(char *to, u32 room, const char *text) {
    if (strlen(text) >= room) return TOO_SMALL;
    strcpy(to, text);
    return SUCCESS;
}

int nvmlInit_v2(void) { load(); if (S.initHangs) sleepForEver(); return S.initCode; }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlSystemGetDriverVersion(char *to, u32 room) { load(); return copyText(to, room, S.driver); }
int nvmlSystemGetCudaDriverVersion_v2(int *to) { *to = 13000; return SUCCESS; }
int nvmlDeviceGetCount_v2(u32 *to) { load(); *to = S.gpuCount; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(u32 index, void **to) {
    load();
    if (index >= (u32)S.gpuCount) return INVALID;
    *to = (void *)(long)(index + 1);
    if (!strcmp(S.gpus[index].state, "hang-handle")) sleepForEver();
    return strcmp(S.gpus[index].state, "lost") ? SUCCESS : LOST;
}

int nvmlDeviceGetUUID(void *h, char *to, u32 room) { CHECK(h); Part *p = partOf(h); return copyText(to, room, p ? p->uuid : GPU(h)->uuid); }
int nvmlDeviceGetName(void *h, char *to, u32 room) {
    char name[96]; Part *p = partOf(h);
    CHECK(h);
    if (!p) return copyText(to, room, "NVIDIA H100 80GB HBM3");
    snprintf(name, sizeof name, "NVIDIA H100 80GB HBM3 MIG %ug.%llugb", p->slices, p->bytes >> 30);
    return copyText(to, room, name);
}
int nvmlDeviceGetSerial(void *h, char *to, u32 room) { CHECK(h); return copyText(to, room, "1650000000001"); }
int nvmlDeviceGetVbiosVersion(void *h, char *to, u32 room) { CHECK(h); return copyText(to, room, "96.00.99.00.01"); }
int nvmlDeviceGetMinorNumber(void *h, u32 *to) { CHECK(h); *to = (u32)gpuOf(h); return SUCCESS; }

typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char busId[32]; } Pci;
static void describe(Pci *to, const char *bus) {
    memset(to, 0, sizeof *to);
    to->id = 0x233010DE;
    snprintf(to->busId, sizeof to->busId, "%s", bus);
    sscanf(bus, "%x:%x:%x", &to->domain, &to->bus, &to->device);
}
int nvmlDeviceGetPciInfo_v3(void *h, Pci *to) { CHECK(h); describe(to, GPU(h)->bus); return SUCCESS; }

typedef struct { u32 version; u64 total, reserved, free, used; } Memory2;
int nvmlDeviceGetMemoryInfo_v2(void *h, Memory2 *to) {
    CHECK(h);
    Part *p = partOf(h);
    if (to->version != (sizeof(Memory2) | (2u << 24))) return WRONG_VERSION;
    to->total = p ? p->bytes : GPU(h)->total; to->used = p ? 0 : GPU(h)->used; to->reserved = 480ull << 20;
    to->free = to->total - to->used - to->reserved;
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(void *h, u32 to[2]) {
    CHECK(h);
    for (int i = 0; i < S.partCount; i++) if (S.parts[i].gpu == gpuOf(h)) return NOT_SUPPORTED;
    to[0] = GPU(h)->util; to[1] = GPU(h)->util / 2;
    return SUCCESS;
}
int nvmlDeviceGetTemperature(void *h, int sensor, u32 *to) { CHECK(h); *to = GPU(h)->celsius; return sensor ? INVALID : SUCCESS; }
int nvmlDeviceGetTemperatureThreshold(void *h, u32 which, u32 *to) { CHECK(h); *to = 90 + which; return SUCCESS; }
int nvmlDeviceGetFanSpeed(void *h, u32 *to) { CHECK(h); return NOT_SUPPORTED; }
int nvmlDeviceGetPowerUsage(void *h, u32 *to) { CHECK(h); *to = GPU(h)->power; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(void *h, u32 *to) { CHECK(h); *to = 700000; return SUCCESS; }
int nvmlDeviceGetPowerManagementDefaultLimit(void *h, u32 *to) { CHECK(h); *to = 700000; return SUCCESS; }
int nvmlDeviceGetTotalEnergyConsumption(void *h, u64 *to) { CHECK(h); *to = 123456789; return SUCCESS; }
int nvmlDeviceGetClockInfo(void *h, u32 which, u32 *to) { CHECK(h); *to = which == 2 ? 2619 : 345; return SUCCESS; }
int nvmlDeviceGetMaxClockInfo(void *h, u32 which, u32 *to) { CHECK(h); *to = which == 2 ? 2619 : 1980; return SUCCESS; }
int nvmlDeviceGetPerformanceState(void *h, u32 *to) { CHECK(h); *to = 0; return SUCCESS; }
int nvmlDeviceGetCurrentClocksEventReasons(void *h, u64 *to) { CHECK(h); *to = GPU(h)->util ? 4 : 1; return SUCCESS; }

typedef struct { u32 id, scope; long long time, latency; u32 type, code; u64 value; } FieldValue;
int nvmlDeviceGetFieldValues(void *h, u32 count, FieldValue *to) {
    CHECK(h);
    for (u32 i = 0; i < count; i++) {
        to[i].code = NOT_SUPPORTED;
        for (int f = 0; f < S.fieldCount; f++) {
            if (S.fields[f].gpu != gpuOf(h) || S.fields[f].id != to[i].id) continue;
            to[i].code = SUCCESS; to[i].type = 3; to[i].value = S.fields[f].value;
        }
    }
    return SUCCESS;
}

int nvmlDeviceGetEccMode(void *h, u32 *now, u32 *next) { CHECK(h); *now = *next = 1; return SUCCESS; }
int nvmlDeviceGetTotalEccErrors(void *h, u32 type, u32 counter, u64 *to) { CHECK(h); *to = type ? 0 : 2 + counter; return SUCCESS; }
int nvmlDeviceGetRemappedRows(void *h, u32 *corr, u32 *unc, u32 *pending, u32 *failed) { CHECK(h); *corr = 1; *unc = *pending = *failed = 0; return SUCCESS; }
int nvmlDeviceGetRowRemapperHistogram(void *h, u32 to[5]) { CHECK(h); memset(to, 0, 20); to[0] = 2560; return SUCCESS; }
int nvmlDeviceGetRetiredPages(void *h, u32 cause, u32 *count, u64 *to) { CHECK(h); return NOT_SUPPORTED; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *h, u32 *to) { CHECK(h); *to = 5; return SUCCESS; }
int nvmlDeviceGetCurrPcieLinkWidth(void *h, u32 *to) { CHECK(h); *to = 16; return SUCCESS; }
int nvmlDeviceGetMaxPcieLinkGeneration(void *h, u32 *to) { CHECK(h); *to = 5; return SUCCESS; }
int nvmlDeviceGetMaxPcieLinkWidth(void *h, u32 *to) { CHECK(h); *to = 16; return SUCCESS; }
int nvmlDeviceGetPcieReplayCounter(void *h, u32 *to) { CHECK(h); *to = 150; return SUCCESS; }

static Link *linkOf(void *h, u32 index) {
    for (int i = 0; i < S.linkCount; i++) if (S.links[i].gpu == gpuOf(h) && S.links[i].index == index) return &S.links[i];
    return NULL;
}
int nvmlDeviceGetNvLinkState(void *h, u32 index, u32 *to) {
    CHECK(h);
    Link *l = linkOf(h, index);
    if (!l) return index ? INVALID : NOT_SUPPORTED;
    *to = l->active;
    return SUCCESS;
}
int nvmlDeviceGetNvLinkRemoteDeviceType(void *h, u32 index, u32 *to) { CHECK(h); Link *l = linkOf(h, index); if (!l) return INVALID; *to = strcmp(l->kind, "gpu") ? 2 : 0; return SUCCESS; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *h, u32 index, Pci *to) { CHECK(h); Link *l = linkOf(h, index); if (!l) return INVALID; describe(to, l->bus); return SUCCESS; }
int nvmlDeviceGetNvLinkErrorCounter(void *h, u32 index, u32 which, u64 *to) { CHECK(h); *to = 0; return SUCCESS; }

typedef struct { u32 version; unsigned char cluster[16]; u32 status, clique; unsigned char state; u32 mask; unsigned char health; } Fabric;
int nvmlDeviceGetGpuFabricInfoV(void *h, Fabric *to) {
    CHECK(h);
    if (to->version != (sizeof(Fabric) | (3u << 24))) return WRONG_VERSION;
    Link *l = linkOf(h, 0);
    if (!l || !strcmp(l->kind, "gpu")) return NOT_SUPPORTED;
    to->state = 3; to->health = 1;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(void *h, u32 *now, u32 *next) {
    CHECK(h);
    *now = *next = 0;
    for (int i = 0; i < S.partCount; i++) if (S.parts[i].gpu == gpuOf(h)) *now = *next = 1;
    return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(void *h, u32 *to) { CHECK(h); *to = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *h, u32 index, void **to) {
    CHECK(h);
    for (int i = 0; i < S.partCount; i++) if (S.parts[i].gpu == gpuOf(h) && S.parts[i].index == index) { *to = (void *)(long)(100 + i); return SUCCESS; }
    return NOT_FOUND;
}
int nvmlDeviceGetGpuInstanceId(void *h, u32 *to) { CHECK(h); Part *p = partOf(h); if (!p) return INVALID; *to = p->gi; return SUCCESS; }
int nvmlDeviceGetComputeInstanceId(void *h, u32 *to) { CHECK(h); Part *p = partOf(h); if (!p) return INVALID; *to = p->ci; return SUCCESS; }
typedef struct { u32 counts[6], gpuSlices, computeSlices; u64 mib; } Attributes;
int nvmlDeviceGetAttributes_v2(void *h, Attributes *to) {
    CHECK(h);
    Part *p = partOf(h);
    if (!p) return INVALID;
    memset(to, 0, sizeof *to);
    to->gpuSlices = to->computeSlices = p->slices; to->mib = p->bytes >> 20;
    return SUCCESS;
}

typedef struct { u32 pid; u64 bytes; u32 gi, ci; } ProcessInfo;
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, u32 *count, ProcessInfo *to) {
    CHECK(h);
    u32 need = 0;
    for (int i = 0; i < S.processCount; i++) if (S.processes[i].gpu == gpuOf(h)) need++;
    u32 room = *count, at = 0;
    *count = need;
    if (need > room) return TOO_SMALL;
    for (int i = 0; i < S.processCount; i++) {
        if (S.processes[i].gpu != gpuOf(h)) continue;
        to[at].pid = S.processes[i].pid; to[at].bytes = S.processes[i].bytes;
        to[at].gi = to[at].ci = 0xffffffffu;
        at++;
    }
    return SUCCESS;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *h, u32 *count, ProcessInfo *to) { CHECK(h); *count = 0; return SUCCESS; }
int nvmlDeviceGetPersistenceMode(void *h, u32 *to) { CHECK(h); *to = 1; return SUCCESS; }

int nvmlEventSetCreate(void **to) { *to = (void *)0x77; return SUCCESS; }
int nvmlDeviceGetSupportedEventTypes(void *h, u64 *to) { CHECK(h); *to = 0xf; return SUCCESS; }
int nvmlDeviceRegisterEvents(void *h, u64 types, void *set) { return check(h); }
typedef struct { void *device; u64 type, data; u32 gi, ci; } Event;
/* Sleeps in the kernel until the state file's folder changes, as a driver's own wait costs nothing either. */
static void sleepUntilChange(u32 ms) {
    static int watch = -1;
    char folder[512], events[4096], *slash;
    if (watch < 0) {
        snprintf(folder, sizeof folder, "%s", getenv("FAKE_NVML_STATE"));
        if ((slash = strrchr(folder, '/'))) *slash = 0;
        watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        inotify_add_watch(watch, folder, IN_MOVED_TO | IN_CLOSE_WRITE);
        return;
    }
    struct pollfd ready = { watch, POLLIN, 0 };
    if (poll(&ready, 1, (int)ms) > 0) while (read(watch, events, sizeof events) > 0) ;
}
int nvmlEventSetWait_v2(void *set, Event *to, u32 ms) {
    struct timespec now, begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (;;) {
        load();
        if (S.eventSequence > eventTold) {
            eventTold = S.eventSequence;
            to->device = (void *)(long)(S.eventGpu + 1); to->type = S.eventType; to->data = S.eventData;
            to->gi = to->ci = 0xffffffffu;
            return SUCCESS;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        long waited = (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000;
        if (waited >= (long)ms) return TIMED_OUT;
        sleepUntilChange(ms - (u32)waited);
    }
}
