// The module `qemu`: what the emulator gives beyond a board. Flash is in flash.c.
#include "board.h"
#include "semihost.h"

#include "py/mperrno.h"
#include "py/runtime.h"

#define VALUE_MAX (2048) // as long as the whole command line can be

extern const mp_obj_type_t board_flash_type;

// argument(name): the value of `-semihosting-config arg=name=value`, or None
static mp_obj_t qemu_argument(mp_obj_t name) {
    char value[VALUE_MAX];
    if (!host_argument(mp_obj_str_get_str(name), value, sizeof(value))) {
        return mp_const_none;
    }
    return mp_obj_new_str_from_cstr(value);
}
static MP_DEFINE_CONST_FUN_OBJ_1(qemu_argument_obj, qemu_argument);

static int open_or_raise(mp_obj_t path) {
    int file = host_open(mp_obj_str_get_str(path), HOST_READ);
    if (file < 0) {
        mp_raise_OSError(MP_ENOENT);
    }
    return file;
}

// host_size(path): the length of a file of the host, -1 for a folder; raises OSError if there is neither
static mp_obj_t qemu_host_size(mp_obj_t path) {
    int file = open_or_raise(path);
    int32_t length = host_length(file);
    uint8_t first;
    if (length > 0 && host_read(file, &first, 1) != 1) {
        length = -1; // opens as a file does, but there is nothing to read
    }
    host_close(file);
    return mp_obj_new_int(length);
}
static MP_DEFINE_CONST_FUN_OBJ_1(qemu_host_size_obj, qemu_host_size);

// read_host_file(path): its bytes; raises OSError
static mp_obj_t qemu_read_host_file(mp_obj_t path) {
    int file = open_or_raise(path);
    int32_t length = host_length(file);
    if (length < 0) {
        host_close(file);
        mp_raise_OSError(MP_EIO);
    }
    vstr_t bytes;
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) { // no memory: the host's file must not stay open
        host_close(file);
        nlr_jump(nlr.ret_val);
    }
    vstr_init_len(&bytes, length);
    nlr_pop();
    size_t done = host_read(file, bytes.buf, length);
    host_close(file);
    if (done != (size_t)length) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_obj_new_bytes_from_vstr(&bytes);
}
static MP_DEFINE_CONST_FUN_OBJ_1(qemu_read_host_file_obj, qemu_read_host_file);

// write_host_file(path, data): makes or replaces it; raises OSError
static mp_obj_t qemu_write_host_file(mp_obj_t path, mp_obj_t data) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(data, &buffer, MP_BUFFER_READ);
    int file = host_open(mp_obj_str_get_str(path), HOST_CREATE);
    if (file < 0) {
        mp_raise_OSError(MP_ENOENT);
    }
    bool done = host_write(file, buffer.buf, buffer.len);
    host_close(file);
    if (!done) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(qemu_write_host_file_obj, qemu_write_host_file);

// rename_host_file(from, to): replaces what is at `to`, as a whole; raises OSError
static mp_obj_t qemu_rename_host_file(mp_obj_t from, mp_obj_t to) {
    if (!host_rename(mp_obj_str_get_str(from), mp_obj_str_get_str(to))) {
        mp_raise_OSError(MP_ENOENT);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(qemu_rename_host_file_obj, qemu_rename_host_file);

// host_time(): seconds since 1970
static mp_obj_t qemu_host_time(void) {
    return mp_obj_new_int_from_uint(host_time());
}
static MP_DEFINE_CONST_FUN_OBJ_0(qemu_host_time_obj, qemu_host_time);

// busy_ticks(): of 40 ns since the start in which the processor ran, not stopped to wait. With -icount it counts instructions
static mp_obj_t qemu_busy_ticks(void) {
    return mp_obj_new_int_from_ull(clock_ticks() - clock_idle_ticks());
}
static MP_DEFINE_CONST_FUN_OBJ_0(qemu_busy_ticks_obj, qemu_busy_ticks);

// exit(status): ends the emulator
static mp_obj_t qemu_exit(mp_obj_t status) {
    board_exit(mp_obj_get_int(status));
}
static MP_DEFINE_CONST_FUN_OBJ_1(qemu_exit_obj, qemu_exit);

static const mp_rom_map_elem_t qemu_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_qemu) },
    { MP_ROM_QSTR(MP_QSTR_argument), MP_ROM_PTR(&qemu_argument_obj) },
    { MP_ROM_QSTR(MP_QSTR_host_size), MP_ROM_PTR(&qemu_host_size_obj) },
    { MP_ROM_QSTR(MP_QSTR_read_host_file), MP_ROM_PTR(&qemu_read_host_file_obj) },
    { MP_ROM_QSTR(MP_QSTR_write_host_file), MP_ROM_PTR(&qemu_write_host_file_obj) },
    { MP_ROM_QSTR(MP_QSTR_rename_host_file), MP_ROM_PTR(&qemu_rename_host_file_obj) },
    { MP_ROM_QSTR(MP_QSTR_host_time), MP_ROM_PTR(&qemu_host_time_obj) },
    { MP_ROM_QSTR(MP_QSTR_busy_ticks), MP_ROM_PTR(&qemu_busy_ticks_obj) },
    { MP_ROM_QSTR(MP_QSTR_exit), MP_ROM_PTR(&qemu_exit_obj) },
    { MP_ROM_QSTR(MP_QSTR_Flash), MP_ROM_PTR(&board_flash_type) },
};
static MP_DEFINE_CONST_DICT(qemu_globals, qemu_globals_table);

const mp_obj_module_t qemu_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&qemu_globals,
};

MP_REGISTER_MODULE(MP_QSTR_qemu, qemu_module);
