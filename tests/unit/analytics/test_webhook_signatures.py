"""Signatures of webhooks are those that the libraries of Standard Webhooks make and verify."""

from __future__ import annotations

from analytics_api.alerts.webhooks import signature


def test_a_signature_is_that_of_the_reference_library() -> None:
    """What ``standardwebhooks`` 1.1 for Python signs with the same secret, id, moment and body."""
    secret, message = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "6d1f0c9e-8a55-5a2e-9a7d-3d0f6a1b2c3d:fired"
    signed = signature(secret, message, 1764115200, b'{"type":"dev.lowtide.alert.fired.v1"}')
    assert signed == "v1,WdZoGac1/fsgLZH+Adkp8rnjjcU3trUjNIe3rId1CB0="
