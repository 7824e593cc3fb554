"""Problem documents say the same of an error wherever it is answered."""

from lowtide.errors import NotFound, Unavailable
from lowtide.wire import problem


def test_an_error_becomes_a_document_with_its_code_and_status() -> None:
    assert problem.of_error(NotFound("there is no execution e1")) == {
        "type": "urn:lowtide:problem:not_found",
        "title": "There is no such thing",
        "status": 404,
        "detail": "there is no execution e1",
        "code": "not_found",
    }


def test_what_may_pass_says_so_and_when_to_come_back() -> None:
    document = problem.of_error(Unavailable("PostgreSQL does not answer"))
    assert document["retryable"] is True
    assert problem.headers(document) == {"content-type": "application/problem+json", "retry-after": "2"}


def test_extension_members_travel_along() -> None:
    document = problem.of_status(422, "two mistakes", problems=[{"line": 3}])
    assert (document["code"], document["problems"]) == ("input.invalid", [{"line": 3}])


def test_an_odd_status_still_has_a_code() -> None:
    assert problem.of_status(418)["code"] == "http.418"
    assert problem.of_status(799) == {
        "type": "urn:lowtide:problem:http.799",
        "title": "Error",
        "status": 799,
        "code": "http.799",
    }
