// What mbedTLS asks of the board: entropy and time; and the random numbers of os.urandom and `random`.
// They are the host's own, or, with the argument `seed=N`, a sequence that repeats: for tests only, never for secrets.
#include "board.h"
#include "semihost.h"

#include <time.h>

#include "tls_config.h"
#include "mbedtls/platform_time.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/timeutils/timeutils.h"

#define ENTROPY_FILE "/dev/urandom"
#define STATE_UNKNOWN (0)

static uint32_t state; // of the repeating sequence, xorshift32

void random_bytes(uint8_t *data, size_t length) {
    static int file = -1;
    uint32_t seed;
    if (file < 0 && state == STATE_UNKNOWN) {
        if (host_argument_number("seed", &seed) == ARGUMENT_GIVEN) {
            state = seed * 2654435761u + 1;
            state = state == STATE_UNKNOWN ? 1 : state;
        } else {
            file = host_open(ENTROPY_FILE, HOST_READ);
        }
    }
    if (state == STATE_UNKNOWN) {
        if (file < 0 || host_read(file, data, length) != length) {
            mp_printf(&mp_plat_print, "no entropy: the host has no %s; give seed=N\n", ENTROPY_FILE);
            board_exit(STATUS_WRONG);
        }
        return;
    }
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        data[i] = (uint8_t)(state >> 16);
    }
}

unsigned int board_random32(void) {
    unsigned int value;
    random_bytes((uint8_t *)&value, sizeof(value));
    return value;
}

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t length, size_t *done) {
    random_bytes(output, length);
    *done = length;
    return 0;
}

// Seconds since MicroPython's epoch: `gmtime` below counts from there too.
time_t board_time(time_t *result) {
    time_t seconds = (time_t)(rtc_microseconds() / 1000000);
    if (result != NULL) {
        *result = seconds;
    }
    return seconds;
}

mbedtls_ms_time_t mbedtls_ms_time(void) {
    return (mbedtls_ms_time_t)mp_hal_ticks_ms();
}

struct tm *gmtime(const time_t *seconds) {
    static struct tm result;
    timeutils_struct_time_t tm;
    timeutils_seconds_since_epoch_to_struct_time(*seconds, &tm);
    result.tm_sec = tm.tm_sec;
    result.tm_min = tm.tm_min;
    result.tm_hour = tm.tm_hour;
    result.tm_mday = tm.tm_mday;
    result.tm_mon = tm.tm_mon - 1;
    result.tm_year = tm.tm_year - 1900;
    result.tm_wday = tm.tm_wday;
    result.tm_yday = tm.tm_yday;
    result.tm_isdst = -1;
    return &result;
}
