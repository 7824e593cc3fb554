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

  @decision-17
  Scenario Outline: A document that would put one out as it is, is refused: <where>
    Given a workflow that says:
      """yaml
      use: {secrets: [key]}
      do:
        - one: <task>
      """
    When the document is checked
    Then the document should be refused at '4':
      """
      would show a secret
      """

    Examples:
      | where                      | task                                                                                                    |
      | a set that ends it         | {set: {key: '${ $secrets.key }'}}                                                                       |
      | the output of a task       | {set: {n: 1}, output: {as: '{key: $secrets.key}'}}                                                      |
      | an error that is raised    | {raise: {error: {type: 'https://example.com/no', status: 403, detail: 'not with ${ $secrets.key }'}}}   |

  @decision-17
  Scenario: One that becomes a part of the output is masked where that is shown, and nowhere else
    Given a workflow that says:
      """yaml
      use: {secrets: [key]}
      do:
        - sign: {set: {header: '${ "Bearer " + $secrets.key }', basic: '${ ("ada:" + $secrets.key) | @base64 }'}}
      """
    And the secrets are:
      """yaml
      key: s3cret-t0ken
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {header: Bearer s3cret-t0ken, basic: YWRhOnMzY3JldC10MGtlbg==}
      """
    And everybody should be shown 'Bearer ***'
    And nobody should be shown 's3cret'
    And nobody should be shown 'MzY3JldC10MGtlb'
    And the tasks should run in order sign

  @decision-17
  Scenario: An error that came to hold one is masked in the history, and whole for whoever catches it
    Given a workflow that says:
      """yaml
      use: {secrets: [key]}
      do:
        - take: {set: {text: '${ "no entry with " + $secrets.key }'}}
        - guarded:
            try:
              - fail: {raise: {error: {type: 'https://example.com/no', status: 403, detail: '${ .text }'}}}
            catch:
              do:
                - look: {set: {whole: '${ $error.detail == "no entry with " + $secrets.key }'}}
      """
    And the secrets are:
      """yaml
      key: s3cret-t0ken
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {whole: true}
      """
    And everybody should be shown 'no entry with ***'
    And nobody should be shown 's3cret'
    And the tasks should run in order take, guarded, fail, look

  @decision-17
  Scenario: An expression that fails quotes what it failed on, but no secret
    Given a workflow that says:
      """yaml
      use: {secrets: [key]}
      do:
        - count: {set: {n: '${ $secrets.key | tonumber }'}}
      """
    And the secrets are:
      """yaml
      key: a-secret-of-which-an-error-would-quote-the-beginning
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 400
      instance: /do/0/count
      """
    And everybody should be shown 'cannot be parsed as a number'
    And nobody should be shown 'a-secret'
    And the tasks should run in order count

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
