// The five UARTs: received bytes wait in rings that the interrupts fill. UART 0 is the console.
#include "board.h"

#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/interrupt_char.h"

typedef struct {
    volatile uint32_t data, state, control, interrupts, divider;
} uart_t;

#define STATE_TX_FULL (1 << 0)
#define STATE_RX_FULL (1 << 1)
#define CONTROL_ON (3) // both directions
#define CONTROL_RX_INTERRUPT (1 << 3)
#define INTERRUPT_RX (1 << 1)
#define RING (4096) // a power of two; a byte that finds it full is lost, as in hardware

static uart_t *const uarts[SERIAL_COUNT] = {
    (uart_t *)0x40004000, (uart_t *)0x40005000, (uart_t *)0x40006000, (uart_t *)0x40007000, (uart_t *)0x40009000,
};
static const uint8_t irqs[SERIAL_COUNT] = { 0, 2, 4, 18, 20 };

static struct {
    uint8_t bytes[RING];
    volatile uint16_t head, tail; // written at head, read at tail
} rings[SERIAL_COUNT];

void serial_open(unsigned int id) {
    rings[id].head = rings[id].tail = 0;
    uarts[id]->divider = 16; // the emulated line has no bit rate
    uarts[id]->control = CONTROL_ON | CONTROL_RX_INTERRUPT;
    irq_enable(irqs[id], PRIORITY_SERIAL);
}

void serial_close(unsigned int id) {
    uarts[id]->control = 0;
}

void serial_init(void) {
    serial_open(0);
}

static void receive(unsigned int id) {
    uart_t *uart = uarts[id];
    while (uart->state & STATE_RX_FULL) {
        uint8_t byte = (uint8_t)uart->data;
        uart->interrupts = INTERRUPT_RX;
        if (id == 0 && byte == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
            continue;
        }
        uint16_t next = (rings[id].head + 1) & (RING - 1);
        if (next != rings[id].tail) {
            rings[id].bytes[rings[id].head] = byte;
            rings[id].head = next;
        }
    }
    uart->interrupts = INTERRUPT_RX;
    board_event();
}

void serial0_handler(void) {
    receive(0);
}

void serial1_handler(void) {
    receive(1);
}

void serial2_handler(void) {
    receive(2);
}

void serial3_handler(void) {
    receive(3);
}

void serial4_handler(void) {
    receive(4);
}

size_t serial_any(unsigned int id) {
    return (rings[id].head - rings[id].tail) & (RING - 1);
}

int serial_get(unsigned int id) {
    uint16_t tail = rings[id].tail;
    if (tail == rings[id].head) {
        return -1;
    }
    uint8_t byte = rings[id].bytes[tail];
    rings[id].tail = (tail + 1) & (RING - 1);
    return byte;
}

void serial_put(unsigned int id, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        while (uarts[id]->state & STATE_TX_FULL) {
        }
        uarts[id]->data = data[i];
    }
}

// In place of the port's, which would take the console's bytes from under the ring.
int __wrap_mp_hal_stdin_rx_chr(void) {
    for (;;) {
        int byte = serial_get(0);
        if (byte >= 0) {
            return byte;
        }
        mp_event_wait_indefinite();
    }
}

uintptr_t __wrap_mp_hal_stdio_poll(uintptr_t flags) {
    uintptr_t ready = flags & MP_STREAM_POLL_WR;
    if (serial_any(0) != 0) {
        ready |= flags & MP_STREAM_POLL_RD;
    }
    return ready;
}
