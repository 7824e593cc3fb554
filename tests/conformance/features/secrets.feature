Feature: Secrets
  A document names the secrets that it reads. Their values come from the runtime; who reads along is not shown them.

  @decision-17
  Scenario Outline: A document that would show one is refused: <where>
    Given a workflow that says:
      """yaml
      use: {secrets: [shop]}
      <workflow>
      do:
        - one: {set: {n: 1}<task>}
      """
    When the document is checked
    Then the document should be refused at '<line>':
      """
      would show a secret
      """

    Examples:
      | where              | workflow                                    | task                                        | line |
      | the context        |                                             | , export: {as: '${ {key: $secrets.shop} }'} | 5    |
      | the output         | output: {as: '. + {key: $secrets.shop}'}    |                                             | 3    |

  @decision-17
  Scenario Outline: A service that repeats what it was sent, refusing it with <status>, shows it to nobody
    Given a workflow that says:
      """yaml
      use: {secrets: [key]}
      do:
        - get:
            call: http
            with: {method: get, endpoint: {uri: 'https://shop.example/orders', authentication: {bearer: {token: '${ $secrets.key }'}}}}
      """
    And the secrets are:
      """yaml
      key: s3cret-t0ken
      """
    And the service 'shop.example' answers:
      """yaml
      - {status: <status>, body: 'no entry with s3cret-t0ken, sorry'}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: <status>
      instance: /do/0/get
      """
    And the error's detail should mention 'no entry with'
    And the error's detail should not mention 's3cret-t0ken'
    And the tasks should run in order get

    Examples:
      | status |
      | 401    |
      | 403    |
      | 500    |

  Scenario: A secret may be an object, and is read where it is wanted
    Given a workflow that says:
      """yaml
      use: {secrets: [shop]}
      do:
        - get:
            call: http
            with: {method: get, endpoint: 'https://shop.example/orders', headers: {X-Key: '${ $secrets.shop.key }'}}
      """
    And the secrets are:
      """yaml
      shop: {key: k-1}
      """
    And the service 'shop.example' answers:
      """yaml
      - {body: []}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {x-key: k-1}
      """
