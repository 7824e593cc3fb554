"""Which programs may run in this process."""

import pytest

from lowtide.expressions.cost import is_cheap

_TEXT = "0" * 200


@pytest.mark.parametrize(
    "program", [".a.b", "$context + {total: .total}", '{a: 1, "b": .c}', "[.[] | select(.price > 3)]", ". as $x | $x"]
)
def test_what_is_surely_quick_stays_in_process(program: str) -> None:
    assert is_cheap(program, _TEXT)


@pytest.mark.parametrize(
    "program", ["repeat(.)", "{a: repeat(1)}", "{repeat: 1} | repeat(.)", "range(1e9)", 'test("(a+)+$")', "def f: f; f"]
)
def test_what_may_take_long_goes_to_a_worker(program: str) -> None:
    assert not is_cheap(program, _TEXT)


def _array(count: int) -> str:
    return "[" + ",".join("1" * count) + "]"


@pytest.mark.parametrize(
    ("program", "text"),
    [
        # Code that looks like text.
        (r'"\(("")|[repeat(1)])"', "0"),
        ('# "\n[repeat(1)] # "', "0"),
        ("[.[combinations:0]]", "0"),
        # Numbers that say how much memory is filled.
        ('"x" * (1/1e-9)', "0"),
        ('"x" * now', "0"),
        ('"x" * ("9"+"9"+"9"+"9"+"9"+"9"+"9"+"9"+"9"|tonumber)', "0"),
        (r'"x" * ("1\u00659"|fromjson)', "0"),
        (".a * .b", '{"a": "' + "x" * 9_000 + '", "b": 999999}'),
        (".[99999999] = 1", "0"),
        (".[.n] = 1", '{"n": 99999999}'),
        ("setpath([99999999]; 1)", "0"),
        ("pick(.[99999999])", "0"),
        # Copies of copies.
        ('"xxxxxxxx"' + "|.+." * 28, "0"),
        ('"xxxxxxxx"' + r'|"\(.)\(.)"' * 28, "0"),
        (r'"\""' + "|tojson" * 24, "0"),
        (r'"\""' + "|@json" * 24, "0"),
        ('"\'"' + "|@sh" * 16, "0"),
        ('reduce .[] as $x ("x"; . + .)', _array(30)),
        # Every element with every other, or with the whole.
        ("[.[] as $a | .[] as $b | 1]", _array(17_400)),
        (". - .", _array(17_400)),
        ("[.[] as $x | $x + $context]", _array(20_000)),
        ("map({a: 1, b: $context})", _array(20_000)),
        ("[{a: .[], b: .}]", _array(20_000)),
        (".s as $s | .e | join($s)", '{"s": "' + "x" * 60_000 + '", "e": ' + _array(30_000) + "}"),
        ("[paths]", "[" * 5_000 + "]" * 5_000),
        # The input alone.
        (".x", '{"x": "' + "y" * 1_000_000 + '"}'),
    ],
)
def test_no_way_around_the_estimate_is_known(program: str, text: str) -> None:
    assert not is_cheap(program, text)


@pytest.mark.parametrize(
    "program",
    [
        ".items | map(.price * .quantity) | add",
        '{id, total: (.items | map(.price) | add), note: "for \\(.name)", at: $context.at}',
        ".items | map(select(.stock > 0)) | sort_by(.price) | first",
        'if .n > 3 then "many" else "few" end',
        '.names | join(", ")',
        ".count += 1",
        "[.[] | .id]",
    ],
)
def test_everyday_programs_on_a_kilobyte_stay_in_process(program: str) -> None:
    item = '{"id": "0190-7000-8000", "name": "Lamp", "price": 12.5, "quantity": 3, "stock": 7}'
    assert is_cheap(program, '{"name": "Ada", "items": [' + ", ".join([item] * 12) + "]}")
