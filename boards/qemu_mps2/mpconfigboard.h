// What this board's MicroPython has beyond the port's own: see README.md.
#ifndef QEMU_MPS2_MPCONFIGBOARD_H
#define QEMU_MPS2_MPCONFIGBOARD_H

#include <mpconfigport.h>

// --- what the port leaves out
#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_INCLUDEFILE "time_port.c"
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#undef MICROPY_PY_SELECT
#define MICROPY_PY_SELECT (1)
#undef MICROPY_PY_ASYNCIO
#define MICROPY_PY_ASYNCIO (1)
#undef MICROPY_PY_SYS_STDIO_BUFFER
#define MICROPY_PY_SYS_STDIO_BUFFER (1)
#define MICROPY_PY_SYS_STDFILES (1)
#define MICROPY_ENABLE_SCHEDULER (1)
#define MICROPY_SCHEDULER_STATIC_NODES (1)
#define MICROPY_SCHEDULER_DEPTH (8)
#define MICROPY_KBD_EXCEPTION (1)
#define MICROPY_STACK_CHECK (1)
#define MICROPY_STACK_CHECK_MARGIN (0)
#define MICROPY_TRACKED_ALLOC (1) // mbedTLS allocates in the GC heap

// --- machine
#undef MICROPY_PY_MACHINE_INCLUDEFILE
#define MICROPY_PY_MACHINE_INCLUDEFILE "machine_port.c"
#define MICROPY_PY_MACHINE_DISABLE_IRQ_ENABLE_IRQ (1)
#define MICROPY_PY_MACHINE_MEMX (1)
#define MICROPY_PY_MACHINE_SIGNAL (1)
#define MICROPY_PY_MACHINE_TIMER (1)
#define MICROPY_PY_MACHINE_UART (1)
#define MICROPY_PY_MACHINE_UART_INCLUDEFILE "uart_port.c"
#define MICROPY_PY_MACHINE_WDT (1)
#define MICROPY_PY_MACHINE_WDT_INCLUDEFILE "wdt_port.c"

// --- libraries
#define MICROPY_PY_OS_INCLUDEFILE "os_port.c"
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_OS_UNAME (1)
#define MICROPY_PY_RANDOM_SEED_INIT_FUNC (board_random32())
#define MICROPY_PY_HASHLIB_MD5 (1)
#define MICROPY_PY_HASHLIB_SHA1 (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)
#define MICROPY_PY_CRYPTOLIB (1)
#define MICROPY_PY_DEFLATE_COMPRESS (1)
#define MICROPY_PY_UCTYPES (1)
#define MICROPY_PY_WEBSOCKET (0) // ours is in Python
#define MICROPY_PY_NETWORK (1)
#define MICROPY_PY_NETWORK_HOSTNAME_DEFAULT "qemu-mps2"
#define MICROPY_PY_SOCKET (1)
#define MICROPY_PORT_NETWORK_INTERFACES { MP_ROM_QSTR(MP_QSTR_LAN), MP_ROM_PTR(&network_lan_type) },
#define MICROPY_BOARD_ROOT_POINTERS

extern const struct _mp_obj_type_t network_lan_type;

// --- what MicroPython asks of the processor
unsigned int board_random32(void);
void board_poll(void);
void board_wait(int timeout_ms);
void board_event(void);

static inline unsigned int board_irq_off(void) {
    unsigned int state;
    __asm volatile ("mrs %0, primask\n\tcpsid i" : "=r" (state) : : "memory");
    return state;
}

static inline void board_irq_restore(unsigned int state) {
    __asm volatile ("msr primask, %0" : : "r" (state) : "memory");
}

#define MICROPY_BEGIN_ATOMIC_SECTION() board_irq_off()
#define MICROPY_END_ATOMIC_SECTION(state) board_irq_restore(state)
#define MICROPY_PY_PENDSV_ENTER unsigned int pendsv_state = board_irq_off()
#define MICROPY_PY_PENDSV_EXIT board_irq_restore(pendsv_state)
#define MICROPY_INTERNAL_EVENT_HOOK board_poll()
#define MICROPY_INTERNAL_WFE(timeout_ms) board_wait(timeout_ms)
#define MICROPY_SCHED_HOOK_SCHEDULED board_event()

#endif
