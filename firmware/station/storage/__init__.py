"""What survives a power cut: `region` (raw flash), `journal` on `blocks` (what happened), `atomic` on
`filesystem` (small files).

Each file says in its first lines what a power cut leaves. Nothing here knows what the bytes mean.
"""
