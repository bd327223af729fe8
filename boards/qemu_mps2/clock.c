// Time since start from CMSDK timer 0, and waiting that stops the processor until something happens.
#include "board.h"

#include "py/mphal.h"
#include "py/runtime.h"

// CMSDK APB timer: counts down, from RELOAD again after 0
#define TIMER0_CTRL REG(0x40000000)
#define TIMER0_VALUE REG(0x40000004)
#define TIMER0_RELOAD REG(0x40000008)
#define TIMER0_INTCLEAR REG(0x4000000c)
#define TIMER_ENABLE (1 << 0)
#define TIMER_INTERRUPT (1 << 3)

// SysTick is the alarm clock of a wait
#define SYST_CSR REG(0xe000e010)
#define SYST_RVR REG(0xe000e014)
#define SYST_CVR REG(0xe000e018)
#define SYST_ON (7) // enabled, interrupting, from the processor's clock
#define ALARM_MAX_MS (600) // 24 bits at 25 MHz are 671 ms

static uint32_t last;
static uint32_t wraps;
static volatile bool event;
static uint64_t idle; // ticks in which the processor was stopped

void clock_init(void) {
    TIMER0_RELOAD = 0xffffffff;
    TIMER0_VALUE = 0xffffffff;
    TIMER0_CTRL = TIMER_ENABLE | TIMER_INTERRUPT;
    irq_enable(IRQ_TIMER0, PRIORITY_OTHER);
}

uint64_t clock_ticks(void) {
    uint32_t state = board_irq_off();
    uint32_t now = ~TIMER0_VALUE;
    if (now < last) {
        wraps++;
    }
    last = now;
    uint64_t ticks = (uint64_t)wraps << 32 | now;
    board_irq_restore(state);
    return ticks;
}

// Every 171 s: a wrap must be seen even when nobody asks for the time.
void clock_wrap_handler(void) {
    TIMER0_INTCLEAR = 1;
    clock_ticks();
}

void clock_alarm_handler(void) {
    SYST_CSR = 0;
    event = true;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return (mp_uint_t)(clock_ticks() / TICKS_PER_MS);
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)(clock_ticks() / TICKS_PER_US);
}

// 40 ns each: with -icount shift=S one instruction takes 2^S ns, so this counts instructions.
mp_uint_t mp_hal_ticks_cpu(void) {
    return ~TIMER0_VALUE;
}

uint64_t mp_hal_time_ns(void) {
    return rtc_microseconds() * 1000;
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = clock_ticks() + (uint64_t)us * TICKS_PER_US;
    while (clock_ticks() < end) {
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end = clock_ticks() + (uint64_t)ms * TICKS_PER_MS;
    if (in_interrupt()) { // no event could be handled here
        mp_hal_delay_us(ms * 1000);
        return;
    }
    for (;;) {
        uint64_t now = clock_ticks();
        if (now >= end) {
            break;
        }
        uint64_t left = (end - now + TICKS_PER_MS - 1) / TICKS_PER_MS;
        mp_event_wait_ms(left > ALARM_MAX_MS ? ALARM_MAX_MS : (mp_uint_t)left);
    }
    mp_handle_pending(true);
}

// Something happened that a waiting task may be interested in: `board_wait` returns.
void board_event(void) {
    event = true;
}

uint64_t clock_idle_ticks(void) {
    uint32_t state = board_irq_off();
    uint64_t ticks = idle;
    board_irq_restore(state);
    return ticks;
}

void board_poll(void) {
    if (!in_interrupt()) {
        lan_poll();
    }
}

// Stops the processor until an interrupt, or `timeout_ms` (-1: no limit) have passed.
void board_wait(int timeout_ms) {
    if (in_interrupt()) {
        return;
    }
    uint32_t wait = timeout_ms < 0 || timeout_ms > ALARM_MAX_MS ? ALARM_MAX_MS : (uint32_t)timeout_ms;
    uint32_t network = lan_sleep_ms();
    wait = network < wait ? network : wait;
    if (wait == 0) {
        return;
    }
    // What an interrupt did between the caller's last look and here is in `event`, and only one scheduled callback
    // runs at a time, so another may be waiting. From here on interrupts wake the processor and are served after it.
    uint32_t state = board_irq_off();
    if (!event && MP_STATE_VM(sched_state) != MP_SCHED_PENDING) {
        SYST_RVR = wait * TICKS_PER_MS - 1;
        SYST_CVR = 0;
        SYST_CSR = SYST_ON;
        uint64_t stopped = clock_ticks();
        __asm volatile ("dsb\n\twfi" : : : "memory");
        idle += clock_ticks() - stopped;
        SYST_CSR = 0;
        REG(0xe000ed04) = 1 << 25; // the alarm may be pending by now: nobody needs it any more
    }
    event = false;
    board_irq_restore(state);
}
