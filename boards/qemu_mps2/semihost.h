// The host by ARM semihosting: files, the command line, time and the exit status.
#ifndef QEMU_MPS2_SEMIHOST_H
#define QEMU_MPS2_SEMIHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_READ = 1, HOST_UPDATE = 3, HOST_CREATE = 7 }; // "rb", "r+b", "w+b" of fopen

int host_open(const char *path, int mode); // -1: it cannot be opened
void host_close(int file);
int32_t host_length(int file);
bool host_seek(int file, uint32_t position);
size_t host_read(int file, void *data, size_t length); // the number of bytes read
bool host_write(int file, const void *data, size_t length);
bool host_rename(const char *from, const char *to); // replaces what is there
uint32_t host_time(void); // seconds since 1970
void host_exit(int status) __attribute__((noreturn));

// The value of the argument `name=value`, decoded into `value`; false if there is none or it is too long.
bool host_argument(const char *name, char *value, size_t size);

// The same as a whole number, with K or M behind it for 1024 or 1024 * 1024. ARGUMENT_WRONG: it is none.
enum { ARGUMENT_NONE, ARGUMENT_GIVEN, ARGUMENT_WRONG };
int host_argument_number(const char *name, uint32_t *number);

#endif
