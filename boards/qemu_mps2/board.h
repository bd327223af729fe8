// What the board's files share: the registers of QEMU's mps2-an385, and each file's entry points.
#ifndef QEMU_MPS2_BOARD_H
#define QEMU_MPS2_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define CLOCK_HZ (25000000)
#define TICKS_PER_US (CLOCK_HZ / 1000000)
#define TICKS_PER_MS (CLOCK_HZ / 1000)

// Exit statuses of the emulator.
#define STATUS_RESET (75) // the same as boards/unix: start me again
#define STATUS_FAULT (70)
#define STATUS_WRONG (2) // wrong arguments

// Interrupt numbers of the AN385 image, and their priorities: a smaller number interrupts a greater one.
enum { IRQ_TIMER0 = 8, IRQ_TIMER1 = 9, IRQ_DUAL_TIMER = 10, IRQ_LAN = 13 };
enum { PRIORITY_TIMER = 0x20, PRIORITY_SERIAL = 0x40, PRIORITY_OTHER = 0x80 };

void irq_enable(unsigned int irq, unsigned int priority);

static inline bool in_interrupt(void) {
    uint32_t ipsr;
    __asm volatile ("mrs %0, ipsr" : "=r" (ipsr));
    return ipsr != 0;
}

// board.c
void board_exit(int status) __attribute__((noreturn));
bool board_was_reset_by_watchdog(void);
void board_watchdog_armed(void);

// clock.c
void clock_init(void);
uint64_t clock_ticks(void); // of CLOCK_HZ since start
uint64_t clock_idle_ticks(void); // of them, those in which the processor was stopped

// rtc.c
void rtc_init(void);
uint64_t rtc_microseconds(void); // since MicroPython's epoch

// timers.c
void timers_init(void);
void timers_deinit(void);

// serial.c
#define SERIAL_COUNT (5)
void serial_init(void);
void serial_open(unsigned int id);
void serial_close(unsigned int id);
size_t serial_any(unsigned int id);
int serial_get(unsigned int id); // -1: nothing there
void serial_put(unsigned int id, const uint8_t *data, size_t length);

// tls_port.c
void random_bytes(uint8_t *data, size_t length);

// lan.c
void lan_init(void);
void lan_deinit(void);
void lan_poll(void);
uint32_t lan_sleep_ms(void); // until lwIP's next timer

// The vector table's entries, in the files that own the devices.
void clock_wrap_handler(void);
void clock_alarm_handler(void);
void timer1_handler(void);
void dual_timer_handler(void);
void lan_handler(void);
void serial0_handler(void);
void serial1_handler(void);
void serial2_handler(void);
void serial3_handler(void);
void serial4_handler(void);

#endif
