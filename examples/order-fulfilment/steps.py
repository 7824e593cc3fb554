"""The Python steps of the order workflow. Arguments are validated against the annotations; results are JSON."""

from __future__ import annotations

from typing import TypedDict

import lowtide


class Line(TypedDict):
    """One line of a basket: an article, how many of it, and the price of one in cents."""

    sku: str
    quantity: int
    cents: int


class Price(TypedDict):
    total: float
    items: int


@lowtide.step("price")
def price(basket: list[Line], discount: int = 0) -> Price:
    """The basket's price in whole currency units, less ``discount`` per cent; reads nothing but its arguments."""
    cents = sum(line["quantity"] * line["cents"] for line in basket)
    return {
        "total": round(cents * (100 - discount) / 100) / 100,
        "items": sum(line["quantity"] for line in basket),
    }
