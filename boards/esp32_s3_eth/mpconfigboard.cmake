set(IDF_TARGET esp32s3)

# Of the base image, as packages and the backend know it
set(PROJECT_VER "1.0.0")

# sdkconfig.ble is left out: the station has no use for Bluetooth, and its flash has.
set(SDKCONFIG_DEFAULTS
    boards/sdkconfig.base
    boards/sdkconfig.usb
    boards/sdkconfig.spiram_sx
    boards/sdkconfig.240mhz
    boards/sdkconfig.spiram_oct
    ${MICROPY_BOARD_DIR}/sdkconfig.board
    ${CMAKE_BINARY_DIR}/sdkconfig.partitions
)

# The port takes the table's name to be within its own folder; this board lies elsewhere.
file(WRITE ${CMAKE_BINARY_DIR}/sdkconfig.partitions
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/partitions.csv\"\n"
)

# flashmap
set(USER_C_MODULES ${MICROPY_BOARD_DIR}/../common/flashmap/micropython.cmake)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
