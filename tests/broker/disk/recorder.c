/* Records what a process does to the files of one folder, in order, and can kill it at any call.
 *
 *   cc -shared -fPIC -O1 -o recorder.so recorder.c -ldl
 *   DISK_FOLDER=/the/folder DISK_LOG=/elsewhere/log [DISK_KILL_AT=17] LD_PRELOAD=recorder.so ...
 *
 * A record is  op, path length (16), offset (64), length (32), path, bytes;  little endian. Ops:
 * c create, w write, t truncate, s sync (a file's bytes, or a folder's names), r rename, u unlink.
 * The index that SQLite maps into memory (-shm) is left out: no start believes it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int out = -1;
static long calls, kill_at;

#define REAL(name, ...) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("DISK_KILL_AT"), *log = getenv("DISK_LOG");
    folder = getenv("DISK_FOLDER");
    kill_at = at ? atol(at) : 0;
    if (log) out = REAL(open, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path below the folder, or NULL if it is none of ours. */
static const char *ours(const char *path) {
    size_t n = folder ? strlen(folder) : 0, m = strlen(path);
    if (!n || strncmp(path, folder, n) || (path[n] && path[n] != '/')) return NULL;
    if (m > 4 && !strcmp(path + m - 4, "-shm")) return NULL;
    return path[n] ? path + n + 1 : "";
}

static const char *named(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, buffer, PATH_MAX - 1);
    if (n < 0) return NULL;
    buffer[n] = 0;
    return ours(buffer);
}

static void record(char op, const char *path, int64_t offset, const void *data, uint32_t length) {
    if (++calls == kill_at) kill(getpid(), SIGKILL);
    char head[15];
    uint16_t n = (uint16_t)strlen(path);
    head[0] = op;
    memcpy(head + 1, &n, 2), memcpy(head + 3, &offset, 8), memcpy(head + 11, &length, 4);
    struct iovec parts[] = {{head, 15}, {(void *)path, n}, {(void *)data, length}};
    if (out >= 0 && writev(out, parts, 3) != (ssize_t)(15 + n + length)) abort();
}

/* Count anew, and kill at this call; gives how many there were. */
long disk_kill_at(long at) {
    long were = calls;
    calls = 0, kill_at = at;
    return were;
}

#define RECORDED(path, op, offset, data, length, call)                                            \
    int saved = errno;                                                                            \
    pthread_mutex_lock(&lock);                                                                    \
    const char *of = (path);                                                                      \
    if (of) record(op, of, offset, data, length);                                                 \
    errno = saved;                                                                                \
    __typeof__(call) result = (call);                                                             \
    pthread_mutex_unlock(&lock);                                                                  \
    return result;

static int opened(const char *path, int flags, mode_t mode) {
    const char *mine = ours(path);
    int fresh = (flags & O_CREAT) && access(path, F_OK), emptied = (flags & O_TRUNC) && !fresh;
    RECORDED(fresh || emptied ? mine : NULL, fresh ? 'c' : 't', 0, "", 0, REAL(open64, path, flags, mode))
}

#define MODE va_list rest; va_start(rest, flags); mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; va_end(rest)
int open(const char *path, int flags, ...) { MODE; return opened(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return opened(path, flags, mode); }

ssize_t write(int fd, const void *data, size_t n) {
    char b[PATH_MAX];
    const char *path = named(fd, b);
    RECORDED(path, 'w', lseek(fd, 0, SEEK_CUR), data, n, REAL(write, fd, data, n))
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    char b[PATH_MAX];
    RECORDED(named(fd, b), 'w', at, data, n, REAL(pwrite64, fd, data, n, at))
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return pwrite64(fd, data, n, at); }
int ftruncate64(int fd, off64_t n) {
    char b[PATH_MAX];
    RECORDED(named(fd, b), 't', n, "", 0, REAL(ftruncate64, fd, n))
}
int ftruncate(int fd, off_t n) { return ftruncate64(fd, n); }
int fsync(int fd) {
    char b[PATH_MAX];
    RECORDED(named(fd, b), 's', 0, "", 0, REAL(fsync, fd))
}
int fdatasync(int fd) {
    char b[PATH_MAX];
    RECORDED(named(fd, b), 's', 0, "", 0, REAL(fdatasync, fd))
}
int rename(const char *from, const char *to) {
    const char *target = ours(to);
    RECORDED(target ? ours(from) : NULL, 'r', 0, target, strlen(target ? target : ""), REAL(rename, from, to))
}
int unlink(const char *path) { RECORDED(ours(path), 'u', 0, "", 0, REAL(unlink, path)) }
