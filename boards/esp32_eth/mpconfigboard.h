#define MICROPY_HW_BOARD_NAME "Ladepunkt ESP32 Ethernet"
#define MICROPY_HW_MCU_NAME "ESP32"

// The application's slot.
#define MICROPY_VFS_ROM (1)

// A charging station is wired.
#define MICROPY_PY_NETWORK_WLAN (0)
#define MICROPY_PY_ESPNOW (0)
