Feature: HTTP
  A call sends one request. Its output is the content (JSON is read, text stays text), the raw bytes in base64, or the
  whole response. A status outside 200-299 is a communication error with that status.

  Background:
    Given the service 'shop.example' answers:
      """yaml
      - {on: GET /json, body: {n: 1}}
      - {on: GET /text, body: "héllo"}
      - {on: GET /empty, status: 204}
      - {on: GET /moved, status: 302, headers: {Location: 'https://shop.example/json'}}
      - {on: GET /bad, body: "{no json", headers: {Content-Type: application/json}}
      - {on: POST /orders, status: 201, body: {id: 7}, headers: {X-Order: '7'}}
      - {on: GET /teapot, status: 418, body: short and stout}
      - {on: GET, body: []}
      """

  Scenario Outline: The content of <path> is <output>
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: GET, endpoint: 'https://shop.example<path>'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """
    And the tasks should run in order get

    Examples:
      | path   | output  |
      | /json  | {n: 1}  |
      | /text  | héllo   |
      | /empty | null    |

  Scenario: The raw output is base64
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/text', output: raw}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      aMOpbGxv
      """
    And the tasks should run in order get

  Scenario: The whole response, with the request that it answers
    Given a workflow that says:
      """yaml
      do:
        - post:
            call: http
            with:
              method: post
              endpoint: https://shop.example/orders
              headers: {X-Trace: '${ .trace }'}
              body: {lines: '${ .lines }', note: plain}
              output: response
            output:
              as: >-
                {status: .statusCode, order: .content.id, header: .headers["X-Order"], method: .request.method,
                 uri: .request.uri, trace: .request.headers["X-Trace"]}
      """
    And the workflow input is:
      """yaml
      {trace: t1, lines: [1, 2]}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {status: 201, order: 7, header: '7', method: POST, uri: 'https://shop.example/orders', trace: t1}
      """
    And the tasks should run in order post
    And the service 'shop.example' should have received:
      """yaml
      - method: POST
        path: /orders
        headers: {content-type: application/json, x-trace: t1}
        body: {lines: [1, 2], note: plain}
      """

  Scenario: Query parameters are added to those of the endpoint
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: https://shop.example/search?page=2
              query: {text: '${ .text }', exact: 'true'}
      """
    And the workflow input is:
      """yaml
      text: a&b=c d
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - path: /search
        query: {page: '2', text: a&b=c d, exact: 'true'}
      """

  Scenario: Members of the input are put into the endpoint; what an expression gives is not
    Given a workflow that says:
      """yaml
      do:
        - first: {call: http, with: {method: get, endpoint: 'https://shop.example/{id}/{none}x'}, output: {as: $input}}
        - second: {call: http, with: {method: get, endpoint: '${ .url }'}}
      """
    And the workflow input is:
      """yaml
      {id: a/b, url: 'https://shop.example/%7Bid%7D'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order first, second
    And the service 'shop.example' should have received:
      """yaml
      - {path: /a%2Fb/x}
      - {path: /%7Bid%7D}
      """

  Scenario: An object in the endpoint is an expression error
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/{id}'}}
      """
    And the workflow input is:
      """yaml
      id: {n: 1}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/get
      """
    And the tasks should run in order get

  Scenario: A status that is no success is a communication error with that status
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/teapot'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 418
      instance: /do/0/get
      """
    And the error's detail should mention 'short and stout'
    And the tasks should run in order get

  Scenario: A redirect is an error
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/moved'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 302
      instance: /do/0/get
      """
    And the tasks should run in order get

  Scenario: With redirect it is not
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/moved', redirect: true}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order get

  Scenario: An answer that is not what it says is a communication error
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://shop.example/bad'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 500
      instance: /do/0/get
      """
    And the error's detail should mention 'application/json'
    And the tasks should run in order get

  Scenario: An endpoint that is no http URI is a configuration error
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: '${ .url }'}}
      """
    And the workflow input is:
      """yaml
      url: shop.example
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/get
      """
    And the tasks should run in order get

  Scenario: Basic authentication by reference, with a secret
    Given a workflow that says:
      """yaml
      use:
        secrets: [shop]
        authentications:
          shopper:
            basic: {username: ada, password: '${ $secrets.shop.password }'}
      do:
        - get:
            call: http
            with:
              method: get
              endpoint: {uri: 'https://httpbin.org/basic-auth/ada/pass', authentication: {use: shopper}}
            output: {as: .authenticated}
      """
    And the secrets are:
      """yaml
      shop: {password: pass}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      true
      """
    And the tasks should run in order get

  Scenario: A wrong password is told apart from other failures
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://httpbin.org/basic-auth/ada/pass
                authentication: {basic: {username: ada, password: wrong}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication
      status: 401
      instance: /do/0/get
      """
    And the tasks should run in order get
