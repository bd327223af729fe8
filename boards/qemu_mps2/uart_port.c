// Included by extmod/machine_uart.c: machine.UART(1) to UART(4); UART(0) is the console.
#include "board.h"

#include "py/mperrno.h"
#include "py/mphal.h"

#define MICROPY_PY_MACHINE_UART_CLASS_CONSTANTS

struct _machine_uart_obj_t {
    mp_obj_base_t base;
    uint8_t id;
    uint8_t bits, parity, stop; // parity: 0 none, 1 even, 2 odd
    bool open;
    uint32_t baudrate;
    uint32_t timeout_ms, timeout_char_ms;
};

static machine_uart_obj_t uart_objects[SERIAL_COUNT - 1];

static void mp_machine_uart_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    static const char *const parities[] = { "None", "0", "1" };
    mp_printf(print, "UART(%u, baudrate=%u, bits=%u, parity=%s, stop=%u, timeout=%u, timeout_char=%u)", self->id,
        self->baudrate, self->bits, parities[self->parity], self->stop, self->timeout_ms, self->timeout_char_ms);
}

static void mp_machine_uart_init_helper(machine_uart_obj_t *self, size_t n_args, const mp_obj_t *pos_args, mp_map_t *kw_args) {
    enum { ARG_baudrate, ARG_bits, ARG_parity, ARG_stop, ARG_timeout, ARG_timeout_char, ARG_rxbuf, ARG_txbuf };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_baudrate, MP_ARG_INT, { .u_int = 9600 } },
        { MP_QSTR_bits, MP_ARG_INT, { .u_int = 8 } },
        { MP_QSTR_parity, MP_ARG_OBJ, { .u_rom_obj = MP_ROM_NONE } },
        { MP_QSTR_stop, MP_ARG_INT, { .u_int = 1 } },
        { MP_QSTR_timeout, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_timeout_char, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_rxbuf, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_txbuf, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
    };
    mp_arg_val_t values[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args, pos_args, kw_args, MP_ARRAY_SIZE(allowed), allowed, values);
    mp_int_t parity = values[ARG_parity].u_obj == mp_const_none ? 0 : mp_obj_get_int(values[ARG_parity].u_obj) + 1;
    mp_int_t bits = values[ARG_bits].u_int;
    mp_int_t stop = values[ARG_stop].u_int;
    if (values[ARG_baudrate].u_int < 300 || bits < 7 || bits > 8 || parity < 0 || parity > 2 || stop < 1 || stop > 2
        || values[ARG_timeout].u_int < 0 || values[ARG_timeout_char].u_int < 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid UART setting"));
    }
    self->baudrate = values[ARG_baudrate].u_int;
    self->bits = bits;
    self->parity = parity;
    self->stop = stop;
    self->timeout_ms = values[ARG_timeout].u_int;
    self->timeout_char_ms = values[ARG_timeout_char].u_int;
    self->open = true;
    serial_open(self->id);
}

static mp_obj_t mp_machine_uart_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, MP_OBJ_FUN_ARGS_MAX, true);
    mp_int_t id = mp_obj_get_int(args[0]);
    if (id < 1 || id >= SERIAL_COUNT) {
        mp_raise_ValueError(MP_ERROR_TEXT("UART must be 1 to 4"));
    }
    machine_uart_obj_t *self = &uart_objects[id - 1];
    self->base.type = &machine_uart_type;
    self->id = id;
    mp_map_t keywords;
    mp_map_init_fixed_table(&keywords, n_kw, args + n_args);
    mp_machine_uart_init_helper(self, n_args - 1, args + 1, &keywords);
    return MP_OBJ_FROM_PTR(self);
}

static void mp_machine_uart_deinit(machine_uart_obj_t *self) {
    self->open = false;
    serial_close(self->id);
}

static mp_int_t mp_machine_uart_any(machine_uart_obj_t *self) {
    return serial_any(self->id);
}

static bool mp_machine_uart_txdone(machine_uart_obj_t *self) {
    return true; // `write` returns when the last byte is out
}

static mp_uint_t mp_machine_uart_read(mp_obj_t self_in, void *buffer, mp_uint_t size, int *errcode) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    uint8_t *bytes = buffer;
    mp_uint_t done = 0;
    mp_uint_t begun = mp_hal_ticks_ms();
    mp_uint_t limit = self->timeout_ms;
    while (done < size) {
        int byte = serial_get(self->id);
        if (byte >= 0) {
            bytes[done++] = byte;
            begun = mp_hal_ticks_ms();
            limit = self->timeout_char_ms;
            continue;
        }
        mp_uint_t passed = mp_hal_ticks_ms() - begun;
        if (passed >= limit) {
            break;
        }
        mp_event_wait_ms(limit - passed);
    }
    if (done == 0 && size != 0) {
        *errcode = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return done;
}

static mp_uint_t mp_machine_uart_write(mp_obj_t self_in, const void *buffer, mp_uint_t size, int *errcode) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (!self->open) {
        *errcode = MP_EIO;
        return MP_STREAM_ERROR;
    }
    serial_put(self->id, buffer, size);
    return size;
}

static mp_uint_t mp_machine_uart_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t arg, int *errcode) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (request) {
        case MP_STREAM_POLL: {
            mp_uint_t ready = arg & MP_STREAM_POLL_WR;
            if (serial_any(self->id) != 0) {
                ready |= arg & MP_STREAM_POLL_RD;
            }
            return ready;
        }
        case MP_STREAM_FLUSH:
            return 0;
        default:
            *errcode = MP_EINVAL;
            return MP_STREAM_ERROR;
    }
}
