"""How the card table lies in flash: `card_hash`, `entries`, `checks` (its bytes), `ring` (blocks and pages), `states`
(what is valid), `tree` (the table) with `delta` (what changed since), `stage` (what arrives), `store` (the old table),
`rebuild` and `update` (the new one).

`station.storage.card_table` is the way in, and says what a power cut leaves; nobody else imports these.
"""
