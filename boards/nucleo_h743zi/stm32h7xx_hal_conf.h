// What the port's base configuration wants to know of the board's oscillators.
#ifndef LADEPUNKT_STM32H7XX_HAL_CONF_H
#define LADEPUNKT_STM32H7XX_HAL_CONF_H

// Hz
#define HSE_VALUE (8000000)
#define LSE_VALUE (32768)
#define EXTERNAL_CLOCK_VALUE (12288000)

// ms
#define HSE_STARTUP_TIMEOUT (5000)
#define LSE_STARTUP_TIMEOUT (5000)

#include "boards/stm32h7xx_hal_conf_base.h"

#endif
