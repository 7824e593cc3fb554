Feature: Authentication
  A call authenticates with the scheme of its endpoint: basic, bearer, digest, oauth2 or oidc, written inline, by the
  name of one in `use.authentications`, or by a secret that holds all of it.

  Background:
    Given the service 'shop.example' answers:
      """yaml
      - {on: GET /orders, body: []}
      """

  Scenario: A bearer token, from the data
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://shop.example/orders', authentication: {bearer: {token: '${ .token }'}}}
      """
    And the workflow input is:
      """yaml
      token: t0ken
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer t0ken}
      """

  Scenario Outline: A <scheme> scheme that is a secret as a whole
    Given a workflow that says:
      """yaml
      use:
        secrets: [access]
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://shop.example/orders', authentication: {<scheme>: {use: access}}}
      """
    And the secrets are:
      """yaml
      access: <secret>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: <header>}
      """

    Examples:
      | scheme | secret                          | header                |
      | basic  | {username: ada, password: pass} | Basic YWRhOnBhc3M=    |
      | bearer | {token: t0ken}                  | Bearer t0ken          |

  Scenario: A secret that the runtime does not have is an authorization error
    Given a workflow that says:
      """yaml
      use:
        secrets: [access]
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://shop.example/orders', authentication: {basic: {use: access}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization
      status: 403
      instance: /do/0/get
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      []
      """

  Scenario: Digest answers what the server asks, and only then sends anything of the password
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://vault.example/gold', authentication: {digest: {username: ada, password: pass}}}
      """
    And the service 'vault.example' answers:
      """yaml
      - status: 401
        headers: {WWW-Authenticate: 'Digest realm="vault", nonce="n1", qop="auth", algorithm=SHA-256'}
      - body: {gold: 1}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      gold: 1
      """
    And the tasks should run in order get
    And the service 'vault.example' should have received 2 requests

  Scenario: OAuth 2 asks the authority for a token once, for all calls that want the same
    Given a workflow that says:
      """yaml
      use:
        authentications:
          shopper:
            oauth2:
              authority: https://login.example
              endpoints: {token: /token}
              grant: client_credentials
              client: {id: me, secret: hush, authentication: client_secret_post}
              scopes: [orders]
      do:
        - first: {call: http, with: {method: get, endpoint: {uri: 'https://shop.example/orders', authentication: {use: shopper}}}}
        - second: {call: http, with: {method: get, endpoint: {uri: 'https://shop.example/orders', authentication: {use: shopper}}}}
      """
    And the service 'login.example' answers:
      """yaml
      - {on: POST /token, body: {access_token: once, token_type: Bearer, expires_in: 3600}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order first, second
    And the service 'login.example' should have received 1 requests
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer once}
      - headers: {authorization: Bearer once}
      """

  Scenario: An authority that refuses is an authentication error
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  oauth2:
                    authority: https://login.example
                    grant: client_credentials
                    client: {id: me, secret: wrong}
      """
    And the service 'login.example' answers:
      """yaml
      - {on: POST /oauth2/token, status: 401, body: {error: invalid_client}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication
      status: 401
      instance: /do/0/get
      """
    And the error's detail should mention 'invalid_client'
    And the tasks should run in order get

  Scenario: OpenID Connect finds the authority's endpoints by discovery
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  oidc:
                    authority: https://login.example
                    grant: client_credentials
                    client: {id: me, secret: hush}
      """
    And the service 'login.example' answers:
      """yaml
      - on: GET /.well-known/openid-configuration
        body: {issuer: 'https://login.example', token_endpoint: 'https://login.example/somewhere'}
      - {on: POST /somewhere, body: {access_token: found, token_type: Bearer}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer found}
      """

  Scenario: An authentication that is not defined is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://shop.example/orders', authentication: {use: shoper}}
      """
    When the document is checked
    Then the document should be refused at '7':
      """
      shoper
      """

  Scenario Outline: OAuth 2, the grant <grant> with a client that is known by <client>
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  oauth2: {authority: 'https://login.example', grant: '<grant>', client: {id: me, <client>}, <more>}
      """
    And the service 'login.example' answers:
      """yaml
      - {on: POST /oauth2/token, body: {access_token: given, token_type: Bearer, expires_in: 60}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'login.example' should have received:
      """yaml
      - {headers: {<header>}, body: '<body>'}
      """
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer given}
      """

    Examples:
      | grant                                           | client                                             | more                                                     | header                             | body                                                                                                                                                                                          |
      | client_credentials                              | secret: hush                                       | scopes: [a, b]                                           |                                    | grant_type=client_credentials&scope=a+b&client_id=me&client_secret=hush                                                                                                                       |
      | client_credentials                              | secret: hush, authentication: client_secret_basic  | audiences: [shop]                                        | authorization: Basic bWU6aHVzaA==  | grant_type=client_credentials&audience=shop                                                                                                                                                   |
      | password                                        | authentication: none                               | username: ada, password: pass                            |                                    | grant_type=password&username=ada&password=pass&client_id=me                                                                                                                                   |
      | authorization_code                              | authentication: none                               | subject: {token: code-1, type: code}                     |                                    | grant_type=authorization_code&code=code-1&client_id=me                                                                                                                                        |
      | refresh_token                                   | secret: hush                                       | subject: {token: old, type: refresh}                     |                                    | grant_type=refresh_token&refresh_token=old&client_id=me&client_secret=hush                                                                                                                    |
      | urn:ietf:params:oauth:grant-type:token-exchange | authentication: none                               | subject: {token: s, type: st}, actor: {token: a, type: at} |                                  | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=s&subject_token_type=st&actor_token=a&actor_token_type=at&client_id=me                                      |
      | client_credentials                              | assertion: aa.bb.cc, authentication: private_key_jwt | scopes: []                                             |                                    | grant_type=client_credentials&client_id=me&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=aa.bb.cc                                   |

  Scenario: A client may sign with its secret, for whom the authority is
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  oauth2:
                    authority: https://login.example
                    grant: client_credentials
                    client: {id: me, secret: a-secret-of-at-least-32-characters, authentication: client_secret_jwt}
                    request: {encoding: application/json}
      """
    And the service 'login.example' answers:
      """yaml
      - {on: POST /oauth2/token, body: {access_token: given, token_type: Bearer, expires_in: 60}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'login.example' should have received:
      """yaml
      - headers: {content-type: application/json}
        body:
          grant_type: client_credentials
          client_id: me
          client_assertion_type: urn:ietf:params:oauth:client-assertion-type:jwt-bearer
      """

  Scenario: A token of an issuer that is not listed is not used
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  oauth2:
                    authority: https://login.example
                    endpoints: {introspection: /look}
                    grant: client_credentials
                    client: {id: me, secret: hush}
                    issuers: ['https://login.example']
      """
    And the service 'login.example' answers:
      """yaml
      - {on: POST /oauth2/token, body: {access_token: opaque, token_type: Bearer}}
      - {on: POST /look, body: {active: true, iss: 'https://elsewhere.example'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication
      status: 401
      instance: /do/0/get
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      []
      """

  Scenario Outline: A whole <scheme> configuration may be a secret
    Given a workflow that says:
      """yaml
      use:
        secrets: [access]
        authentications:
          shopper: {<scheme>: {use: access}}
      do:
        - get: {call: http, with: {method: get, endpoint: {uri: 'https://shop.example/orders', authentication: {use: shopper}}}}
      """
    And the secrets are:
      """yaml
      access: {authority: 'https://login.example', grant: client_credentials, client: {id: me, secret: hush}}
      """
    And the service 'login.example' answers:
      """yaml
      - on: GET /.well-known/openid-configuration
        body: {issuer: 'https://login.example', token_endpoint: 'https://login.example/oauth2/token'}
      - {on: POST /oauth2/token, body: {access_token: secretly, token_type: Bearer}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer secretly}
      """

    Examples:
      | scheme |
      | oauth2 |
      | oidc   |

  Scenario: Digest from a secret
    Given a workflow that says:
      """yaml
      use: {secrets: [access]}
      do:
        - get:
            call: http
            with: {method: get, endpoint: {uri: 'https://vault.example/gold', authentication: {digest: {use: access}}}}
      """
    And the secrets are:
      """yaml
      access: {username: ada, password: pass}
      """
    And the service 'vault.example' answers:
      """yaml
      - {status: 401, headers: {WWW-Authenticate: 'Digest realm="vault", nonce="n1", qop="auth", algorithm=MD5'}}
      - {body: {gold: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      gold: 1
      """
    And the tasks should run in order get
