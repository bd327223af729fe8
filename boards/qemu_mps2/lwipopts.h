// lwIP's options: MicroPython's common ones, with memory for a handful of connections at full segment size.
#ifndef QEMU_MPS2_LWIPOPTS_H
#define QEMU_MPS2_LWIPOPTS_H

#define LWIP_IPV6 0
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_LOOPIF_MULTICAST 1
#define LWIP_LOOPBACK_MAX_PBUFS 8
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_RAND() board_random32()

#define MEM_SIZE (24 * 1024)
#define TCP_MSS (1460)
#define TCP_WND (4 * TCP_MSS) // what the LAN9118's receive FIFO holds
#define TCP_SND_BUF (4 * TCP_MSS)
#define MEMP_NUM_TCP_SEG (48)
#define MEMP_NUM_TCP_PCB (12)
#define PBUF_POOL_SIZE (24)

#include "extmod/lwip-include/lwipopts_common.h"

#endif
