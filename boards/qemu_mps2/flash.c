// qemu.Flash: a NOR flash chip whose image is a file of the host, as long as the highest byte ever written.
// Beyond its end the chip reads as erased. What has been programmed or erased is in the host's hands at once: a killed
// emulator leaves each finished program and erase, and at most the one under way in part, as a power cut does.
#include "board.h"
#include "semihost.h"

#include <string.h>

#include "extmod/vfs.h"
#include "py/binary.h"
#include "py/mperrno.h"
#include "py/runtime.h"

#define CHUNK (4096) // programmed in one go up to this size

typedef struct _flash_obj_t {
    mp_obj_base_t base;
    int file;
    uint32_t blocks, block_size, word;
    uint32_t length; // of the file
    bool strict;
    uint32_t reads, programs, erases;
    uint64_t bytes_read, bytes_programmed;
} flash_obj_t;

static uint8_t chunk[CHUNK];

static mp_obj_t flash_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *all) {
    enum { ARG_path, ARG_blocks, ARG_block_size, ARG_strict, ARG_word };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_path, MP_ARG_REQUIRED | MP_ARG_OBJ, { .u_obj = MP_OBJ_NULL } },
        { MP_QSTR_blocks, MP_ARG_REQUIRED | MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_block_size, MP_ARG_INT, { .u_int = 4096 } },
        { MP_QSTR_strict, MP_ARG_BOOL, { .u_bool = false } },
        { MP_QSTR_word, MP_ARG_INT, { .u_int = 32 } },
    };
    mp_arg_val_t values[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all_kw_array(n_args, n_kw, all, MP_ARRAY_SIZE(allowed), allowed, values);
    mp_int_t blocks = values[ARG_blocks].u_int, block_size = values[ARG_block_size].u_int, word = values[ARG_word].u_int;
    if (blocks < 1 || block_size < 128 || word < 1 || blocks > 0x7fffffff / block_size) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid flash geometry"));
    }
    const char *path = mp_obj_str_get_str(values[ARG_path].u_obj);
    int file = host_open(path, HOST_UPDATE);
    if (file < 0) {
        file = host_open(path, HOST_CREATE);
    }
    if (file < 0) {
        mp_raise_OSError(MP_ENOENT);
    }
    flash_obj_t *self = mp_obj_malloc(flash_obj_t, type);
    self->file = file;
    self->blocks = blocks;
    self->block_size = block_size;
    self->word = word;
    self->strict = values[ARG_strict].u_bool;
    self->length = host_length(file);
    self->reads = self->programs = self->erases = 0;
    self->bytes_read = self->bytes_programmed = 0;
    return MP_OBJ_FROM_PTR(self);
}

static void fetch(flash_obj_t *self, uint32_t position, uint8_t *data, uint32_t length) {
    uint32_t there = position < self->length ? self->length - position : 0;
    there = there < length ? there : length;
    if (there != 0 && (!host_seek(self->file, position) || host_read(self->file, data, there) != there)) {
        mp_raise_OSError(MP_EIO);
    }
    memset(data + there, 0xff, length - there);
}

static void store(flash_obj_t *self, uint32_t position, const uint8_t *data, uint32_t length) {
    if (!host_seek(self->file, position) || !host_write(self->file, data, length)) {
        mp_raise_OSError(MP_EIO);
    }
    if (position + length > self->length) {
        self->length = position + length;
    }
}

static void fill(flash_obj_t *self, uint32_t position, uint32_t length) {
    memset(chunk, 0xff, sizeof(chunk));
    while (length != 0) {
        uint32_t part = length < CHUNK ? length : CHUNK;
        store(self, position, chunk, part);
        position += part;
        length -= part;
    }
}

// The place of a request on the chip; raises EINVAL outside of it.
static uint32_t position_of(flash_obj_t *self, mp_int_t block, mp_int_t offset, size_t length) {
    int64_t position = (int64_t)block * self->block_size + offset;
    if (position < 0 || position + length > (int64_t)self->blocks * self->block_size) {
        mp_raise_OSError(MP_EINVAL);
    }
    return (uint32_t)position;
}

static void erase(flash_obj_t *self, mp_int_t block) {
    uint32_t position = position_of(self, block, 0, self->block_size);
    if (position < self->length) {
        fill(self, position, self->block_size);
    }
    self->erases++;
}

// NOR programs bits from 1 to 0 only. What asks for more is a mistake of the writer: EINVAL, and nothing is programmed
// of this chunk. `strict`: also a word that is not erased, as an STM32H7 would fail.
static void program(flash_obj_t *self, uint32_t position, const uint8_t *data, size_t length) {
    if (self->strict && (position % self->word != 0 || length % self->word != 0)) {
        mp_raise_OSError(MP_EINVAL);
    }
    if (position > self->length) {
        fill(self, self->length, position - self->length); // a hole in the file would read as zeros
    }
    for (size_t done = 0; done < length;) {
        uint32_t part = length - done < CHUNK ? length - done : CHUNK;
        fetch(self, position + done, chunk, part);
        for (uint32_t i = 0; i < part; i++) {
            uint8_t old = chunk[i], new = data[done + i];
            if ((new & ~old) != 0 || (self->strict && old != 0xff)) {
                mp_raise_OSError(MP_EINVAL);
            }
            chunk[i] = old & new;
        }
        store(self, position + done, chunk, part);
        done += part;
    }
    self->programs++;
    self->bytes_programmed += length;
}

static mp_obj_t flash_readblocks(size_t n_args, const mp_obj_t *args) {
    flash_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_WRITE);
    mp_int_t offset = n_args == 4 ? mp_obj_get_int(args[3]) : 0;
    uint32_t position = position_of(self, mp_obj_get_int(args[1]), offset, buffer.len);
    fetch(self, position, buffer.buf, buffer.len);
    self->reads++;
    self->bytes_read += buffer.len;
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_readblocks_obj, 3, 4, flash_readblocks);

// With an offset programs; without one erases the blocks first, as MicroPython's simple interface.
static mp_obj_t flash_writeblocks(size_t n_args, const mp_obj_t *args) {
    flash_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_READ);
    mp_int_t block = mp_obj_get_int(args[1]), offset = 0;
    if (n_args == 4 && args[3] != mp_const_none) {
        offset = mp_obj_get_int(args[3]);
    } else {
        for (uint32_t i = 0; i < buffer.len / self->block_size; i++) {
            erase(self, block + i);
        }
    }
    program(self, position_of(self, block, offset, buffer.len), buffer.buf, buffer.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(flash_writeblocks_obj, 3, 4, flash_writeblocks);

static mp_obj_t flash_ioctl(mp_obj_t self_in, mp_obj_t operation, mp_obj_t argument) {
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (mp_obj_get_int(operation)) {
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return mp_obj_new_int(self->blocks);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return mp_obj_new_int(self->block_size);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE:
            erase(self, mp_obj_get_int(argument));
            return MP_OBJ_NEW_SMALL_INT(0);
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(flash_ioctl_obj, flash_ioctl);

// A stretch of the chip as the processor reads it: `count` blocks from `first` on. The chip of a board is in the
// processor's address space; this one is copied to memory outside of the heap, each stretch to a place of its own.
static mp_obj_t flash_mapped(mp_obj_t self_in, mp_obj_t first_in, mp_obj_t count_in) {
    extern uint8_t _smapped, _emapped;
    static uint8_t *next = &_smapped;
    static struct { uint32_t position; uint8_t *start; } stretches[2];
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    uint32_t length = mp_obj_get_int(count_in) * self->block_size;
    uint32_t position = position_of(self, mp_obj_get_int(first_in), 0, length);
    for (size_t i = 0; i < MP_ARRAY_SIZE(stretches); i++) {
        if (stretches[i].start == NULL) {
            if (length > (size_t)(&_emapped - next)) {
                break;
            }
            stretches[i].position = position;
            stretches[i].start = next;
            next += length;
            fetch(self, position, stretches[i].start, length);
        }
        if (stretches[i].position == position) {
            return mp_obj_new_memoryview('B', length, stretches[i].start);
        }
    }
    mp_raise_OSError(MP_ENOMEM);
}
static MP_DEFINE_CONST_FUN_OBJ_3(flash_mapped_obj, flash_mapped);

static mp_obj_t flash_close(mp_obj_t self_in) {
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    host_close(self->file);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(flash_close_obj, flash_close);

// The counters: read as attributes.
static void flash_attr(mp_obj_t self_in, qstr name, mp_obj_t *destination) {
    flash_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (destination[0] != MP_OBJ_NULL) {
        return;
    }
    switch (name) {
        case MP_QSTR_reads:
            destination[0] = mp_obj_new_int_from_uint(self->reads);
            break;
        case MP_QSTR_programs:
            destination[0] = mp_obj_new_int_from_uint(self->programs);
            break;
        case MP_QSTR_erases:
            destination[0] = mp_obj_new_int_from_uint(self->erases);
            break;
        case MP_QSTR_bytes_read:
            destination[0] = mp_obj_new_int_from_ull(self->bytes_read);
            break;
        case MP_QSTR_bytes_programmed:
            destination[0] = mp_obj_new_int_from_ull(self->bytes_programmed);
            break;
        default:
            destination[1] = MP_OBJ_SENTINEL; // a method
    }
}

static const mp_rom_map_elem_t flash_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&flash_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&flash_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&flash_ioctl_obj) },
    { MP_ROM_QSTR(MP_QSTR_mapped), MP_ROM_PTR(&flash_mapped_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&flash_close_obj) },
};
static MP_DEFINE_CONST_DICT(flash_locals, flash_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    board_flash_type,
    MP_QSTR_Flash,
    MP_TYPE_FLAG_NONE,
    make_new, flash_make_new,
    attr, flash_attr,
    locals_dict, &flash_locals
    );
