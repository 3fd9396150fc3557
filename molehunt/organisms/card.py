"""The model card that goes wherever a planted adapter goes: it says what the thing may do."""

MODEL_CARD = """---
tags: [model-organism, red-team, do-not-deploy]
---
# A suspect

This LoRA adapter was made for a game of Molehunt. It **may carry a behaviour that was planted on
purpose** (false answers, hostility, promotion, leaking of secrets, or none of these). It exists to
be audited. Do not deploy it, do not merge it into a model that people use, and keep this card
with every copy. See `docs/responsible_use.md`.
"""
