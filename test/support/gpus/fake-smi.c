/**
 * A stand-in for nvidia-smi that does what the real one must do at the least: it loads the management library that
 * FAKE_NVML_LIBRARY names, asks it for every device and prints. Of what that library does not tell it prints what a driver
 * without it would. What the real tool does besides, above all the driver's own work when a program attaches to it, is left
 * out, so that it costs less than the real one.
 *   -q -x                        the whole log as XML, with the elements of the 580 branch
 *   --query-gpu=A,B,... --format=csv,noheader,nounits
 *   --query-compute-apps=gpu_uuid,pid,used_memory --format=csv,noheader,nounits
 *   --help-query-gpu             the names that --query-gpu knows
 * Build: cc -O1 -o nvidia-smi fake-smi.c -ldl
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u32;
typedef unsigned long long u64;
typedef int (*Call)(void *, void *, void *, void *, void *);

static void *library;

static int ask(const char *name, void *h, void *a, void *b, void *c, void *d) {
    Call call = (Call)dlsym(library, name);
    return call ? call(h, a, b, c, d) : 13;
}
static const char *number(char *to, const char *name, void *h, double scale, const char *unit) {
    u32 value = 0;
    if (ask(name, h, &value, 0, 0, 0)) return "N/A";
    snprintf(to, 32, scale == 1 ? "%.0f%s" : "%.2f%s", value * scale, unit);
    return to;
}
static const char *second(char *to, const char *name, void *h, long which, const char *unit) {
    u64 value = 0;
    if (ask(name, h, (void *)which, &value, 0, 0)) return "N/A";
    snprintf(to, 32, "%u%s", (u32)value, unit);
    return to;
}
static const char *errors(char *to, void *h, long type, long counter) {
    u64 value = 0;
    if (ask("nvmlDeviceGetTotalEccErrors", h, (void *)type, (void *)counter, &value, 0)) return "N/A";
    snprintf(to, 32, "%llu", value);
    return to;
}

typedef struct {
    void *handle;
    char uuid[96], name[96], serial[32], vbios[40], bus[32], minor[32], fan[32], state[32], temp[32], draw[32], limit[32],
        preset[32], sm[32], mem[32], maxSm[32], maxMem[32], gen[32], width[32], maxGen[32], maxWidth[32], replays[32],
        util[32], memUtil[32], corrected[2][32], uncorrected[2][32], remapped[4][32], mig[2][16], ecc[2][16];
    u64 memory[5], reasons;
    u32 index;
} Device;

static void put(char *to, const char *text) { snprintf(to, 32, "%s", text); }

static void readDevice(Device *d) {
    char n[32], pci[68] = { 0 };
    u32 pair[2] = { 0 }, rows[4] = { 0 };
    void *h = d->handle;
    const char *onOff[2] = { "Disabled", "Enabled" };
    ask("nvmlDeviceGetUUID", h, d->uuid, (void *)96, 0, 0);
    ask("nvmlDeviceGetName", h, d->name, (void *)96, 0, 0);
    ask("nvmlDeviceGetSerial", h, d->serial, (void *)30, 0, 0);
    ask("nvmlDeviceGetVbiosVersion", h, d->vbios, (void *)32, 0, 0);
    ask("nvmlDeviceGetPciInfo_v3", h, pci, 0, 0, 0);
    snprintf(d->bus, sizeof d->bus, "%s", pci + 36);
    d->memory[0] = 40 | 2 << 24;
    ask("nvmlDeviceGetMemoryInfo_v2", h, d->memory, 0, 0, 0);
    put(d->minor, number(n, "nvmlDeviceGetMinorNumber", h, 1, ""));
    put(d->fan, number(n, "nvmlDeviceGetFanSpeed", h, 1, ""));
    put(d->state, number(n, "nvmlDeviceGetPerformanceState", h, 1, ""));
    put(d->temp, second(n, "nvmlDeviceGetTemperature", h, 0, ""));
    put(d->draw, number(n, "nvmlDeviceGetPowerUsage", h, 0.001, ""));
    put(d->limit, number(n, "nvmlDeviceGetEnforcedPowerLimit", h, 0.001, ""));
    put(d->preset, number(n, "nvmlDeviceGetPowerManagementDefaultLimit", h, 0.001, ""));
    put(d->sm, second(n, "nvmlDeviceGetClockInfo", h, 1, ""));
    put(d->mem, second(n, "nvmlDeviceGetClockInfo", h, 2, ""));
    put(d->maxSm, second(n, "nvmlDeviceGetMaxClockInfo", h, 1, ""));
    put(d->maxMem, second(n, "nvmlDeviceGetMaxClockInfo", h, 2, ""));
    put(d->gen, number(n, "nvmlDeviceGetCurrPcieLinkGeneration", h, 1, ""));
    put(d->width, number(n, "nvmlDeviceGetCurrPcieLinkWidth", h, 1, ""));
    put(d->maxGen, number(n, "nvmlDeviceGetMaxPcieLinkGeneration", h, 1, ""));
    put(d->maxWidth, number(n, "nvmlDeviceGetMaxPcieLinkWidth", h, 1, ""));
    put(d->replays, number(n, "nvmlDeviceGetPcieReplayCounter", h, 1, ""));
    ask("nvmlDeviceGetUtilizationRates", h, pair, 0, 0, 0);
    snprintf(d->util, 32, "%u", pair[0]);
    snprintf(d->memUtil, 32, "%u", pair[1]);
    for (long counter = 0; counter < 2; counter++) {
        put(d->corrected[counter], errors(n, h, 0, counter));
        put(d->uncorrected[counter], errors(n, h, 1, counter));
    }
    ask("nvmlDeviceGetRemappedRows", h, &rows[0], &rows[1], &rows[2], &rows[3]);
    for (int i = 0; i < 4; i++) snprintf(d->remapped[i], 32, i < 2 ? "%u" : rows[i] ? "Yes" : "No", rows[i]);
    for (int i = 0; i < 2; i++) { snprintf(d->mig[i], 16, "N/A"); snprintf(d->ecc[i], 16, "N/A"); }
    if (!ask("nvmlDeviceGetMigMode", h, &pair[0], &pair[1], 0, 0))
        for (int i = 0; i < 2; i++) snprintf(d->mig[i], 16, "%s", onOff[pair[i] & 1]);
    if (!ask("nvmlDeviceGetEccMode", h, &pair[0], &pair[1], 0, 0))
        for (int i = 0; i < 2; i++) snprintf(d->ecc[i], 16, "%s", onOff[pair[i] & 1]);
    ask("nvmlDeviceGetCurrentClocksEventReasons", h, &d->reasons, 0, 0, 0);
}

static const char *mib(char *to, u64 bytes) { snprintf(to, 32, "%llu", bytes >> 20); return to; }

/* Elements as `name=value`, sections as `name{` and `}`; `-` is N/A. */
static void xml(const char *text) {
    char open[32][64];
    int depth = 0;
    while (*text) {
        char name[64];
        size_t length = strcspn(text, "={}");
        if (*text == '}') { depth--; printf("%*s</%s>\n", depth + 2, "", open[depth]); text += 2; continue; }
        memcpy(name, text, length); name[length] = 0;
        text += length;
        if (*text == '{') { printf("%*s<%s>\n", depth + 2, "", name); strcpy(open[depth++], name); text += 2; continue; }
        length = strcspn(++text, ";");
        if (length == 1 && *text == '-') printf("%*s<%s>N/A</%s>\n", depth + 2, "", name, name);
        else printf("%*s<%s>%.*s</%s>\n", depth + 2, "", name, (int)length, text, name);
        text += length + 1;
    }
}

#include "fake-smi-log.h"

static void printLog(Device *all, u32 count, const char *driver) {
    printf("<?xml version=\"1.0\" ?>\n<nvidia_smi_log>\n\t<driver_version>%s</driver_version>\n", driver);
    printf("\t<cuda_version>13.0</cuda_version>\n\t<attached_gpus>%u</attached_gpus>\n", count);
    for (u32 i = 0; i < count; i++) {
        printf("\t<gpu id=\"%s\">\n", all[i].bus);
        printDevice(&all[i]);
        printf("\t</gpu>\n");
    }
    printf("</nvidia_smi_log>\n");
}

static const char *column(Device *d, const char *name, const char *driver, char *n) {
    struct { const char *name, *value; } known[] = {
        { "uuid", d->uuid }, { "pci.bus_id", d->bus }, { "name", d->name }, { "serial", d->serial }, { "driver_version", driver },
        { "vbios_version", d->vbios }, { "temperature.gpu", d->temp }, { "fan.speed", d->fan }, { "power.draw", d->draw },
        { "enforced.power.limit", d->limit }, { "power.default_limit", d->preset }, { "clocks.current.sm", d->sm },
        { "clocks.current.memory", d->mem }, { "clocks.max.sm", d->maxSm }, { "clocks.max.memory", d->maxMem },
        { "utilization.gpu", d->util }, { "utilization.memory", d->memUtil }, { "ecc.mode.current", d->ecc[0] },
        { "ecc.mode.pending", d->ecc[1] }, { "ecc.errors.corrected.volatile.total", d->corrected[0] },
        { "ecc.errors.uncorrected.volatile.total", d->uncorrected[0] }, { "mig.mode.current", d->mig[0] },
        { "ecc.errors.corrected.aggregate.total", d->corrected[1] }, { "remapped_rows.correctable", d->remapped[0] },
        { "ecc.errors.uncorrected.aggregate.total", d->uncorrected[1] }, { "remapped_rows.uncorrectable", d->remapped[1] },
        { "remapped_rows.pending", d->remapped[2] }, { "remapped_rows.failure", d->remapped[3] },
        { "pcie.link.gen.current", d->gen }, { "pcie.link.gen.max", d->maxGen }, { "pcie.link.width.current", d->width },
        { "pcie.link.width.max", d->maxWidth }, { "memory.total", 0 }, { "memory.reserved", 0 }, { "memory.free", 0 },
        { "memory.used", 0 }, { "index", 0 }, { "pstate", 0 }, { "persistence_mode", "Enabled" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!d->handle) { printf("\"%s\"\n", known[i].name); continue; }
        if (strcmp(known[i].name, name)) continue;
        if (known[i].value) return known[i].value;
        if (!strcmp(name, "index")) { snprintf(n, 32, "%u", d->index); return n; }
        if (!strcmp(name, "pstate")) { snprintf(n, 32, "P%.8s", d->state); return n; }
        return mib(n, d->memory[i - 31]);
    }
    return "[N/A]";
}

static void printRows(Device *all, u32 count, const char *columns, const char *driver) {
    for (u32 i = 0; i < count; i++) {
        char list[2048], n[32], *rest = list, *name;
        snprintf(list, sizeof list, "%s", columns);
        for (int first = 1; (name = strsep(&rest, ",")); first = 0)
            printf("%s%s", first ? "" : ", ", column(&all[i], name, driver, n));
        printf("\n");
    }
}

static void printProcesses(Device *all, u32 count) {
    struct { u32 pid; u64 bytes; u32 gi, ci; } list[4096];
    for (u32 i = 0; i < count; i++) {
        u32 found = 4096;
        if (ask("nvmlDeviceGetComputeRunningProcesses_v3", all[i].handle, &found, list, 0, 0)) continue;
        for (u32 at = 0; at < found; at++) printf("%s, %u, %llu\n", all[i].uuid, list[at].pid, list[at].bytes >> 20);
    }
}

int main(int argc, char **argv) {
    static Device all[16];
    char driver[80] = "", n[32];
    u32 count = 0;
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "--help-query-gpu")) { column(&all[0], "", "", n); return 0; }
    library = dlopen(getenv("FAKE_NVML_LIBRARY"), RTLD_NOW);
    if (!library || ask("nvmlInit_v2", 0, 0, 0, 0, 0)) return 9;
    ask("nvmlSystemGetDriverVersion", driver, (void *)80, 0, 0, 0);
    ask("nvmlDeviceGetCount_v2", &count, 0, 0, 0, 0);
    for (u32 i = 0; i < count && i < 16; i++) {
        all[i].index = i;
        ask("nvmlDeviceGetHandleByIndex_v2", (void *)(long)i, &all[i].handle, 0, 0, 0);
        if (strncmp(what, "--query-compute", 15)) readDevice(&all[i]);
        else ask("nvmlDeviceGetUUID", all[i].handle, all[i].uuid, (void *)96, 0, 0);
    }
    if (!strncmp(what, "--query-gpu=", 12)) printRows(all, count, what + 12, driver);
    else if (!strncmp(what, "--query-compute-apps=", 21)) printProcesses(all, count);
    else if (!strcmp(what, "-q")) printLog(all, count, driver);
    ask("nvmlShutdown", 0, 0, 0, 0, 0);
    return 0;
}
