// Included by extmod/machine_wdt.c: QEMU's CMSDK watchdog. Its first time-out is an interrupt, its second resets the
// machine, so it gets half of the time.
#include "board.h"

#define WDOG_LOAD REG(0x40008000)
#define WDOG_CONTROL REG(0x40008008)
#define WDOG_INTCLR REG(0x4000800c)
#define WDOG_LOCK REG(0x40008c00)
#define WDOG_KEY (0x1acce551)
#define WDOG_ON (3) // interrupt and reset
#define TIMEOUT_MAX_MS (300000)

typedef struct _machine_wdt_obj_t {
    mp_obj_base_t base;
} machine_wdt_obj_t;

static machine_wdt_obj_t watchdog = { { &machine_wdt_type } };

static machine_wdt_obj_t *mp_machine_wdt_make_new_instance(mp_int_t id, mp_int_t timeout_ms) {
    if (id != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("WDT must be 0"));
    }
    if (timeout_ms < 2 || timeout_ms > TIMEOUT_MAX_MS) {
        mp_raise_ValueError(MP_ERROR_TEXT("WDT timeout must be 2 to 300000 ms"));
    }
    WDOG_LOCK = WDOG_KEY;
    WDOG_LOAD = (uint32_t)timeout_ms * (TICKS_PER_MS / 2);
    WDOG_CONTROL = WDOG_ON;
    WDOG_INTCLR = 1;
    WDOG_LOCK = 0;
    board_watchdog_armed();
    return &watchdog;
}

static void mp_machine_wdt_feed(machine_wdt_obj_t *self) {
    WDOG_LOCK = WDOG_KEY;
    WDOG_INTCLR = 1;
    WDOG_LOCK = 0;
}
