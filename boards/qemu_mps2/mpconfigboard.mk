# The board for MicroPython's ports/qemu, out of tree: our C joins the port's, three of its functions are wrapped.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385

CFLAGS += -mthumb -mcpu=cortex-m3 -mfloat-abi=soft
CFLAGS += -DQEMU_SOC_MPS2
CFLAGS += -DMICROPY_HW_MCU_NAME='"Cortex-M3"'
MPY_CROSS_FLAGS += -march=armv7m

# mpconfigboard.h comes in place of the port's mpconfigport.h, which it includes.
CFLAGS += -DMP_CONFIGFILE='<mpconfigboard.h>'
QSTR_GLOBAL_DEPENDENCIES += $(BOARD_DIR)/mpconfigboard.h
INC += -I$(BOARD_DIR)
vpath %.c $(BOARD_DIR)

LDSCRIPT = $(BOARD_DIR)/board.ld
LDFLAGS += $(foreach name,main exit gc_collect mp_hal_stdio_poll mp_hal_stdin_rx_chr,-Wl,--wrap=$(name))

MICROPY_VFS_LFS2 = 1
MICROPY_PY_SSL = 1
MICROPY_SSL_MBEDTLS = 1
MBEDTLS_CONFIG_FILE = \"tls_config.h\"
MICROPY_PY_LWIP = 1

SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
SRC_C += board.c semihost.c clock.c timers.c serial.c flash.c modqemu.c lan.c rtc.c tls_port.c
SRC_C += shared/runtime/softtimer.c shared/runtime/mpirq.c shared/timeutils/timeutils.c
