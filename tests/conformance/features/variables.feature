Feature: Variables
  $context, $input, $output, $secrets, $task, $workflow, $runtime and $authorization, each where the standard's table
  says that it is there; loops and catches bring their own.

  Scenario: The task describes itself
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - look:
                  set:
                    name: ${ $task.name }
                    reference: ${ $task.reference }
                    definition: ${ $task.definition.set.name }
                    input: ${ $task.input }
                    started: ${ $task.startedAt }
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: look
      reference: /do/0/outer/do/0/look
      definition: ${ $task.name }
      input: {n: 1}
      started:
        iso8601: '2026-01-01T00:00:00.000Z'
        epoch: {seconds: 1767225600, milliseconds: 1767225600000}
      """
    And the tasks should run in order outer, look

  Scenario: A task's name is told as it is written
    Given a workflow that says:
      """yaml
      do:
        - read/write:
            set: ${ [$task.name, $task.reference] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [read/write, /do/0/read~1write]
      """
    And the tasks should run in order read/write

  Scenario: The workflow describes itself
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              name: ${ $workflow.definition.document.name }
              input: ${ $workflow.input }
              started: ${ $workflow.startedAt.iso8601 }
              id: ${ $workflow.id | length }
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: sample
      input: {n: 1}
      started: '2026-01-01T00:00:00.000Z'
      id: 36
      """
    And the tasks should run in order look

  Scenario: The runtime says who it is
    Given a workflow that says:
      """yaml
      do:
        - look:
            set: ${ $runtime | [.name, (.version | type), .metadata] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [lowtide, string, {}]
      """
    And the tasks should run in order look

  Scenario: Secrets are there by name, as text or as objects
    Given a workflow that says:
      """yaml
      use:
        secrets: [token, database]
      do:
        - look:
            set:
              length: ${ $secrets.token | length }
              user: ${ $secrets.database.user | ascii_upcase | length }
      """
    And the secrets are:
      """yaml
      token: s3cret
      database: {user: ada, password: x}
      other: hidden
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {length: 6, user: 3}
      """
    And the tasks should run in order look

  @decision-17
  Scenario: A secret that the document does not name is not there
    Given a workflow that says:
      """yaml
      use:
        secrets: [token]
      do:
        - look:
            set: ${ $secrets | keys }
      """
    And the secrets are:
      """yaml
      {token: a, other: b}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [token]
      """
    And the tasks should run in order look

  Scenario: A secret that the runtime does not have is an authorization error
    Given a workflow that says:
      """yaml
      use:
        secrets: [token]
      do:
        - look:
            set: ${ $secrets.token | length }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization
      status: 403
      instance: /do/0/look
      """
    And the error's detail should mention 'token'
    And the tasks should run in order look

  Scenario: A call's authentication is told to the expressions after it
    Given a workflow that says:
      """yaml
      use:
        secrets: [token]
      do:
        - get:
            call: http
            with:
              method: get
              endpoint:
                uri: https://shop.example/orders
                authentication:
                  bearer:
                    token: ${ $secrets.token }
            output:
              as: '{scheme: $authorization.scheme, length: ($authorization.parameter | length)}'
      """
    And the secrets are:
      """yaml
      token: s3cret
      """
    And the service 'shop.example' answers:
      """yaml
      - on: GET /orders
        body: []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {scheme: Bearer, length: 6}
      """
    And the tasks should run in order get
    And the service 'shop.example' should have received:
      """yaml
      - headers: {authorization: Bearer s3cret}
      """

  Scenario: A loop's variables hide nothing and end with the loop
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for:
              each: color
              at: i
              in: .colors
            do:
              - add:
                  set:
                    colors: ${ $workflow.input.colors }
                    seen: ${ .seen + [[$i, $color]] }
        - after:
            set: ${ .seen }
      """
    And the workflow input is:
      """yaml
      colors: [red, green]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [[0, red], [1, green]]
      """
    And the tasks should run in order loop, add, add, after

  Scenario: A variable of nobody is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: color, in: '[1]'}
            do:
              - add: {set: '${ $color }'}
        - after:
            set: ${ $color }
      """
    When the document is checked
    Then the document should be refused at '8':
      """
      $color
      """
