// The LAN9118 under lwIP, and network.LAN. The interrupt only says that something came; frames are taken out of the
// chip between two bytecodes or while a task waits, so lwIP is never entered twice.
#include "board.h"

#include <string.h>

#include "py/runtime.h" // before modnetwork.h, which needs its types

#include "extmod/modnetwork.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#include "py/mperrno.h"
#include "py/mphal.h"

#define LAN(offset) REG(0x40200000 + (offset))
#define RX_DATA LAN(0x00)
#define TX_DATA LAN(0x20)
#define RX_STATUS LAN(0x40)
#define TX_STATUS LAN(0x48)
#define IRQ_CFG LAN(0x54)
#define INT_STS LAN(0x58)
#define INT_EN LAN(0x5c)
#define FIFO_INT LAN(0x68)
#define TX_CFG LAN(0x70)
#define RX_FIFO_INF LAN(0x7c)
#define TX_FIFO_INF LAN(0x80)
#define MAC_COMMAND LAN(0xa4)
#define MAC_VALUE LAN(0xa8)

#define IRQ_ON (0x111) // enabled, active high, push-pull
#define INT_RX_STATUS (1 << 3) // more received frames than FIFO_INT's low byte says
#define TX_ON (1 << 1)
#define TX_ONE_SEGMENT (0x3000) // first and last
#define RX_ERROR (1u << 15)
#define MAC_READ (0xc0000000)
#define MAC_WRITE (0x80000000)
enum { MAC_CR = 1, MAC_ADDRH = 2, MAC_ADDRL = 3 };
#define MAC_CR_ON (0x0c) // both directions
#define FRAME_MAX (1536)
#define CRC_BYTES (4)

typedef struct _lan_obj_t {
    mp_obj_base_t base;
    struct netif netif;
    bool active;
} lan_obj_t;

static lan_obj_t lan = { { &network_lan_type } };
static mp_sched_node_t node;
static uint32_t frame[FRAME_MAX / 4];

u32_t sys_now(void) {
    return mp_hal_ticks_ms();
}

static uint32_t mac_read(uint32_t index) {
    MAC_COMMAND = MAC_READ | index;
    return MAC_VALUE;
}

static void mac_write(uint32_t index, uint32_t value) {
    MAC_VALUE = value;
    MAC_COMMAND = MAC_WRITE | index;
}

static err_t transmit(struct netif *netif, struct pbuf *packet) {
    while (TX_FIFO_INF >> 16 & 0xff) { // nobody asks how a frame fared
        (void)TX_STATUS;
    }
    uint32_t length = packet->tot_len;
    if (length > sizeof(frame) || (TX_FIFO_INF & 0xffff) < length + 16) {
        return ERR_BUF;
    }
    pbuf_copy_partial(packet, frame, (u16_t)length, 0);
    TX_DATA = TX_ONE_SEGMENT | length;
    TX_DATA = length;
    for (uint32_t i = 0; i < (length + 3) / 4; i++) {
        TX_DATA = frame[i];
    }
    return ERR_OK;
}

static void receive(void) {
    INT_STS = INT_RX_STATUS;
    while (RX_FIFO_INF >> 16 & 0xff) {
        uint32_t status = RX_STATUS;
        uint32_t length = status >> 16 & 0x3fff;
        for (uint32_t i = 0; i < (length + 3) / 4; i++) {
            uint32_t word = RX_DATA;
            if (i < sizeof(frame) / 4) {
                frame[i] = word;
            }
        }
        if ((status & RX_ERROR) != 0 || length <= CRC_BYTES || length > sizeof(frame)) {
            continue;
        }
        struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)(length - CRC_BYTES), PBUF_POOL);
        if (packet == NULL) {
            continue; // lost, as on a busy line
        }
        pbuf_take(packet, frame, (u16_t)(length - CRC_BYTES));
        if (lan.netif.input(packet, &lan.netif) != ERR_OK) {
            pbuf_free(packet);
        }
    }
    INT_EN = INT_RX_STATUS;
}

void lan_poll(void) {
    if (lan.active) {
        receive();
    }
    netif_poll_all();
    sys_check_timeouts();
}

uint32_t lan_sleep_ms(void) {
    return sys_timeouts_sleeptime();
}

static void poll_node(mp_sched_node_t *unused) {
    lan_poll();
}

void lan_handler(void) {
    INT_EN = 0; // until the frames have been taken out
    mp_sched_schedule_node(&node, poll_node);
    board_event();
}

static err_t interface_init(struct netif *netif) {
    netif->linkoutput = transmit;
    netif->output = etharp_output;
    netif->mtu = 1500;
    netif->name[0] = 'e';
    netif->name[1] = '0';
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP;
    uint32_t low = mac_read(MAC_ADDRL), high = mac_read(MAC_ADDRH);
    memcpy(netif->hwaddr, &low, 4);
    memcpy(netif->hwaddr + 4, &high, 2);
    netif->hwaddr_len = ETH_HWADDR_LEN;
    return ERR_OK;
}

void lan_init(void) {
    lwip_init();
    IRQ_CFG = IRQ_ON; // before any other register: the line is active low at first, an interrupt without end
    irq_enable(IRQ_LAN, PRIORITY_OTHER);
}

static void start(void) {
    if (lan.active) {
        return;
    }
    netif_add(&lan.netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, NULL, interface_init, ethernet_input);
    netif_set_hostname(&lan.netif, mod_network_hostname_data);
    netif_set_default(&lan.netif);
    FIFO_INT = 0;
    TX_CFG = TX_ON;
    mac_write(MAC_CR, MAC_CR_ON);
    lan.active = true;
    netif_set_up(&lan.netif);
    netif_set_link_up(&lan.netif);
    dns_setserver(0, IP4_ADDR_ANY);
    dhcp_start(&lan.netif);
    INT_EN = INT_RX_STATUS;
}

static void stop(void) {
    if (!lan.active) {
        return;
    }
    INT_EN = 0;
    mac_write(MAC_CR, 0);
    TX_CFG = 0;
    lan.active = false;
    dhcp_release_and_stop(&lan.netif);
    netif_set_link_down(&lan.netif);
    netif_set_down(&lan.netif);
    netif_remove(&lan.netif);
}

void lan_deinit(void) {
    stop();
}

static bool connected(void) {
    return lan.active && !ip4_addr_isany_val(*netif_ip4_addr(&lan.netif));
}

static mp_obj_t lan_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    return MP_OBJ_FROM_PTR(&lan);
}

static mp_obj_t lan_active(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1) {
        return mp_obj_new_bool(lan.active);
    }
    if (mp_obj_is_true(args[1])) {
        start();
    } else {
        stop();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(lan_active_obj, 1, 2, lan_active);

static mp_obj_t lan_isconnected(mp_obj_t self) {
    return mp_obj_new_bool(connected());
}
static MP_DEFINE_CONST_FUN_OBJ_1(lan_isconnected_obj, lan_isconnected);

// status(): 0 off, 2 no address yet, 3 connected, as the STM32 port counts
static mp_obj_t lan_status(mp_obj_t self) {
    return MP_OBJ_NEW_SMALL_INT(connected() ? 3 : lan.active ? 2 : 0);
}
static MP_DEFINE_CONST_FUN_OBJ_1(lan_status_obj, lan_status);

static void check_active(void) {
    if (!lan.active) {
        mp_raise_OSError(MP_ENODEV);
    }
}

static mp_obj_t lan_ifconfig(size_t n_args, const mp_obj_t *args) {
    check_active();
    return mod_network_nic_ifconfig(&lan.netif, n_args - 1, args + 1);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(lan_ifconfig_obj, 1, 2, lan_ifconfig);

static mp_obj_t lan_ipconfig(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    check_active();
    return mod_network_nic_ipconfig(&lan.netif, n_args - 1, args + 1, keywords);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(lan_ipconfig_obj, 1, lan_ipconfig);

static mp_obj_t lan_config(mp_obj_t self, mp_obj_t name) {
    check_active();
    if (mp_obj_str_get_qstr(name) != MP_QSTR_mac) {
        mp_raise_ValueError(MP_ERROR_TEXT("unknown config param"));
    }
    return mp_obj_new_bytes(lan.netif.hwaddr, ETH_HWADDR_LEN);
}
static MP_DEFINE_CONST_FUN_OBJ_2(lan_config_obj, lan_config);

static const mp_rom_map_elem_t lan_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_active), MP_ROM_PTR(&lan_active_obj) },
    { MP_ROM_QSTR(MP_QSTR_isconnected), MP_ROM_PTR(&lan_isconnected_obj) },
    { MP_ROM_QSTR(MP_QSTR_status), MP_ROM_PTR(&lan_status_obj) },
    { MP_ROM_QSTR(MP_QSTR_ifconfig), MP_ROM_PTR(&lan_ifconfig_obj) },
    { MP_ROM_QSTR(MP_QSTR_ipconfig), MP_ROM_PTR(&lan_ipconfig_obj) },
    { MP_ROM_QSTR(MP_QSTR_config), MP_ROM_PTR(&lan_config_obj) },
};
static MP_DEFINE_CONST_DICT(lan_locals, lan_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    network_lan_type,
    MP_QSTR_LAN,
    MP_TYPE_FLAG_NONE,
    make_new, lan_make_new,
    locals_dict, &lan_locals
    );
