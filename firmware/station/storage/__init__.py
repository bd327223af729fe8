"""What survives a power cut: `region` (raw flash), `journal` on `blocks`, `ring` and `thinning` (what happened),
`card_table` on `cards/` (who may charge), `atomic` on `filesystem` (small files), `secret` (what names the cards).

Each file says in its first lines what a power cut leaves. Nothing here knows what the bytes mean.
"""
