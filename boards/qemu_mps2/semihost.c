// ARM semihosting: a breakpoint instruction that QEMU answers.
#include "semihost.h"
#include "board.h"

#include <string.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0a,
    SYS_FLEN = 0x0c,
    SYS_RENAME = 0x0f,
    SYS_TIME = 0x11,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
};
#define ADP_STOPPED_APPLICATION_EXIT (0x20026)
#define COMMAND_LINE (2048)

static int32_t call(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile ("bkpt 0xab" : "+r" (r0) : "r" (r1) : "memory");
    return (int32_t)r0;
}

int host_open(const char *path, int mode) {
    uint32_t arguments[] = { (uint32_t)path, (uint32_t)mode, strlen(path) };
    return call(SYS_OPEN, arguments);
}

void host_close(int file) {
    uint32_t arguments[] = { (uint32_t)file };
    call(SYS_CLOSE, arguments);
}

int32_t host_length(int file) {
    uint32_t arguments[] = { (uint32_t)file };
    return call(SYS_FLEN, arguments);
}

bool host_seek(int file, uint32_t position) {
    uint32_t arguments[] = { (uint32_t)file, position };
    return call(SYS_SEEK, arguments) == 0;
}

size_t host_read(int file, void *data, size_t length) {
    size_t done = 0;
    while (done < length) {
        uint32_t arguments[] = { (uint32_t)file, (uint32_t)data + done, length - done };
        uint32_t left = (uint32_t)call(SYS_READ, arguments); // what was not read: all of it at the end or on an error
        if (left >= length - done) {
            break;
        }
        done = length - left;
    }
    return done;
}

bool host_write(int file, const void *data, size_t length) {
    uint32_t arguments[] = { (uint32_t)file, (uint32_t)data, length };
    return length == 0 || call(SYS_WRITE, arguments) == 0;
}

bool host_rename(const char *from, const char *to) {
    uint32_t arguments[] = { (uint32_t)from, strlen(from), (uint32_t)to, strlen(to) };
    return call(SYS_RENAME, arguments) == 0;
}

uint32_t host_time(void) {
    return (uint32_t)call(SYS_TIME, NULL);
}

void host_exit(int status) {
    uint32_t arguments[] = { ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status };
    for (;;) {
        call(SYS_EXIT_EXTENDED, arguments); // plain SYS_EXIT could carry no status
    }
}

static int hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool host_argument(const char *name, char *value, size_t size) {
    static char line[COMMAND_LINE];
    if (line[0] == 0) {
        uint32_t arguments[] = { (uint32_t)line, sizeof(line) };
        if (call(SYS_GET_CMDLINE, arguments) != 0) {
            call(SYS_WRITE0, "the arguments are longer than 2047 characters\n");
            host_exit(STATUS_WRONG);
        }
        line[sizeof(line) - 1] = 0;
    }
    size_t length = strlen(name);
    const char *word = line;
    while (word != NULL && !(strncmp(word, name, length) == 0 && word[length] == '=')) {
        word = strchr(word, ' ');
        word = word == NULL ? NULL : word + 1;
    }
    if (word == NULL) {
        return false;
    }
    // QEMU joins the words with spaces, so a space in a value comes as %20.
    size_t used = 0;
    for (word += length + 1; *word != 0 && *word != ' '; word++) {
        char c = *word;
        if (c == '%' && hex(word[1]) >= 0 && hex(word[2]) >= 0) {
            c = (char)(hex(word[1]) << 4 | hex(word[2]));
            word += 2;
        }
        if (used + 1 >= size) {
            return false;
        }
        value[used++] = c;
    }
    value[used] = 0;
    return true;
}

int host_argument_number(const char *name, uint32_t *number) {
    char text[16];
    if (!host_argument(name, text, sizeof(text))) {
        return ARGUMENT_NONE;
    }
    const char *c = text;
    uint64_t value = 0;
    while (*c >= '0' && *c <= '9') {
        value = value * 10 + (uint32_t)(*c++ - '0');
    }
    bool digits = c != text;
    if (*c == 'K' || *c == 'M') {
        value <<= *c++ == 'K' ? 10 : 20;
    }
    if (!digits || *c != 0 || value > UINT32_MAX) {
        return ARGUMENT_WRONG;
    }
    *number = (uint32_t)value;
    return ARGUMENT_GIVEN;
}
