// Included by extmod/modmachine.c: resets, and the classes of rtc.c and timers.c.
#include "board.h"

extern const mp_obj_type_t board_timer_type;
extern const mp_obj_type_t board_rtc_type;

enum { RESET_PWRON = 1, RESET_WDT = 3 }; // the numbers of the STM32 port

#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_Timer), MP_ROM_PTR(&board_timer_type) }, \
    { MP_ROM_QSTR(MP_QSTR_RTC), MP_ROM_PTR(&board_rtc_type) }, \
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(RESET_PWRON) }, \
    { MP_ROM_QSTR(MP_QSTR_WDT_RESET), MP_ROM_INT(RESET_WDT) },

static void mp_machine_idle(void) {
    mp_event_wait_ms(1);
}

MP_NORETURN static void mp_machine_reset(void) {
    board_exit(STATUS_RESET);
}

static mp_int_t mp_machine_reset_cause(void) {
    return board_was_reset_by_watchdog() ? RESET_WDT : RESET_PWRON;
}
