Feature: AsyncAPI
  call: asyncapi publishes a message or consumes messages, as an AsyncAPI document of version 2 or 3 says.

  Background:
    Given the service 'docs.example' answers:
      """yaml
      - on: GET /3.yaml
        headers: {Content-Type: application/yaml}
        body: |
          asyncapi: 3.0.0
          info: {title: Shop, version: 1.0.0}
          servers:
            broker: {host: 'broker.example:61613', protocol: stomp}
            main:
              host: '{region}.shop.example'
              pathname: /v1
              protocol: http
              variables:
                region: {default: eu, enum: [eu, us]}
          channels:
            orders:
              address: orders/{customer}
              servers: [{$ref: '#/servers/main'}, {$ref: '#/servers/broker'}]
              parameters:
                customer: {location: '$message.payload#/customer'}
              messages:
                order: {$ref: '#/components/messages/order'}
            events: {address: events, servers: [{$ref: '#/servers/main'}]}
          operations:
            placeOrder:
              action: send
              channel: {$ref: '#/channels/orders'}
              bindings: {http: {method: PUT}}
            hearEvents: {action: receive, channel: {$ref: '#/channels/events'}}
          components:
            messages:
              order: {contentType: application/json}
      - on: GET /2.json
        body:
          asyncapi: 2.6.0
          info: {title: Shop, version: 1.0.0}
          servers:
            main: {url: 'http://eu.shop.example/v1', protocol: http}
          channels:
            events: {subscribe: {message: {contentType: application/json}}}
      """
    And the service 'eu.shop.example' answers:
      """yaml
      - {on: PUT /v1/orders/ada, status: 202}
      - on: GET /v1/events
        headers: {Content-Type: application/x-ndjson}
        body: |
          {"kind": "opened", "n": 1}
          {"kind": "noise"}
          {"kind": "sold", "n": 2}
          {"kind": "closed", "n": 3}
          {"kind": "sold", "n": 4}
      """

  Scenario: A message is published where the document says
    Given a workflow that says:
      """yaml
      do:
        - order:
            call: asyncapi
            with:
              document: {endpoint: 'https://docs.example/3.yaml'}
              operation: placeOrder
              message: {payload: {customer: '${ .who }', sku: tea}, headers: {priority: high}}
      """
    And the workflow input is:
      """yaml
      who: ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      payload: {customer: ada, sku: tea}
      headers: {priority: high}
      """
    And the service 'eu.shop.example' should have received:
      """yaml
      - {method: PUT, path: /v1/orders/ada, headers: {priority: high}, body: {customer: ada, sku: tea}}
      """
    And the tasks should run in order order

  Scenario Outline: Messages are consumed until there are enough, by <document>: <consume>
    Given a workflow that says:
      """yaml
      do:
        - hear:
            call: asyncapi
            with:
              document: {endpoint: 'https://docs.example/<document>'}
              <what>
              subscription: {filter: '.payload.n != null', consume: {<consume>}}
            output: {as: '[.[].payload.n]'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <consumed>
      """
    And the tasks should run in order hear

    Examples:
      | document | what                  | consume                             | consumed     |
      | 3.yaml   | operation: hearEvents | amount: 2                           | [1, 2]       |
      | 2.json   | channel: events       | amount: 2                           | [1, 2]       |
      | 2.json   | channel: events       | until: '.payload.kind == "closed"'  | [1, 2]       |
      | 2.json   | channel: events       | while: '.payload.kind != "closed"'  | [1, 2, 3]    |
      | 3.yaml   | operation: hearEvents | while: '.payload', for: PT1M        | [1, 2, 3, 4] |

  Scenario: Tasks are performed for one message after the other
    Given a workflow that says:
      """yaml
      do:
        - hear:
            call: asyncapi
            with:
              document: {endpoint: 'https://docs.example/3.yaml'}
              operation: hearEvents
              subscription:
                consume: {while: '($context.sold // 0) < 2'}
                foreach:
                  item: message
                  do:
                    - rest: {wait: PT1H}
                    - count: {set: '${ {sold: (($context.sold // 0) + (if $message.payload.kind == "sold" then 1 else 0 end))} }'}
                  export: {as: .}
            output: {as: '{messages: length, sold: $context.sold}'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      messages: 5
      sold: 2
      """
    And the tasks should run in order hear, rest, count, rest, count, rest, count, rest, count, rest, count
    And the workflow should take PT5H

  Scenario Outline: What does not fit the document: <why>
    Given a workflow that says:
      """yaml
      do:
        - order:
            call: asyncapi
            with:
              document: {endpoint: 'https://docs.example/<document>'}
              <what>
              <where>
              message: {payload: {customer: ada}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/order
      """
    And the error's detail should mention '<says>'
    And the tasks should run in order order

    Examples:
      | why                 | document | what                   | where                                               | says                   |
      | an operation        | 3.yaml   | operation: placeOrders | server: {name: main}                                | did you mean           |
      | a server            | 3.yaml   | operation: placeOrder  | server: {name: mian}                                | did you mean           |
      | a variable          | 3.yaml   | operation: placeOrder  | server: {name: main, variables: {regoin: eu}}       | no variable            |
      | a variable's value  | 3.yaml   | operation: placeOrder  | server: {name: main, variables: {region: mars}}     | one of eu, us          |
      | a parameter         | 3.yaml   | operation: hearEvents  | server: {name: main, variables: {customer: ada}}    | no variable            |
      | a protocol          | 3.yaml   | operation: placeOrder  | protocol: kafka                                     | no server for          |
      | one that is unknown | 3.yaml   | operation: placeOrder  | protocol: stomp                                     | which Lowtide does not |
      | a channel of 3      | 3.yaml   | channel: orders        | server: {name: main}                                | give `operation`       |
      | an operation of 2   | 2.json   | operation: hearEvents  | server: {name: main}                                | give `channel`         |
      | a verb              | 2.json   | channel: events        | server: {name: main}                                | no `publish` operation |
