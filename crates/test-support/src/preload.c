/* Simulates a faulty machine for the program that loads this library: the fields of the file that MACHINE names control
 * its wall clock, writes, syncs and name lookups. It needs no privileges, only the C compiler that links Rust. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

struct machine {
    volatile long clock_offset_s;
    /* errno of each positioned write and each change of a file's size; 0 means success */
    volatile long write_error;
    volatile long sync_error;
    /* the time of each sync; a smaller value also ends syncs that have taken that long */
    volatile long sync_delay_ms;
    /* how long a name lookup hangs before it fails; 0 means success, also for lookups that hang already */
    volatile long lookup_hang_ms;
    /* only lookups for this port hang; 0 means every port */
    volatile long lookup_port;
    /* the number of lookups that have hung; the only field that this library writes */
    volatile long lookups_hung;
};

static struct machine healthy;
static struct machine *machine = &healthy;

__attribute__((constructor)) static void find_machine(void) {
    const char *path = getenv("MACHINE");
    int file = path ? open(path, O_RDWR) : -1;
    if (file < 0) abort();
    void *map = mmap(NULL, sizeof healthy, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    machine = map;
    close(file);
}

static int fails(long error) {
    errno = (int)error;
    return error != 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += machine->clock_offset_s;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

/* A wait until a time of the wall clock ends when the clock reaches that time, even by a jump. */
static int wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    const long slice_ns = 20000000;
    struct timespec now, slice;
    int result = ETIMEDOUT;
    clock_gettime(CLOCK_REALTIME, &now);
    while (result == ETIMEDOUT &&
           (now.tv_sec < end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec < end->tv_nsec))) {
        clock_gettime(CLOCK_MONOTONIC, &slice);
        long left_ns = now.tv_sec == end->tv_sec ? end->tv_nsec - now.tv_nsec : slice_ns;
        slice.tv_nsec += left_ns < slice_ns ? left_ns : slice_ns;
        slice.tv_sec += slice.tv_nsec / 1000000000;
        slice.tv_nsec %= 1000000000;
        result = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &slice);
        clock_gettime(CLOCK_REALTIME, &now);
    }
    return result;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    return wait_until(condition, mutex, end);
}

/* glibc uses the same condition and mutex types here. */
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict end) {
    int result = wait_until((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, end);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t position) {
    return fails(machine->write_error) ? -1 : syscall(SYS_pwrite64, file, bytes, length, position);
}

int ftruncate64(int file, off64_t length) {
    return fails(machine->write_error) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

static long monotonic_ms(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int sync_file(long call, int file) {
    const long start_ms = monotonic_ms();
    long left_ms;
    while ((left_ms = start_ms + machine->sync_delay_ms - monotonic_ms()) > 0) {
        struct timespec slice = {0, (left_ms < 20 ? left_ms : 20) * 1000000};
        nanosleep(&slice, NULL);
    }
    return fails(machine->sync_error) ? -1 : (int)syscall(call, file);
}

int fsync(int file) {
    return sync_file(SYS_fsync, file);
}

int fdatasync(int file) {
    return sync_file(SYS_fdatasync, file);
}

static int hangs(const char *service) {
    long port = machine->lookup_port;
    return machine->lookup_hang_ms && (!port || (service && atol(service) == port));
}

/* Behaves like a name server that does not answer: nothing for a while, and then a temporary error. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    const struct timespec slice = {0, 20000000};
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    if (hangs(service)) __atomic_add_fetch(&machine->lookups_hung, 1, __ATOMIC_RELAXED);
    for (long waited_ms = 0; hangs(service); waited_ms += 20) {
        if (waited_ms >= machine->lookup_hang_ms) return EAI_AGAIN;
        nanosleep(&slice, NULL);
    }
    return real(node, service, hints, result);
}
