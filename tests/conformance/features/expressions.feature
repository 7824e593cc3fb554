Feature: Expressions
  Expressions are jq. In strict mode, the default, a value is evaluated where the whole of it is ${ … }, also over
  several lines; text with ${ … } in its middle is put together. Fields that are expressions by nature (if, when,
  while, in, from, as …) take bare jq as well. In loose mode a text that is a valid expression is evaluated.

  @decision-2
  Scenario: In strict mode bare text is text
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              text: .name
              value: ${ .name }
      """
    And the workflow input is:
      """yaml
      name: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {text: .name, value: Ada}
      """
    And the tasks should run in order look

  Scenario: An expression may go over several lines
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              total: |
                ${
                  .items
                  | map(.price)
                  | add
                }
      """
    And the workflow input is:
      """yaml
      items: [{price: 1}, {price: 2}]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      total: 3
      """
    And the tasks should run in order look

  @decision-2
  Scenario Outline: Text around an expression is put together, other values as JSON
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              text: 'it is ${ <expression> }!'
      """
    And the workflow input is:
      """yaml
      {name: Ada, n: 1, list: [1, "a"], none: null}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      text: '<text>'
      """
    And the tasks should run in order look

    Examples:
      | expression | text             |
      | .name      | it is Ada!       |
      | .n         | it is 1!         |
      | .list      | it is [1,"a"]!   |
      | .none      | it is null!      |
      | {n}        | it is {"n":1}!   |

  Scenario Outline: A field that is an expression by nature takes bare jq and the marked form
    Given a workflow that says:
      """yaml
      do:
        - look:
            if: <condition>
            set: {ran: true}
      """
    And the workflow input is:
      """yaml
      n: 2
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ran: true
      """
    And the tasks should run in order look

    Examples:
      | condition      |
      | .n > 1         |
      | ${ .n > 1 }    |
      | ${.n > 1}      |
      | .n             |

  @decision-3
  Scenario: An expression without any result gives null
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              nothing: ${ empty }
              missing: ${ .a.b.c }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {nothing: null, missing: null}
      """
    And the tasks should run in order look

  @decision-3
  Scenario: Of several results the first is taken
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              first: ${ .[] }
      """
    And the workflow input is:
      """yaml
      [3, 2, 1]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      first: 3
      """
    And the tasks should run in order look

  @decision-3
  Scenario: An expression that fails is an expression error that names it, its place and what it was given
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              n: ${ .text + 1 }
      """
    And the workflow input is:
      """yaml
      text: a
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      title: Expression Error
      instance: /do/0/look
      """
    And the error's detail should mention '.text + 1'
    And the error's detail should mention '5:15'
    And the error's detail should mention 'an object with text'
    And the tasks should run in order look

  Scenario: error() in an expression is an expression error that can be caught
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - refuse:
                  set: ${ error("too young") }
            catch:
              errors:
                with: {status: 400}
              do:
                - say:
                    set: ${ $error.detail | contains("too young") }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      true
      """
    And the tasks should run in order guarded, refuse, say

  Scenario: An expression that is no jq is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              n: ${ .a | }
      """
    When the document is checked
    Then the document should be refused at '5'

  Scenario: A variable that a stage does not have is found before anything runs
    Given a workflow that says:
      """yaml
      input:
        from: $context
      do:
        - look:
            set: {n: 1}
      """
    When the document is checked
    Then the document should be refused at '3':
      """
      context
      """

  Scenario: In loose mode text that is an expression is evaluated and other text is itself
    Given a workflow that says:
      """yaml
      evaluate:
        mode: loose
      do:
        - look:
            set:
              value: .name
              marked: ${ .name }
              text: Hello, world!
      """
    And the workflow input is:
      """yaml
      name: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {value: Ada, marked: Ada, text: "Hello, world!"}
      """
    And the tasks should run in order look

  Scenario: In loose mode an expression that compiles and then fails is an error
    Given a workflow that says:
      """yaml
      evaluate:
        mode: loose
      do:
        - look:
            set:
              value: .name + 1
      """
    And the workflow input is:
      """yaml
      name: Ada
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/look
      """
    And the tasks should run in order look

  @decision-20
  Scenario: The environment of the process cannot be seen
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              environment: ${ [$ENV, env] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      environment: [{}, {}]
      """
    And the tasks should run in order look

  @decision-20
  Scenario Outline: What would reach out of an expression does not exist: <name>
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              n: ${ <name> }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/look
      """
    And the tasks should run in order look

    Examples:
      | name            |
      | input           |
      | [inputs]        |
      | halt            |

  @decision-20
  Scenario: Now is the time of the turn, the same in all expressions of it
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: PT90S
        - look:
            set:
              same: ${ now == $task.startedAt.epoch.milliseconds / 1000 }
              passed: ${ (now - $workflow.startedAt.epoch.milliseconds / 1000) | round }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {same: true, passed: 90}
      """
    And the tasks should run in order pause, look

  @decision-20
  Scenario: A runaway expression is ended and is an expression error
    Given a workflow that says:
      """yaml
      do:
        - run:
            set:
              n: ${ [limit(1e9; repeat(1))] | length }
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/run
      """
    And the tasks should run in order run
