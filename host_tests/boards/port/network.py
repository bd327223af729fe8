"""A port's `network`: an interface whose cable is out."""

PHY_W5500 = 10
PHY_LAN8720 = 1
interfaces = []  # that were made


class LAN:
    def __init__(self, *_, **words):
        self.words = words
        self.on = False
        interfaces.append(self)

    def active(self, on):
        self.on = on

    def isconnected(self):
        return False

    def ifconfig(self):
        return ("0.0.0.0", "", "", "")
