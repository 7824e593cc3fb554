"""What connections are told before they are made."""

from __future__ import annotations

from lowtide.storage.database import kept_alive


def test_a_server_whose_machine_is_gone_is_noticed_by_tcp_unless_the_url_says_how() -> None:
    usual = kept_alive("postgresql://shop@db.example/control")
    assert usual["tcp_user_timeout"] == 30_000
    assert usual["keepalives_idle"] + usual["keepalives_count"] * usual["keepalives_interval"] <= 30
    said = kept_alive("postgresql://shop@db.example/control?keepalives_idle=60")
    assert said == {name: value for name, value in usual.items() if name != "keepalives_idle"}
