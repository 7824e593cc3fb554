"""A stand-in for petstore.swagger.io: the answers that its documentation gives, and a Swagger 2.0 document of it."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.standins.internet import Answer, Request

__all__ = ["petstore"]

_PETS: Final = {
    number: {
        "id": number,
        "category": {"id": 1, "name": "dogs"},
        "name": name,
        "photoUrls": [],
        "tags": [],
        "status": "available",
    }
    for number, name in ((1, "Rex"), (2, "Bella"), (69, "Luna"))
}

_DOCUMENT: Final[dict[str, Any]] = {
    "swagger": "2.0",
    "info": {"title": "Petstore", "version": "1.0.7"},
    "host": "petstore.swagger.io",
    "basePath": "/v2",
    "schemes": ["https", "http"],
    "paths": {
        "/pet/findByStatus": {
            "get": {
                "operationId": "findPetsByStatus",
                "produces": ["application/json"],
                "parameters": [
                    {
                        "name": "status",
                        "in": "query",
                        "required": True,
                        "type": "array",
                        "items": {"type": "string", "enum": ["available", "pending", "sold"]},
                        "collectionFormat": "multi",
                    }
                ],
                "responses": {"200": {"description": "pets"}},
            }
        },
        "/pet/{petId}": {
            "get": {
                "operationId": "getPetById",
                "produces": ["application/json"],
                "parameters": [{"name": "petId", "in": "path", "required": True, "type": "integer", "format": "int64"}],
                "responses": {"200": {"description": "a pet"}, "404": {"description": "no such pet"}},
            }
        },
    },
}


def petstore(request: Request) -> Answer:
    """Pets 1, 2 and 69; what is put to a pet is answered; everything else is not found."""
    if request.path == "/v2/swagger.json":
        return Answer(body=_DOCUMENT)
    if request.method == "GET" and request.path == "/v2/pet/findByStatus":
        return Answer(body=[pet for pet in _PETS.values() if pet["status"] == request.query.get("status")])
    found = re.fullmatch(r"/v2/pet/(\d+)", request.path)
    if found is not None and int(found[1]) in _PETS:
        return Answer(body=request.json if request.method == "PUT" else _PETS[int(found[1])])
    return Answer(404, {"code": 1, "type": "error", "message": "Pet not found"})
