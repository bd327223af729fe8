// machine.Timer. Timer(0) and Timer(1) are hardware: with hard=True their callback runs inside the interrupt, whatever
// the program does at that moment, as on the STM32 port. Timer(-1) is a soft timer of MicroPython's own.
#include "board.h"

#include "extmod/modmachine.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/softtimer.h"

// CMSDK timer 1
#define TIMER1_CTRL REG(0x40001000)
#define TIMER1_VALUE REG(0x40001004)
#define TIMER1_RELOAD REG(0x40001008)
#define TIMER1_INTCLEAR REG(0x4000100c)
#define TIMER1_ON (9) // enabled, interrupting

// The dual timer's two halves
#define DUAL_LOAD(n) REG(0x40002000 + 0x20 * (n))
#define DUAL_CONTROL(n) REG(0x40002008 + 0x20 * (n))
#define DUAL_INTCLR(n) REG(0x4000200c + 0x20 * (n))
#define DUAL_MIS(n) REG(0x40002014 + 0x20 * (n))
#define DUAL_PERIODIC (0xe2) // enabled, periodic, interrupting, 32 bits
#define DUAL_ONE_SHOT (0xa3)

#define TIMERS (2)
#define SOFT_HALF (1) // half of the dual timer that is the soft timers' alarm
#define PERIOD_MAX_MS (170000) // 32 bits at 25 MHz

typedef struct _timer_obj_t {
    mp_obj_base_t base;
    uint8_t id;
    uint8_t mode;
    bool hard;
    bool running;
    uint32_t period_us;
} timer_obj_t;

extern const mp_obj_type_t board_timer_type;
static timer_obj_t timers[TIMERS] = { { { &board_timer_type }, 0 }, { { &board_timer_type }, 1 } };

MP_REGISTER_ROOT_POINTER(mp_obj_t board_timer_callback[2]);

static void hardware_stop(unsigned int id) {
    if (id == 0) {
        TIMER1_CTRL = 0;
        TIMER1_INTCLEAR = 1;
    } else {
        DUAL_CONTROL(0) = 0;
        DUAL_INTCLR(0) = 1;
    }
}

static void hardware_start(unsigned int id, uint32_t ticks, bool one_shot) {
    if (id == 0) {
        TIMER1_RELOAD = ticks - 1;
        TIMER1_VALUE = ticks - 1;
        TIMER1_CTRL = TIMER1_ON;
    } else {
        DUAL_LOAD(0) = ticks;
        DUAL_CONTROL(0) = one_shot ? DUAL_ONE_SHOT : DUAL_PERIODIC;
    }
}

static void timer_stop(timer_obj_t *self) {
    uint32_t state = board_irq_off();
    hardware_stop(self->id);
    self->running = false;
    MP_STATE_VM(board_timer_callback)[self->id] = mp_const_none;
    board_irq_restore(state);
}

void timers_init(void) {
    for (unsigned int i = 0; i < TIMERS; i++) {
        timer_stop(&timers[i]);
    }
    irq_enable(IRQ_TIMER1, PRIORITY_TIMER);
    irq_enable(IRQ_DUAL_TIMER, PRIORITY_TIMER);
}

void timers_deinit(void) {
    soft_timer_deinit();
    timers_init();
}

// The callback inside the interrupt: nothing may be allocated or scheduled meanwhile, and an exception ends the timer.
static void call_hard(timer_obj_t *self, mp_obj_t callback) {
    mp_sched_lock();
    gc_lock();
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_call_function_1(callback, MP_OBJ_FROM_PTR(self));
        nlr_pop();
    } else {
        timer_stop(self);
        mp_printf(MICROPY_ERROR_PRINTER, "uncaught exception in the interrupt of Timer(%u)\n", self->id);
        mp_obj_print_exception(MICROPY_ERROR_PRINTER, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
    gc_unlock();
    mp_sched_unlock();
}

static void fire(timer_obj_t *self) {
    board_event();
    if (!self->running) {
        return;
    }
    mp_obj_t callback = MP_STATE_VM(board_timer_callback)[self->id];
    if (self->mode == SOFT_TIMER_MODE_ONE_SHOT) {
        timer_stop(self);
    }
    if (self->hard) {
        call_hard(self, callback);
    } else {
        mp_sched_schedule(callback, MP_OBJ_FROM_PTR(self));
    }
}

void timer1_handler(void) {
    TIMER1_INTCLEAR = 1;
    fire(&timers[0]);
}

void dual_timer_handler(void) {
    if (DUAL_MIS(0)) {
        DUAL_INTCLR(0) = 1;
        fire(&timers[1]);
    }
    if (DUAL_MIS(SOFT_HALF)) {
        DUAL_INTCLR(SOFT_HALF) = 1;
        board_event();
        soft_timer_handler();
    }
}

uint32_t soft_timer_get_ms(void) {
    return mp_hal_ticks_ms();
}

void soft_timer_schedule_at_ms(uint32_t ticks_ms) {
    int32_t left = soft_timer_ticks_diff(ticks_ms, mp_hal_ticks_ms());
    left = left < 1 ? 1 : left > PERIOD_MAX_MS ? PERIOD_MAX_MS : left;
    DUAL_CONTROL(SOFT_HALF) = 0;
    DUAL_INTCLR(SOFT_HALF) = 1;
    DUAL_LOAD(SOFT_HALF) = (uint32_t)left * TICKS_PER_MS;
    DUAL_CONTROL(SOFT_HALF) = DUAL_ONE_SHOT;
}

static void timer_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    timer_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "Timer(%u, running=%u, hard=%u)", self->id, self->running, self->hard);
}

// init(*, mode=PERIODIC, period=-1, freq=-1, callback=None, hard=False): period in ms
static mp_obj_t timer_init(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { ARG_mode, ARG_period, ARG_freq, ARG_callback, ARG_hard };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_mode, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = SOFT_TIMER_MODE_PERIODIC } },
        { MP_QSTR_period, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = -1 } },
        { MP_QSTR_freq, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = -1 } },
        { MP_QSTR_callback, MP_ARG_KW_ONLY | MP_ARG_OBJ, { .u_rom_obj = MP_ROM_NONE } },
        { MP_QSTR_hard, MP_ARG_KW_ONLY | MP_ARG_BOOL, { .u_bool = false } },
    };
    timer_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_arg_val_t values[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 1, args + 1, kw_args, MP_ARRAY_SIZE(allowed), allowed, values);
    mp_int_t mode = values[ARG_mode].u_int;
    mp_int_t period = values[ARG_period].u_int;
    mp_int_t freq = values[ARG_freq].u_int;
    if (mode != SOFT_TIMER_MODE_ONE_SHOT && mode != SOFT_TIMER_MODE_PERIODIC) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid mode"));
    }
    if ((freq > 0) == (period > 0) || freq > 100000 || period > PERIOD_MAX_MS) {
        mp_raise_ValueError(MP_ERROR_TEXT("needs a period of 1 to 170000 ms or a freq of 1 to 100000 Hz"));
    }
    if (!mp_obj_is_callable(values[ARG_callback].u_obj)) {
        mp_raise_ValueError(MP_ERROR_TEXT("callback must be callable"));
    }
    timer_stop(self);
    uint32_t ticks = freq > 0 ? CLOCK_HZ / (uint32_t)freq : (uint32_t)period * TICKS_PER_MS;
    self->mode = (uint8_t)mode;
    self->hard = values[ARG_hard].u_bool;
    self->period_us = ticks / TICKS_PER_US;
    MP_STATE_VM(board_timer_callback)[self->id] = values[ARG_callback].u_obj;
    self->running = true;
    hardware_start(self->id, ticks, mode == SOFT_TIMER_MODE_ONE_SHOT);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(timer_init_obj, 1, timer_init);

static mp_obj_t timer_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, true);
    mp_int_t id = n_args > 0 ? mp_obj_get_int(args[0]) : -1;
    if (id == -1) { // has no `hard`: whoever asks for it is refused
        return MP_OBJ_TYPE_GET_SLOT(&machine_timer_type, make_new)(&machine_timer_type, n_args, n_kw, args);
    }
    if (id < 0 || id >= TIMERS) {
        mp_raise_ValueError(MP_ERROR_TEXT("Timer must be -1, 0 or 1"));
    }
    timer_obj_t *self = &timers[id];
    if (n_kw > 0) {
        mp_obj_t positional[1] = { MP_OBJ_FROM_PTR(self) };
        mp_map_t keywords;
        mp_map_init_fixed_table(&keywords, n_kw, args + n_args);
        timer_init(1, positional, &keywords);
    }
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t timer_deinit(mp_obj_t self_in) {
    timer_stop(MP_OBJ_TO_PTR(self_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(timer_deinit_obj, timer_deinit);

static const mp_rom_map_elem_t timer_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_init), MP_ROM_PTR(&timer_init_obj) },
    { MP_ROM_QSTR(MP_QSTR_deinit), MP_ROM_PTR(&timer_deinit_obj) },
    { MP_ROM_QSTR(MP_QSTR_ONE_SHOT), MP_ROM_INT(SOFT_TIMER_MODE_ONE_SHOT) },
    { MP_ROM_QSTR(MP_QSTR_PERIODIC), MP_ROM_INT(SOFT_TIMER_MODE_PERIODIC) },
};
static MP_DEFINE_CONST_DICT(timer_locals, timer_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    board_timer_type,
    MP_QSTR_Timer,
    MP_TYPE_FLAG_NONE,
    make_new, timer_make_new,
    print, timer_print,
    locals_dict, &timer_locals
    );
