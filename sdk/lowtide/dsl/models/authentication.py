"""Authentication: basic, bearer, digest, oauth2, oidc; each inline or from a secret; and by name."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, Tag

from lowtide.dsl.models.base import Model, by_key
from lowtide.dsl.models.values import Uri

__all__ = ["SCHEMES", "Policy", "PolicyOrName"]

SCHEMES = ("basic", "bearer", "digest", "oauth2", "oidc")
_MEND = "give one of basic, bearer, digest, oauth2, oidc, or use: the name of one in use.authentications"


class FromSecret(Model):
    """The whole configuration comes from a secret."""

    use: str = Field(min_length=1)


class Credentials(Model):
    username: str = Field(examples=["${ $secrets.shop.username }"])
    password: str = Field(examples=["${ $secrets.shop.password }"])


class Token(Model):
    token: str = Field(examples=["${ $secrets.shop.token }"])


class OAuth2Client(Model):
    id: str | None = None
    secret: str | None = None
    assertion: str | None = None
    authentication: (
        Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"] | None
    ) = None


class OAuth2Request(Model):
    encoding: Literal["application/x-www-form-urlencoded", "application/json"] | None = None


class OAuth2Token(Model):
    token: str = Field(examples=["${ .token }"])
    type: str = Field(examples=["urn:ietf:params:oauth:token-type:access_token"])


class OAuth2Endpoints(Model):
    token: Uri | None = None
    revocation: Uri | None = None
    introspection: Uri | None = None


class OpenIdConnect(Model):
    authority: Uri = Field(examples=["https://login.example.com"])
    grant: Literal[
        "authorization_code",
        "client_credentials",
        "password",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] = Field(examples=["client_credentials"])
    client: OAuth2Client | None = None
    request: OAuth2Request | None = None
    issuers: list[str] | None = None
    scopes: list[str] | None = None
    audiences: list[str] | None = None
    username: str | None = None
    password: str | None = None
    subject: OAuth2Token | None = None
    actor: OAuth2Token | None = None


class OAuth2(OpenIdConnect):
    endpoints: OAuth2Endpoints | None = None


_USERNAME = by_key(("use", "username", "password"), "credentials are expected", "give username and password, or use")
_TOKEN = by_key(("use", "token"), "a token is expected", "give token, or use: the name of a secret")
_OAUTH = by_key(("use", "authority", "grant", "client"), "a configuration is expected", "give authority and grant")

_Secret: TypeAlias = Annotated[FromSecret, Tag("<use>")]
_CredentialsOrSecret: TypeAlias = Annotated[
    _Secret | Annotated[Credentials, Tag("<username>")] | Annotated[Credentials, Tag("<password>")], _USERNAME
]


class Basic(Model):
    basic: _CredentialsOrSecret


class Bearer(Model):
    bearer: Annotated[_Secret | Annotated[Token, Tag("<token>")], _TOKEN]


class Digest(Model):
    digest: _CredentialsOrSecret


class OAuth2Policy(Model):
    oauth2: Annotated[
        _Secret
        | Annotated[OAuth2, Tag("<authority>")]
        | Annotated[OAuth2, Tag("<grant>")]
        | Annotated[OAuth2, Tag("<client>")],
        _OAUTH,
    ]


class OidcPolicy(Model):
    oidc: Annotated[
        _Secret
        | Annotated[OpenIdConnect, Tag("<authority>")]
        | Annotated[OpenIdConnect, Tag("<grant>")]
        | Annotated[OpenIdConnect, Tag("<client>")],
        _OAUTH,
    ]


class ByName(Model):
    use: str = Field(min_length=1)


_Schemes: TypeAlias = (
    Annotated[Basic, Tag("<basic>")]
    | Annotated[Bearer, Tag("<bearer>")]
    | Annotated[Digest, Tag("<digest>")]
    | Annotated[OAuth2Policy, Tag("<oauth2>")]
    | Annotated[OidcPolicy, Tag("<oidc>")]
)

Policy: TypeAlias = Annotated[_Schemes, by_key(SCHEMES, "an authentication scheme is expected", _MEND)]

PolicyOrName: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[ByName, Tag("<use>")] | _Schemes,
    by_key((*SCHEMES, "use"), "an authentication is expected", _MEND, text=True),
]
