// flashmap.map(label): a partition as the processor reads it, a read-only buffer. The port itself maps only the partition
// "romfs", and the application's second slot is another. A mapping stays until the reset.
#include "esp_partition.h"
#include "py/mperrno.h"
#include "py/runtime.h"

static mp_obj_t flashmap_map(mp_obj_t label_in) {
    const char *label = mp_obj_str_get_str(label_in);
    const esp_partition_t *found = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
    if (found == NULL) {
        mp_raise_OSError(MP_ENODEV);
    }
    const void *start;
    esp_partition_mmap_handle_t handle;
    if (esp_partition_mmap(found, 0, found->size, ESP_PARTITION_MMAP_DATA, &start, &handle) != ESP_OK) {
        mp_raise_OSError(MP_ENOMEM);
    }
    return mp_obj_new_memoryview('B', found->size, (void *)start);
}
static MP_DEFINE_CONST_FUN_OBJ_1(flashmap_map_obj, flashmap_map);

static const mp_rom_map_elem_t flashmap_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_flashmap) },
    { MP_ROM_QSTR(MP_QSTR_map), MP_ROM_PTR(&flashmap_map_obj) },
};
static MP_DEFINE_CONST_DICT(flashmap_globals, flashmap_globals_table);

const mp_obj_module_t flashmap_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&flashmap_globals,
};
MP_REGISTER_MODULE(MP_QSTR_flashmap, flashmap_module);
