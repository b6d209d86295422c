/* Stands between a program and the C library: fsync takes longer, the wall clock says otherwise.
 *
 * How much is read from a file of two 64-bit numbers of microseconds, in the machine's byte order,
 * that OBOLE_FAULTS names: the delay of each fsync, and what is added to the time. The trial
 * writes to it while the program runs. The monotonic clock is left alone, as it is by whoever
 * sets a machine's clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct faults {
    volatile long long fsync_us;
    volatile long long clock_us;
};

static const struct faults none;

static const struct faults *faults(void)
{
    static const struct faults *mapped;
    if (mapped == NULL) {
        const char *name = getenv("OBOLE_FAULTS");
        int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        void *found = MAP_FAILED;
        if (file >= 0) {
            found = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
            close(file);
        }
        mapped = found == MAP_FAILED ? &none : found;
    }
    return mapped;
}

static int slowly(const char *name, int file)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    long long us = faults()->fsync_us;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (us > 0 && nanosleep(&left, &left) != 0) {
    }
    return real(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }

int clock_gettime(clockid_t which, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, at);
    if (failed == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        long long us = faults()->clock_us;
        at->tv_sec += us / 1000000;
        at->tv_nsec += us % 1000000 * 1000;
        while (at->tv_nsec < 0) {
            at->tv_nsec += 1000000000;
            at->tv_sec--;
        }
        while (at->tv_nsec >= 1000000000) {
            at->tv_nsec -= 1000000000;
            at->tv_sec++;
        }
    }
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
