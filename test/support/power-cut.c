/*
 * A layer between a program and its disk that remembers what a power cut would leave (LD_PRELOAD; Linux).
 *
 * The program writes to its folder as usual. Whenever it makes something durable, this layer records it in a second
 * folder, which `power-cut.ts` turns into the folder as it is found after the cut:
 *
 *   f/<inode>   content of a file when it was last made durable: fsync, fdatasync, syncfs, sync, or a write to a
 *               descriptor opened with O_SYNC or O_DSYNC
 *   d/<inode>   names in a folder when it was last made durable: "<F or D><inode> <name>\0" each
 *   pin/<inode> a hard link, so that the number of an unlinked file is not given to another one
 *
 * A name (made, renamed or removed) is durable when its folder was synced: what POSIX promises, and no more. With
 * POWER_CUT_NAMES=linux the fsync of a file also makes its own name durable, as ext4, XFS and btrfs do. sync_file_range
 * is no sync (its manual says so), and an mmap that is written to is not seen: no caller here does that.
 *
 * POWER_CUT_IGNORE=files,folders is the deliberate fault: those syncs then only pretend.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char root[PATH_MAX];
static size_t root_length;
static int record = -1; /* the second folder */
static int ignores_files, ignores_folders, names_as_linux;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int lock_file = -1;
static unsigned long next_name;

static void die(const char *what) {
  fprintf(stderr, "power-cut layer: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *watched = getenv("POWER_CUT_ROOT"), *to = getenv("POWER_CUT_RECORD");
  if (watched == NULL || to == NULL) return;
  if (realpath(watched, root) == NULL) return;
  root_length = strlen(root);
  const char *ignored = getenv("POWER_CUT_IGNORE"), *names = getenv("POWER_CUT_NAMES");
  ignores_files = ignored != NULL && strstr(ignored, "files") != NULL;
  ignores_folders = ignored != NULL && strstr(ignored, "folders") != NULL;
  names_as_linux = names != NULL && strcmp(names, "linux") == 0;
  record = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (record < 0) die(to);
  lock_file = openat(record, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_file < 0) die("lock");
}

/* One at a time, over all processes: an older copy must never take the place of a newer one. */
static void enter(void) {
  pthread_mutex_lock(&mutex);
  while (flock(lock_file, LOCK_EX) != 0)
    if (errno != EINTR) die("flock");
}

static void leave(void) {
  flock(lock_file, LOCK_UN);
  pthread_mutex_unlock(&mutex);
}

/* The path of a descriptor when it lies in the watched folder. */
static int find_path(int fd, char *path) {
  if (record < 0) return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static FILE *create_draft(char *name, size_t size) {
  snprintf(name, size, "t.%d.%lu", getpid(), next_name++);
  int fd = openat(record, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  FILE *draft = fd < 0 ? NULL : fdopen(fd, "w");
  if (draft == NULL) die("draft");
  return draft;
}

/* Times of files are coarse: what changed so recently may change again without showing it. */
static const long SETTLED_NANOSECONDS = 50 * 1000 * 1000;

/* A record carries the time of what it records, so that syncfs leaves alone what has not changed since. */
static int is_recorded(char kind, const struct stat *about) {
  char name[64];
  struct stat known;
  snprintf(name, sizeof name, "%c/%lu", kind, (unsigned long)about->st_ino);
  return fstatat(record, name, &known, 0) == 0 && known.st_mtim.tv_sec == about->st_mtim.tv_sec &&
         known.st_mtim.tv_nsec == about->st_mtim.tv_nsec && (kind == 'd' || known.st_size == about->st_size);
}

static void keep_time(FILE *draft, const struct stat *about) {
  struct timespec now, times[2] = {about->st_mtim, about->st_mtim};
  clock_gettime(CLOCK_REALTIME, &now);
  long age = (now.tv_sec - about->st_mtim.tv_sec) * 1000000000L + now.tv_nsec - about->st_mtim.tv_nsec;
  if (age < SETTLED_NANOSECONDS) times[1].tv_sec = 0;
  if (fflush(draft) != 0 || futimens(fileno(draft), times) != 0) die("keep the time");
}

static void put_draft(FILE *draft, const char *name, char kind, ino_t inode) {
  char to[64];
  snprintf(to, sizeof to, "%c/%lu", kind, (unsigned long)inode);
  if (fclose(draft) != 0 || renameat(record, name, record, to) != 0) die(to);
}

static void pin(int folder, const char *path, ino_t inode, int flags) {
  char to[64];
  snprintf(to, sizeof to, "pin/%lu", (unsigned long)inode);
  linkat(folder, path, record, to, flags);
}

static void record_names(int folder);

static void record_content(int fd) {
  struct stat about;
  if (ignores_files || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink == 0) return;
  char self[64], name[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  pin(AT_FDCWD, self, about.st_ino, AT_SYMLINK_FOLLOW);
  int from = open(self, O_RDONLY | O_CLOEXEC);
  if (from < 0) die("read back");
  FILE *draft = create_draft(name, sizeof name);
  char bytes[65536];
  ssize_t length;
  while ((length = read(from, bytes, sizeof bytes)) != 0) {
    if (length < 0) die("read back");
    if (fwrite(bytes, 1, length, draft) != (size_t)length) die("copy");
  }
  close(from);
  keep_time(draft, &about);
  put_draft(draft, name, 'f', about.st_ino);
}

/* Adds one name to what is durable of a folder, and the folder's own name above it. */
static void record_own_name(const char *path) {
  char above[PATH_MAX];
  strcpy(above, path);
  char *slash = strrchr(above, '/');
  if (slash == NULL || strlen(path) <= root_length) return;
  *slash = 0;
  struct stat folder, own;
  if (stat(above, &folder) != 0 || lstat(path, &own) != 0) return;
  char entry[PATH_MAX + 32], known[64], draft_name[64];
  int length = snprintf(entry, sizeof entry, "%c%lu %s", S_ISDIR(own.st_mode) ? 'D' : 'F',
                        (unsigned long)own.st_ino, slash + 1);
  snprintf(known, sizeof known, "d/%lu", (unsigned long)folder.st_ino);
  FILE *draft = create_draft(draft_name, sizeof draft_name);
  int fd = openat(record, known, O_RDONLY | O_CLOEXEC);
  FILE *before = fd < 0 ? NULL : fdopen(fd, "r");
  char *line = NULL;
  size_t room = 0;
  while (before != NULL && getdelim(&line, &room, 0, before) > 0) {
    const char *space = strchr(line, ' ');
    if (space != NULL && strcmp(space + 1, slash + 1) != 0) fwrite(line, 1, strlen(line) + 1, draft);
  }
  free(line);
  if (before != NULL) fclose(before);
  fwrite(entry, 1, length + 1, draft);
  put_draft(draft, draft_name, 'd', folder.st_ino);
  record_own_name(above);
}

static void record_names(int folder) {
  struct stat about;
  if (ignores_folders || fstat(folder, &about) != 0 || !S_ISDIR(about.st_mode)) return;
  int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *names = own < 0 ? NULL : fdopendir(own);
  if (names == NULL) return;
  /* Held for the life of the process, so that the number is not given to another folder. */
  if (openat(folder, ".", O_PATH | O_CLOEXEC) < 0) die("hold a folder");
  char draft_name[64];
  FILE *draft = create_draft(draft_name, sizeof draft_name);
  for (struct dirent *entry = readdir(names); entry != NULL; entry = readdir(names)) {
    struct stat found;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) continue;
    if (S_ISREG(found.st_mode)) pin(folder, entry->d_name, found.st_ino, 0);
    fprintf(draft, "%c%lu %s", S_ISDIR(found.st_mode) ? 'D' : 'F', (unsigned long)found.st_ino, entry->d_name);
    fputc(0, draft);
  }
  closedir(names);
  keep_time(draft, &about);
  put_draft(draft, draft_name, 'd', about.st_ino);
}

static void record_tree(int folder) {
  int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *names = own < 0 ? NULL : fdopendir(own);
  if (names == NULL) return;
  for (struct dirent *entry = readdir(names); entry != NULL; entry = readdir(names)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (entry->d_type != DT_REG && entry->d_type != DT_DIR) continue;
    int fd = openat(folder, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat about;
    if (fstat(fd, &about) != 0) die("look at a file");
    if (entry->d_type == DT_DIR) record_tree(fd);
    else if (!is_recorded('f', &about)) record_content(fd);
    close(fd);
  }
  closedir(names);
  struct stat about;
  if (fstat(folder, &about) != 0) die("look at a folder");
  if (!is_recorded('d', &about)) record_names(folder);
}

static int sync_one(int fd) {
  char path[PATH_MAX];
  if (!find_path(fd, path)) return 0;
  enter();
  struct stat about;
  if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) record_names(fd);
  else {
    record_content(fd);
    if (names_as_linux && !ignores_files) record_own_name(path);
  }
  leave();
  return 1;
}

static int sync_all(void) {
  if (record < 0) return 0;
  int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  enter();
  record_tree(fd);
  leave();
  close(fd);
  return 1;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* What is recorded need not reach the disk of the machine that tests. */
int fsync(int fd) {
  REAL(int, "fsync", int);
  return sync_one(fd) ? 0 : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return sync_one(fd) ? 0 : real(fd);
}

/* One file system holds everything that is watched. */
int syncfs(int fd) {
  REAL(int, "syncfs", int);
  return sync_all() ? 0 : real(fd);
}

void sync(void) {
  REAL(void, "sync", void);
  if (!sync_all()) real();
}

static ssize_t written(int fd, ssize_t result) {
  int flags = result <= 0 || record < 0 ? 0 : fcntl(fd, F_GETFL);
  int saved = errno;
  if (flags > 0 && (flags & O_DSYNC) != 0) sync_one(fd);
  errno = saved;
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return written(fd, real(fd, bytes, length));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  return written(fd, real(fd, parts, count));
}

#define AT_OFFSET(name) \
  ssize_t name(int fd, const void *bytes, size_t length, off_t offset) { \
    REAL(ssize_t, #name, int, const void *, size_t, off_t); \
    return written(fd, real(fd, bytes, length, offset)); \
  }
AT_OFFSET(pwrite)
AT_OFFSET(pwrite64)

#define PARTS_AT_OFFSET(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) { \
    REAL(ssize_t, #name, int, const struct iovec *, int, off_t); \
    return written(fd, real(fd, parts, count, offset)); \
  }
PARTS_AT_OFFSET(pwritev)
PARTS_AT_OFFSET(pwritev64)
