"""For the authorization cache's tests: `CacheCase` boots one on RAM flash, and `told` makes what it says comparable."""

from fakes import FakeClock, FakeLog
from flashes import CuttableFlash
from station.charging.authorization import IdTagInfo, parent_text
from station.charging.cache import Cache
from station.settings import Settings
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region

NOON = 1795345200
HASH = CardHash(b"test" * 8)
FAMILY = parent_text(HASH.parent("FAMILY"))
ACCEPTED = IdTagInfo("Accepted")
BLOCKED = IdTagInfo("Blocked")


def told(info):
    """An IdTagInfo as one can compare it."""
    return info and (info.status, info.expiry, info.parent_id_tag)


class CacheCase:
    """Mixed into a TestCase."""

    def setUp(self):
        self.log = FakeLog()
        self.clock = FakeClock(NOON)
        self.hash = HASH
        self.settings = {"AuthorizationCacheMaxLength": 3, "AuthorizationCacheEnabled": True}
        self.use(CuttableFlash(32))

    def use(self, flash):
        """Boot on this flash."""
        self.flash = flash
        keys = "AuthorizationCacheMaxLength", "AuthorizationCacheEnabled"
        self.settings = Settings(None, self.log, {key: self.settings[key] for key in keys})
        self.journal = Journal(Region(flash, 0, flash.blocks), self.log)
        self.journal.mount()
        self.cache = Cache(self.journal, self.hash, self.settings, self.clock, self.log)
        self.cache.load()

    def cut(self):
        """The power goes and comes back."""
        self.use(self.flash.after())

    def restart(self):
        self.assertTrue(self.cache.flush())
        self.cut()

    def limit(self, length):
        self.assertEqual(self.settings.change("AuthorizationCacheMaxLength", str(length)), "Accepted")

    def enable(self, enabled):
        self.assertEqual(self.settings.change("AuthorizationCacheEnabled", str(enabled)), "Accepted")

    def put(self, keys, info=ACCEPTED):
        for key in keys:
            self.cache.put(key, info)

    def order(self):
        """The cards A to Z that are held, the least recently used first, without using them."""
        index = self.cache._index
        names = {HASH.of(key)[:4]: key for key in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
        return "".join([names[index.prefix(row)] for row in range(index.count)])
