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
