/* Counts every allocation of the process, to be preloaded. Reset and read by `allocations(1)` and `allocations(0)`. */
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static long count;

long allocations(int reset) {
  long seen = __atomic_load_n(&count, __ATOMIC_SEQ_CST);
  if (reset) __atomic_store_n(&count, 0, __ATOMIC_SEQ_CST);
  return seen;
}

static void counted(void) { __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST); }

void *malloc(size_t size) { return counted(), __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return counted(), __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { return counted(), __libc_realloc(old, size); }
void *memalign(size_t line, size_t size) { return counted(), __libc_memalign(line, size); }
void *aligned_alloc(size_t line, size_t size) { return counted(), __libc_memalign(line, size); }
int posix_memalign(void **to, size_t line, size_t size) {
  counted();
  *to = __libc_memalign(line, size);
  return *to ? 0 : 12; /* ENOMEM */
}
