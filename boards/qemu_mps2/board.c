// Boot: vector table, GC heap, and what runs. The firmware image has a frozen `start` and ends with it; the stock image
// has none and goes on as any MicroPython: boot.py, main.py, REPL.
#include "board.h"
#include "semihost.h"

#include "py/runtime.h" // before modnetwork.h, which needs its types

#include "extmod/modnetwork.h"
#include "py/builtin.h"
#include "py/cstack.h"
#include "py/frozenmod.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "shared/readline/readline.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/interrupt_char.h"
#include "shared/runtime/pyexec.h"
#include "shared/runtime/softtimer.h"

#define SCB_VTOR REG(0xe000ed08)
#define SCB_CFSR REG(0xe000ed28)
#define SCB_HFSR REG(0xe000ed2c)
#define SCB_BFAR REG(0xe000ed38)
#define NVIC_ENABLE(irq) REG(0xe000e100 + 4 * ((irq) / 32))
#define NVIC_PRIORITY(irq) (*(volatile uint8_t *)(0xe000e400 + (irq)))

#define HEAP_DEFAULT (1024 * 1024)
#define HEAP_MIN (16 * 1024)
#define INTERRUPT_STACK (16 * 1024) // of the one stack, kept free for interrupts that run Python
#define WATCHDOG_ARMED (0x57a7c4d0)

extern uint8_t _sstack, _estack, _sheap, _eheap;
extern void Reset_Handler(void);

// Not cleared at start. Nothing but the watchdog resets the machine: `reset()` ends the emulator.
static uint32_t watchdog_mark __attribute__((section(".noinit")));
static bool reset_by_watchdog;

void irq_enable(unsigned int irq, unsigned int priority) {
    NVIC_PRIORITY(irq) = (uint8_t)priority;
    NVIC_ENABLE(irq) = 1u << (irq % 32);
}

void board_watchdog_armed(void) {
    watchdog_mark = WATCHDOG_ARMED;
}

bool board_was_reset_by_watchdog(void) {
    return reset_by_watchdog;
}

void board_exit(int status) {
    host_exit(status);
}

void __wrap_exit(int status) {
    board_exit(status);
}

// The registers that the processor put on the stack: r0 to r3, r12, lr, pc, xpsr.
static __attribute__((used)) void report_fault(const uint32_t *frame) {
    mp_printf(&mp_plat_print, "\nfault: pc=%08x lr=%08x sp=%08x xpsr=%08x\n", frame[6], frame[5],
        (unsigned int)frame, frame[7]);
    mp_printf(&mp_plat_print, "r0=%08x r1=%08x r2=%08x r3=%08x r12=%08x\n", frame[0], frame[1], frame[2], frame[3],
        frame[4]);
    mp_printf(&mp_plat_print, "cfsr=%08x hfsr=%08x bfar=%08x\n", SCB_CFSR, SCB_HFSR, SCB_BFAR);
    board_exit(STATUS_FAULT);
}

static __attribute__((naked)) void fault_handler(void) {
    __asm volatile ("mov r0, sp\n\tb report_fault");
}

// The watchdog's first time-out: there is nothing to do but to wait for the second.
static void nmi_handler(void) {
}

typedef void (*handler_t)(void);

static const handler_t vectors[] __attribute__((aligned(256), used)) = {
    (handler_t)&_estack,
    Reset_Handler,
    nmi_handler,
    [3 ... 14] = fault_handler,
    [15] = clock_alarm_handler,
    [16 ... 47] = fault_handler,
    [16 + 0] = serial0_handler,
    [16 + 2] = serial1_handler,
    [16 + 4] = serial2_handler,
    [16 + IRQ_TIMER0] = clock_wrap_handler,
    [16 + IRQ_TIMER1] = timer1_handler,
    [16 + IRQ_DUAL_TIMER] = dual_timer_handler,
    [16 + IRQ_LAN] = lan_handler,
    [16 + 18] = serial3_handler,
    [16 + 20] = serial4_handler,
};

// The argument heap=N, NK or NM; ends the emulator if it is none.
static size_t heap_size(void) {
    uint32_t size = HEAP_DEFAULT, most = &_eheap - &_sheap;
    int given = host_argument_number("heap", &size);
    if (given == ARGUMENT_WRONG || size < HEAP_MIN || size > most) {
        mp_printf(&mp_plat_print, "heap=: must be 16K to %uM\n", (unsigned int)(most >> 20));
        board_exit(STATUS_WRONG);
    }
    return size;
}

static bool frozen(const char *file) {
    int type;
    void *data;
    return mp_find_frozen_module(file, &type, &data) == MP_IMPORT_STAT_FILE;
}

// Imports the module and returns the exit status that its end asks for.
static int run(qstr module) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_import_name(module, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
        nlr_pop();
        return 0;
    }
    mp_obj_t error = MP_OBJ_FROM_PTR(nlr.ret_val);
    if (mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(mp_obj_get_type(error)), MP_OBJ_FROM_PTR(&mp_type_SystemExit))) {
        mp_obj_t value = mp_obj_exception_get_value(error);
        mp_int_t status;
        if (value == mp_const_none) {
            return 0;
        }
        if (mp_obj_get_int_maybe(value, &status)) {
            return (int)(status & 0xff);
        }
        mp_obj_print(value, PRINT_STR);
        mp_print_str(&mp_plat_print, "\n");
        return 1;
    }
    mp_obj_print_exception(&mp_plat_print, error);
    return 1;
}

static void repl(void) {
    pyexec_frozen_module("_boot.py", false);
    int ended = pyexec_file_if_exists("boot.py");
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !(ended & PYEXEC_FORCED_EXIT)) {
        pyexec_file_if_exists("main.py");
    }
    for (;;) {
        if ((pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl()) != 0) {
            return;
        }
    }
}

int __wrap_main(int argc, char **argv) {
    SCB_VTOR = (uint32_t)vectors;
    reset_by_watchdog = watchdog_mark == WATCHDOG_ARMED;
    watchdog_mark = 0;
    clock_init();
    serial_init();
    rtc_init();
    size_t size = heap_size();
    bool first = true;
    for (;;) {
        mp_cstack_init_with_top(&_estack, &_estack - &_sstack - INTERRUPT_STACK);
        gc_init(&_sheap, &_sheap + size);
        mp_init();
        timers_init();
        if (first) {
            lan_init();
            first = false;
        }
        mod_network_init();
        if (frozen("start.py")) {
            mp_hal_set_interrupt_char(CHAR_CTRL_C);
            board_exit(run(MP_QSTR_start));
        }
        repl();
        mp_printf(&mp_plat_print, "MPY: soft reboot\n");
        timers_deinit();
        lan_deinit();
        gc_sweep_all();
        mp_deinit();
    }
}

void __wrap_gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    soft_timer_gc_mark_all();
    gc_collect_end();
}
