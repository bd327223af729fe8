// What lwIP asks of the compiler. Its own defaults take the integer types from stdint.h; newlib has the byte order.
#ifndef QEMU_MPS2_ARCH_CC_H
#define QEMU_MPS2_ARCH_CC_H

#include <stdint.h>
#include <sys/types.h>

#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) do { } while (0)

#endif
