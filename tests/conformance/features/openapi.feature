Feature: OpenAPI
  An operation is called by its id. The document says where it is served and where each parameter goes: OpenAPI 3.0,
  3.1 and Swagger 2.0, in JSON or YAML. The value called `body`, or else what no parameter takes, is the body.

  Background:
    Given the service 'docs.example' answers:
      """yaml
      - on: GET /shop.yaml
        headers: {Content-Type: application/yaml}
        body: |
          openapi: 3.1.0
          info: {title: Shop, version: 2026-01-01}
          servers:
            - url: https://{region}.shop.example/v{version}
              variables:
                region: {default: eu}
                version: {default: '2'}
          security:
            - key: []
          paths:
            /orders/{id}:
              parameters:
                - {$ref: '#/components/parameters/id'}
              get:
                operationId: getOrder
                security: []
                parameters:
                  - {name: fields, in: query, schema: {type: array}, explode: false}
                  - {name: tags, in: query, schema: {type: array}}
                  - {name: filter, in: query, style: deepObject, schema: {type: object}}
                  - {name: X-Trace, in: header, schema: {type: string}}
                  - {name: session, in: cookie, schema: {type: string}}
                responses:
                  '200': {content: {application/json: {}}}
              put:
                operationId: replaceOrder
                security: [{bearer: []}]
                requestBody:
                  required: true
                  content:
                    application/json: {}
                responses: {}
            /orders:
              get:
                operationId: listOrders
                parameters:
                  - {name: limit, in: query, required: true, schema: {type: integer, default: 10}}
                responses: {}
              post:
                operationId: placeOrder
                servers: [{url: 'https://orders.shop.example'}]
                security: []
                requestBody:
                  content:
                    application/x-www-form-urlencoded: {}
                responses: {}
          components:
            parameters:
              id: {name: id, in: path, required: true, schema: {type: string}}
            securitySchemes:
              key: {type: apiKey, in: header, name: X-Key}
              bearer: {type: http, scheme: bearer}
      - on: GET /swagger.json
        body:
          swagger: '2.0'
          basePath: /api
          schemes: [http]
          paths:
            /sum:
              get:
                operationId: sum
                parameters:
                  - {name: of, in: query, type: array, required: true}
                  - {name: by, in: query, type: array, collectionFormat: pipes}
            /notes:
              post:
                operationId: note
                parameters:
                  - {name: text, in: formData, type: string, required: true}
                  - {name: tag, in: formData, type: string}
            /things:
              post:
                operationId: keep
                parameters:
                  - {name: thing, in: body, required: true, schema: {}}
      - on: GET /api/sum
        body: 6
      - on: POST /api/notes
        body: noted
      - on: POST /api/things
        body: kept
      - on: GET /old.json
        body: {swagger: '1.2'}
      - on: GET /page.html
        body: '<html>: ['
      """
    And the service 'eu.shop.example' answers:
      """yaml
      - {on: GET /v2/orders/a%20b%2Fc, body: {order: found}}
      - {on: GET, body: []}
      - {on: PUT, body: {order: replaced}}
      """
    And the service 'orders.shop.example' answers:
      """yaml
      - {on: POST, status: 201, body: {order: placed}}
      """

  Scenario: Parameters in path, query, headers and cookies
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/shop.yaml'}
              operationId: getOrder
              parameters:
                id: a b/c
                fields: [x, y]
                tags: [new, '50%']
                filter: {state: open}
                X-Trace: ${ .trace }
                session: s1
      """
    And the workflow input is:
      """yaml
      trace: t-1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      order: found
      """
    And the tasks should run in order get
    And the service 'eu.shop.example' should have received:
      """yaml
      - method: GET
        path: /v2/orders/a%20b%2Fc
        query: {fields: 'x,y', tags: '50%', 'filter[state]': open}
        headers: {x-trace: t-1, cookie: session=s1, accept: application/json}
      """

  Scenario: The body is the parameter called body
    Given a workflow that says:
      """yaml
      do:
        - put:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/shop.yaml'}
              operationId: replaceOrder
              parameters:
                id: '7'
                body: {lines: [1, 2]}
              authentication: {bearer: {token: t0ken}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      order: replaced
      """
    And the tasks should run in order put
    And the service 'eu.shop.example' should have received:
      """yaml
      - method: PUT
        path: /v2/orders/7
        headers: {authorization: Bearer t0ken, content-type: application/json}
        body: {lines: [1, 2]}
      """

  Scenario: Without it, what no parameter takes is the body; here of a form, on a server of the operation's own
    Given a workflow that says:
      """yaml
      do:
        - post:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/shop.yaml'}
              operationId: placeOrder
              parameters: {item: tea & cake, count: 2}
              output: response
            output: {as: '[.statusCode, .content.order]'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [201, placed]
      """
    And the tasks should run in order post
    And the service 'orders.shop.example' should have received as text:
      """
      item=tea+%26+cake&count=2
      """

  Scenario: A key of the document's security goes where the document says
    Given a workflow that says:
      """yaml
      do:
        - list:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/shop.yaml'}
              operationId: listOrders
              authentication: {bearer: {token: k3y}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order list
    And the service 'eu.shop.example' should have received:
      """yaml
      - {path: /v2/orders, query: {limit: '10'}, headers: {x-key: k3y}}
      """

  Scenario Outline: Swagger 2.0, served where the document is: <operation>
    Given a workflow that says:
      """yaml
      do:
        - ask:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/swagger.json'}
              operationId: <operation>
              parameters: <parameters>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """
    And the tasks should run in order ask
    And the last request should have been '<request>'

    Examples:
      | operation | parameters                | output | request                                            |
      | sum       | {of: [1, 2], by: [3, 4]}  | 6      | GET http://docs.example/api/sum?of=1,2&by=3%7C4    |
      | note      | {text: hi, tag: x}        | noted  | POST http://docs.example/api/notes text=hi&tag=x   |
      | keep      | {thing: [1, 2]}           | kept   | POST http://docs.example/api/things [1,2]          |

  Scenario Outline: What does not fit the document is a configuration error: <why>
    Given a workflow that says:
      """yaml
      do:
        - ask:
            call: openapi
            with:
              document: {endpoint: 'https://docs.example/<document>'}
              operationId: <operation>
              parameters: <parameters>
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/ask
      """
    And the error's detail should mention '<why>'
    And the tasks should run in order ask

    Examples:
      | document     | operation    | parameters        | why                                        |
      | shop.yaml    | getOder      | {}                | did you mean 'getOrder'?                   |
      | shop.yaml    | getOrder     | {}                | needs the parameter 'id' (path)            |
      | shop.yaml    | getOrder     | {id: 1, nme: x}   | has no parameter nme                       |
      | shop.yaml    | replaceOrder | {id: 1}           | needs a body                               |
      | swagger.json | note         | {tag: x}          | needs the parameter text                   |
      | old.json     | any          | {}                | Lowtide reads OpenAPI 3.0, 3.1 and         |
      | page.html    | any          | {}                | neither JSON nor YAML                      |

  Scenario: A document that is not there
    Given a workflow that says:
      """yaml
      do:
        - ask:
            call: openapi
            with: {document: {endpoint: 'https://docs.example/none.yaml'}, operationId: any}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 404
      instance: /do/0/ask
      """
    And the tasks should run in order ask
