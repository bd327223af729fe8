#define MICROPY_HW_BOARD_NAME "Ladepunkt ESP32-S3 Ethernet"
#define MICROPY_HW_MCU_NAME "ESP32S3"

// The log goes to UART 0 as well as to USB.
#define MICROPY_HW_ENABLE_UART_REPL (1)

// The application's slot.
#define MICROPY_VFS_ROM (1)

// A charging station is wired.
#define MICROPY_PY_NETWORK_WLAN (0)
#define MICROPY_PY_ESPNOW (0)
