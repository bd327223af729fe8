"""The authorization cache against a model, with restarts, power cuts and failing writes in between."""

import os
import random
import unittest

from caches import ACCEPTED, BLOCKED, FAMILY, NOON, CacheCase, told
from flashes import WAYS, CuttableFlash, PowerCut
from station.charging.authorization import IdTagInfo


class _Model:
    """What a cache must hold: `cards` are [key, told], the least recently used first; `said`: the last word on each."""

    def __init__(self, limit):
        self.limit = limit
        self.cards = []
        self.said = {}
        self.enabled = True

    def of(self, key):
        found = [card for card in self.cards if card[0] == key]
        return found[0] if found else None

    def touch(self, card):
        self.cards.remove(card)
        self.cards.append(card)

    def put(self, key, what):
        card = self.of(key)
        self.said[key] = what
        if not self.enabled:
            if card and card[1] != what:
                self.cards.remove(card)
            return
        if card:
            self.cards.remove(card)
        self.give_up(self.limit - 1)
        self.cards.append([key, what])

    def give_up(self, limit):
        while len(self.cards) > limit:
            bad = [card for card in self.cards if card[1][0] != "Accepted" or 0 < card[1][1] <= NOON]
            self.cards.remove(bad[0] if bad else self.cards[0])


KEYS = "ABCDEFGHIJKL"
INFOS = (
    ACCEPTED,
    ACCEPTED,
    ACCEPTED,
    BLOCKED,
    IdTagInfo("Invalid"),
    IdTagInfo("Accepted", NOON - 5),
    IdTagInfo("Accepted", NOON + 5, FAMILY),
    IdTagInfo("Accepted", 0, FAMILY),
)


def is_believed(info, words):
    """Whether what is held lets in no more than the last word on the card, (status, expiry, parent), does."""
    if info is None or not info.as_of(NOON).accepted:
        return True
    status, expiry, parent = words
    soon_enough = not expiry or 0 < info.expiry <= expiry
    return status == "Accepted" and soon_enough and info.parent_id_tag == parent


class ModelTest(CacheCase, unittest.TestCase):
    """Random work against a model, with restarts and power cuts in between, on a ring that turns often."""

    def begin(self, seed):
        random.seed(seed)
        self.limit(5)
        self.use(CuttableFlash(8, 1024))
        self.model = _Model(5)

    def step(self):
        """One piece of work on both. The model is told first: a cut may come in the midst."""
        model, cache = self.model, self.cache
        key, choice = random.choice(KEYS), random.getrandbits(6)
        if choice == 0:
            model.cards = []
            model.said = {}
            cache.clear()
        elif choice == 1:
            model.enabled = not model.enabled
            self.enable(model.enabled)
        elif choice == 2:
            model.limit = random.choice((1, 3, 5, 8))
            model.give_up(model.limit)
            self.limit(model.limit)
        elif choice < 8:
            cache.flush()
        elif choice < 30:
            card = model.of(key) if model.enabled else None
            if card:
                model.touch(card)
            self.assertEqual(told(cache.get(key)), card and card[1])
        else:
            info = random.choice(INFOS)
            model.put(key, told(info))
            cache.put(key, info)

    def compare(self):
        self.assertEqual(self.order(), "".join([card[0] for card in self.model.cards]))

    def test_with_orderly_restarts(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        for _ in range(3000):
            self.step()
            if not random.getrandbits(4):
                self.compare()
            if not random.getrandbits(6):
                self.restart()
                self.compare()
        print("%d blocks erased" % sum(self.flash.wear))
        self.assertFalse(self.log.at("error"))

    def check_after_cut(self, before):
        """Nothing wrong; what was said last, or before the piece of work that was cut; strangers only by freshness.

        `before` is (what had been said, the keys held) before that piece of work.
        """
        model = self.model
        self.enable(True)
        said, held = before
        here = self.order()
        for key in here:
            words = (model.said.get(key), said.get(key))
            what = told(self.cache.get(key))
            self.assertIn(what, words, "%s is %r, was said to be %r" % (key, what, words))
        for key in held:
            card = model.of(key)
            self.assertTrue(key in here or not card or len(here) >= model.limit, "%s is lost" % key)
        self.assertLessEqual(len(here), model.limit)
        # go on from what is there
        model.enabled = True
        model.cards = [[key, told(self.cache.get(key))] for key in here]
        model.said = {card[0]: card[1] for card in model.cards}
        self.compare()

    def test_with_power_cuts(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        cuts = 0
        for _ in range(1200):
            self.flash.cut(1 + random.getrandbits(5), random.choice(WAYS))
            try:
                while True:
                    before = dict(self.model.said), [card[0] for card in self.model.cards]
                    self.step()
            except PowerCut:
                cuts += 1
            self.cut()
            self.check_after_cut(before)
            self.assertFalse(self.log.at("error"))
            del self.log.lines[:]
        print("%d power cuts, %d blocks erased" % (cuts, sum(self.flash.wear)))

    def test_a_story_cut_at_each_operation(self):
        """The same piece of history, cut at every program and erase in every way."""
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        for _ in range(120):
            self.step()
        start, model_start = self.flash.after(), self.model
        total = 0
        for way in WAYS:
            operation = 0
            while True:
                operation += 1
                self.assertFalse(self.log.at("error"))
                del self.log.lines[:]
                self.model = _Model(model_start.limit)
                self.model.cards = [list(card) for card in model_start.cards]
                self.model.said = dict(model_start.said)
                self.limit(model_start.limit)
                self.enable(True)
                self.use(start.after())
                self.check_after_cut((self.model.said, ""))
                random.seed(seed + 1)
                self.flash.cut(operation, way)
                try:
                    for _ in range(100):
                        before = dict(self.model.said), [card[0] for card in self.model.cards]
                        self.step()
                except PowerCut:
                    total += 1
                    self.cut()
                    self.check_after_cut(before)
                else:
                    break
        print("%d cut points" % total)
        self.assertGreater(total, 20)

    def test_with_failing_writes_nothing_outdated_is_believed(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        refused = 0
        for _ in range(400):
            for _ in range(1 + random.getrandbits(2)):
                self.flash.fail(1 + random.getrandbits(4))
            for _ in range(8):
                model, key = self.model, random.choice(KEYS)
                if random.getrandbits(1):
                    info = random.choice(INFOS)
                    model.said[key] = told(info)
                    self.cache.put(key, info)
                else:
                    self.assertTrue(is_believed(self.cache.get(key), model.said.get(key)), key)
            if not random.getrandbits(2):
                self.flash.mend()
                done = self.cache.flush()
                self.cut()
                if not done:  # the journal has left out every block: flash has the last word that it took
                    self.model.said = {key: told(self.cache.get(key)) for key in self.order()}
                    refused += 1
                for key in self.order():
                    self.assertTrue(is_believed(self.cache.get(key), self.model.said[key]), key)
                del self.log.lines[:]
        print("all was refused %d times" % refused)
        self.assertLess(refused, 100)
