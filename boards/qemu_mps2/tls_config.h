// mbedTLS as the STM32 port has it: memory from the GC heap, time from the RTC, entropy from tls_port.c.
#ifndef QEMU_MPS2_TLS_CONFIG_H
#define QEMU_MPS2_TLS_CONFIG_H

#include <time.h>

time_t board_time(time_t *result);
#define MBEDTLS_PLATFORM_TIME_MACRO board_time
#define MBEDTLS_PLATFORM_MS_TIME_ALT mbedtls_ms_time
#define MICROPY_MBEDTLS_CONFIG_BARE_METAL (1)

#include "extmod/mbedtls/mbedtls_config_common.h"

#endif
